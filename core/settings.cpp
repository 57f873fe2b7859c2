#include "core/settings.h"

#include <fmt/format.h>

#include <algorithm>

namespace errata {

namespace {
[[noreturn]] void absent(std::string_view path) {
  throw Error(ExitStatus::kBug, "E700", fmt::format("setting {} is absent", path));
}
}  // namespace

bool Settings::has(std::string_view path) const { return values_.find(path) != values_.end(); }

const SettingValue& Settings::value(std::string_view path) const {
  const auto found = values_.find(path);
  if (found == values_.end()) absent(path);
  return found->second;
}

double Settings::number(std::string_view path) const {
  const auto& v = value(path);
  if (v.numbers.size() != 1) absent(path);
  return v.numbers[0];
}

std::int64_t Settings::integer(std::string_view path) const { return static_cast<std::int64_t>(number(path)); }
bool Settings::flag(std::string_view path) const { return number(path) != 0.0; }
const std::string& Settings::text(std::string_view path) const { return value(path).text; }
const std::vector<double>& Settings::numbers(std::string_view path) const { return value(path).numbers; }

std::size_t Settings::count(std::string_view array) const {
  const auto found = counts_.find(array);
  return found == counts_.end() ? 0 : found->second;
}

std::string Settings::canonical(std::span<const std::string> sections) const {
  std::string text;
  for (const auto& [path, v] : values_) {
    const std::string_view section = std::string_view(path).substr(0, path.find_first_of(".["));
    if (std::ranges::find(sections, section) == sections.end()) continue;
    if (v.numbers.empty()) {
      text += fmt::format("{} = \"{}\"\n", path, v.text);
    } else if (v.numbers.size() == 1) {
      text += fmt::format("{} = {}\n", path, v.numbers[0]);
    } else {
      text += fmt::format("{} = [{}]\n", path, fmt::join(v.numbers, ", "));
    }
  }
  return text;
}

}  // namespace errata
