#include "core/quantity.h"

#include <fmt/format.h>

#include <cctype>
#include <charconv>
#include <cmath>
#include <vector>

namespace errata {

namespace {

struct Unit {
  std::string_view symbol;
  Dimension dimension;
  double scale;
};

constexpr Unit kUnits[] = {
    {"Ohm", dimension::kResistance, 1.0}, {"ohm", dimension::kResistance, 1.0}, {"Ω", dimension::kResistance, 1.0},
    {"V", dimension::kVoltage, 1.0},      {"A", dimension::kCurrent, 1.0},      {"S", dimension::kConductance, 1.0},
    {"F", dimension::kCapacitance, 1.0},  {"Hz", dimension::kFrequency, 1.0},   {"s", dimension::kTime, 1.0},
    {"m", dimension::kLength, 1.0},       {"W", dimension::kPower, 1.0},        {"K", dimension::kTemperature, 1.0},
    {"C", {{0, 0, 1, 1, 0}}, 1.0},        {"J", {{2, 1, -2, 0, 0}}, 1.0},
};

struct Prefix {
  std::string_view symbol;
  double scale;
};
constexpr Prefix kPrefixes[] = {{"a", 1e-18}, {"f", 1e-15}, {"p", 1e-12}, {"n", 1e-9}, {"u", 1e-6}, {"µ", 1e-6},
                                {"μ", 1e-6},  {"m", 1e-3},  {"k", 1e3},   {"M", 1e6},  {"G", 1e9},  {"T", 1e12}};

std::optional<Unit> find_unit(std::string_view text) {
  for (const auto& unit : kUnits)
    if (text == unit.symbol) return unit;
  for (const auto& prefix : kPrefixes) {
    if (!text.starts_with(prefix.symbol)) continue;
    for (const auto& unit : kUnits)
      if (text.substr(prefix.symbol.size()) == unit.symbol)
        return Unit{unit.symbol, unit.dimension, unit.scale * prefix.scale};
  }
  return std::nullopt;
}

/// Applies one factor such as "um", "um^2" or "/s" to the quantity; false when it is unknown.
bool apply_factor(std::string_view factor, int sign, Quantity& quantity) {
  int power = 1;
  if (const auto caret = factor.find('^'); caret != std::string_view::npos) {
    const auto digits = factor.substr(caret + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), power);
    if (error != std::errc() || end != digits.data() + digits.size() || power < -4 || power > 4) return false;
    factor = factor.substr(0, caret);
  }
  const auto unit = find_unit(factor);
  if (!unit) return false;
  quantity.value *= std::pow(unit->scale, sign * power);
  for (std::size_t i = 0; i < 5; ++i) quantity.dimension.exponents[i] += sign * power * unit->dimension.exponents[i];
  return true;
}

}  // namespace

std::optional<Quantity> parse_quantity(std::string_view text) {
  const auto trim = [&] {
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front()))) text.remove_prefix(1);
    while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.remove_suffix(1);
  };
  trim();
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  Quantity quantity;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), quantity.value);
  if (error != std::errc() || !std::isfinite(quantity.value)) return std::nullopt;
  text.remove_prefix(end - text.data());
  trim();
  if (text.empty()) return quantity;
  if (text == "%") {
    quantity.value /= 100.0;
    return quantity;
  }
  if (text == "degC" || text == "°C") {
    quantity.value += kZeroCelsiusKelvin;
    quantity.dimension = dimension::kTemperature;
    return quantity;
  }
  int sign = 1;
  while (!text.empty()) {
    const auto stop = text.find_first_of(" */");
    const auto factor = text.substr(0, stop);
    if (!factor.empty() && !apply_factor(factor, sign, quantity)) return std::nullopt;
    if (stop == std::string_view::npos) {
      if (factor.empty()) return std::nullopt;
      break;
    }
    if (text[stop] == '/') sign = -1;
    text.remove_prefix(stop + 1);
    if (text.empty()) return std::nullopt;  // "V/" is cut off
  }
  if (!std::isfinite(quantity.value)) return std::nullopt;
  return quantity;
}

std::string unit_symbol(const Dimension& d) {
  if (d == dimension::kNone) return "1";
  for (const auto& unit : kUnits)
    if (unit.dimension == d) return std::string(unit.symbol);
  if (d == dimension::kVoltageLength) return "V m";
  return "?";
}

std::string format_quantity(double value, const Dimension& d) {
  if (d == dimension::kNone) return fmt::format("{:.13g}", value);
  if (d == dimension::kTemperature) return fmt::format("{:.13g} K", value);
  const std::string symbol = unit_symbol(d);
  static constexpr Prefix kDisplay[] = {{"T", 1e12}, {"G", 1e9},  {"M", 1e6},   {"k", 1e3},   {"", 1.0},   {"m", 1e-3},
                                        {"u", 1e-6}, {"n", 1e-9}, {"p", 1e-12}, {"f", 1e-15}, {"a", 1e-18}};
  for (const auto& prefix : kDisplay)
    if (std::fabs(value) >= prefix.scale * (1 - 1e-12))
      return fmt::format("{:.13g} {}{}", value / prefix.scale, prefix.symbol, symbol);
  return fmt::format("{:.13g} {}", value, symbol);
}

}  // namespace errata
