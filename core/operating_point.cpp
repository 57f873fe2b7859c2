#include "core/operating_point.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace errata {

namespace {

constexpr const char* kTemperature = "circuit.temperature";
constexpr const char* kSupply = "circuit.supply_voltage";
constexpr const char* kFurtherTemperatures = "circuit.further_temperatures";
constexpr const char* kFurtherSupplies = "circuit.further_supply_voltages";

bool same(double a, double b) { return std::fabs(a - b) <= 1e-9 * std::max(std::fabs(a), std::fabs(b)); }

/// The nominal value with those of the list, ascending, each once.
std::vector<double> axis(const Settings& s, const char* nominal, const char* further) {
  std::vector<double> values{s.number(nominal)};
  if (s.has(further))
    for (const double v : s.numbers(further))
      if (std::ranges::none_of(values, [&](double other) { return same(other, v); })) values.push_back(v);
  std::ranges::sort(values);
  return values;
}

/// Keys whose voltages are rails when they equal the supply.
std::vector<std::string> rail_keys(const Settings& s) {
  std::vector<std::string> keys{"circuit.input.high", "array.precharge_voltage"};
  if (s.text("circuit.input.encoding") == "voltage") keys.emplace_back("circuit.input.levels");
  const std::string& store = s.text("circuit.weight.store");
  if (store == "node_voltage" || store == "pin_voltage") keys.emplace_back("circuit.weight.levels");
  for (std::size_t i = 0; i < s.count("circuit.tied_pin"); ++i)
    keys.push_back(fmt::format("circuit.tied_pin[{}].voltage", i));
  for (std::size_t i = 0; i < s.count("circuit.driven_pin"); ++i)
    keys.push_back(fmt::format("circuit.driven_pin[{}].voltages", i));
  return keys;
}

}  // namespace

std::string to_string(const OperatingPoint& p) {
  const std::string celsius = fmt::format("{:.6g} degC", p.temperature_kelvin - kZeroCelsiusKelvin);
  return p.supply_volts == 0.0 ? celsius : fmt::format("{}, {:.6g} V", celsius, p.supply_volts);
}

std::vector<OperatingPoint> operating_points(const Settings& s) {
  std::vector<OperatingPoint> points{{s.number(kTemperature), s.number(kSupply)}};
  for (const double kelvin : axis(s, kTemperature, kFurtherTemperatures))
    for (const double volts : axis(s, kSupply, kFurtherSupplies))
      if (const OperatingPoint point{kelvin, volts}; point != points.front()) points.push_back(point);
  return points;
}

Settings at_operating_point(const Settings& settings, const OperatingPoint& point) {
  Settings s = settings;
  const double nominal = s.number(kSupply);
  const bool supply_varies = s.has(kFurtherSupplies);
  s.remove(kFurtherTemperatures);
  s.remove(kFurtherSupplies);
  s.replace(kTemperature, {point.temperature_kelvin});
  s.replace(kSupply, {point.supply_volts});
  if (supply_varies) s.mark_given(kSupply);
  if (!s.has("circuit.supply_follows") || s.text("circuit.supply_follows") != "rails") return s;
  for (const auto& key : rail_keys(s)) {
    if (!s.has(key)) continue;
    std::vector<double> volts = s.numbers(key);
    for (double& v : volts)
      if (same(v, nominal)) v = point.supply_volts;
    s.replace(key, std::move(volts));
  }
  return s;
}

OperatingPoint hardware_operating_point(const Settings& s) {
  OperatingPoint point{s.number(kTemperature), s.number(kSupply)};
  if (s.has("hardware.temperature")) point.temperature_kelvin = s.number("hardware.temperature");
  if (s.has("hardware.supply_voltage")) point.supply_volts = s.number("hardware.supply_voltage");
  return point;
}

}  // namespace errata
