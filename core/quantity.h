#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace errata {

/// Exponents of metre, kilogram, second, ampere, kelvin.
struct Dimension {
  std::array<int, 5> exponents{};
  bool operator==(const Dimension&) const = default;
};

namespace dimension {
inline constexpr Dimension kNone{};
inline constexpr Dimension kLength{{1, 0, 0, 0, 0}};
inline constexpr Dimension kTime{{0, 0, 1, 0, 0}};
inline constexpr Dimension kCurrent{{0, 0, 0, 1, 0}};
inline constexpr Dimension kTemperature{{0, 0, 0, 0, 1}};
inline constexpr Dimension kVoltage{{2, 1, -3, -1, 0}};
inline constexpr Dimension kResistance{{2, 1, -3, -2, 0}};
inline constexpr Dimension kConductance{{-2, -1, 3, 2, 0}};
inline constexpr Dimension kCharge{{0, 0, 1, 1, 0}};
inline constexpr Dimension kVoltSecond{{2, 1, -2, -1, 0}};
inline constexpr Dimension kCapacitance{{-2, -1, 4, 2, 0}};
inline constexpr Dimension kFrequency{{0, 0, -1, 0, 0}};
inline constexpr Dimension kPower{{2, 1, -3, 0, 0}};
inline constexpr Dimension kVoltageLength{{3, 1, -3, -1, 0}};
}  // namespace dimension

/// A value in SI units with its dimension. Temperatures are in kelvin.
struct Quantity {
  double value = 0.0;
  Dimension dimension;
};

/// Reads "0.2 V", "100 kOhm", "2.5 mV um", "27 degC", "5 %". M is mega, m milli.
/// Empty when the text is not a finite number followed by known units. A bare number has no dimension.
std::optional<Quantity> parse_quantity(std::string_view text);

/// Text with an engineering prefix that reads back to within 1e-12, for example "100 kOhm".
std::string format_quantity(double value, const Dimension& dimension);

/// Symbol of a dimension's SI unit ("V", "Ohm", …; "1" for none; "?" where there is no short name).
std::string unit_symbol(const Dimension& dimension);

inline constexpr double kZeroCelsiusKelvin = 273.15;
inline constexpr double kBoltzmannJoulesPerKelvin = 1.380649e-23;
inline constexpr double kElementaryChargeCoulombs = 1.602176634e-19;

}  // namespace errata
