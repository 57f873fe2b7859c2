#include "core/settings.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/hardware_scheme.h"

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

SettingValue& Settings::existing(std::string_view path) {
  const auto found = values_.find(path);
  if (found == values_.end()) absent(path);
  return found->second;
}

void Settings::replace(std::string_view path, std::vector<double> numbers) {
  existing(path).numbers = std::move(numbers);
}
void Settings::mark_given(std::string_view path) { existing(path).given = true; }
void Settings::remove(std::string_view path) {
  if (const auto found = values_.find(path); found != values_.end()) values_.erase(found);
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
    const bool read = std::ranges::any_of(sections, [&, p = std::string_view(path)](const std::string& wanted) {
      return wanted == section || wanted == p;
    });
    if (!read) continue;
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

bool starts_at_table(const Settings& s) {
  return !s.has("circuit.netlist") && (s.has("errormodel.measurements") || s.has("hardware.error_table"));
}

AdcOptions adc_options(const Settings& s) {
  const std::string& kind = s.text("hardware.adc_kind");
  return {.bits = static_cast<int>(s.integer("hardware.adc_bits")),
          .range = s.number("hardware.adc_range"),
          .bipolar = branches_of(signed_scheme(s.text("hardware.signed_scheme"))) == 2,
          .kind = kind == "flash"  ? AdcKind::kFlash
                  : kind == "ramp" ? AdcKind::kRamp
                                   : AdcKind::kSar,
          .offset_sigma = s.number("hardware.adc_offset"),
          .gain_sigma = s.number("hardware.adc_gain"),
          .element_sigma = s.number("hardware.adc_element_mismatch"),
          .noise_sigma = s.number("hardware.adc_noise")};
}

}  // namespace errata
