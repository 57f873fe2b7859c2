#include "behavioral/current_mode.h"
#include "behavioral/floating_line.h"
#include "behavioral/line.h"

namespace errata::behavioral {

std::span<const FamilyEntry> families() {
  static const FamilyEntry all[] = {
      {CurrentMode::kName, [](circuit::ReadMode read) { return read == circuit::ReadMode::kCurrent; }, fit_current_mode,
       CurrentMode::load},
      {FloatingLine::kName, [](circuit::ReadMode read) { return read != circuit::ReadMode::kCurrent; },
       fit_floating_line, FloatingLine::load}};
  return all;
}

const FamilyEntry* find_family(const std::string& name, circuit::ReadMode read) {
  for (const FamilyEntry& entry : families())
    if (name == entry.name || (name == "automatic" && entry.fits(read))) return &entry;
  return nullptr;
}

}  // namespace errata::behavioral
