#pragma once

#include <string>
#include <vector>

#include "core/settings.h"

namespace errata {

/// Temperature and supply at which a circuit is simulated or a network runs.
struct OperatingPoint {
  double temperature_kelvin = 300.15;
  double supply_volts = 0.0;
  friend bool operator==(const OperatingPoint&, const OperatingPoint&) = default;
};

/// "85 degC", and the supply where it is known: "85 degC, 0.9 V".
std::string to_string(const OperatingPoint& point);

/// Operating points that the project characterises: the nominal one (circuit.temperature, circuit.supply_voltage), then
/// the rest of the grid with circuit.further_temperatures and circuit.further_supply_voltages, ascending.
std::vector<OperatingPoint> operating_points(const Settings& settings);

/// The project at one operating point alone. Where it tells circuit.supply_follows = "rails", voltages that equal
/// circuit.supply_voltage (inputs, stored nodes, tied and driven pins, precharge) move with the supply.
Settings at_operating_point(const Settings& settings, const OperatingPoint& point);

/// The operating point that [hardware] asks for; the nominal one where it does not say.
OperatingPoint hardware_operating_point(const Settings& settings);

}  // namespace errata
