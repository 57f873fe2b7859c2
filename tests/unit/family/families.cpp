#include "behavioral/black_box/black_box.h"
#include "behavioral/line/current_mode.h"
#include "behavioral/line/floating_line.h"
#include "tests/unit/family/sum_of_cells.h"

namespace errata::behavioral {

std::span<const FamilyEntry> families() {
  using circuit::ReadMode;
  static const FamilyEntry all[] = {
      {CurrentMode::kName, [](Measured m) { return m.cell && m.read == ReadMode::kCurrent; }, fit_current_mode,
       CurrentMode::load},
      {FloatingLine::kName, [](Measured m) { return m.cell && m.read != ReadMode::kCurrent; }, fit_floating_line,
       FloatingLine::load},
      {BlackBox::kName, [](Measured) { return true; }, fit_black_box, BlackBox::load},
      {SumOfCells::kName, [](Measured m) { return m.cell && m.read == ReadMode::kCurrent; }, fit_sum_of_cells,
       SumOfCells::load}};
  return all;
}

}  // namespace errata::behavioral
