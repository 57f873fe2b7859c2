#pragma once

#include <string>
#include <string_view>

#include "core/statistics.h"

namespace errata::report {

/// Text made safe for HTML and XML content and for quoted attributes; control characters that XML forbids and bytes
/// that are no UTF-8 become U+FFFD.
std::string escape(std::string_view text);

/// A number for people: `digits` significant digits, a true minus sign, powers of ten as 1.2×10⁻⁵; "n/a" unless finite.
std::string number(double value, int digits = 3);
/// The same with a fixed number of decimals.
std::string fixed(double value, int decimals);

/// "0.12 [0.10, 0.14]", decimals chosen so that the interval's width has two significant digits.
std::string with_interval(const Interval& interval);
/// "95.32 [94.90, 95.71]".
std::string with_interval(const Interval& interval, int decimals);

/// First twelve characters of a hash in <code> with the whole hash as its title.
std::string short_hash(std::string_view hash);

/// "1 check", "3 checks".
std::string counted(std::size_t count, std::string_view noun);

/// Scale of an axis in SI units: what to multiply with, and the unit with its prefix.
struct UnitScale {
  double factor = 1.0;
  std::string unit;
};
/// Prefix that brings `largest` between 1 and 1000; none for zero.
UnitScale unit_scale(double largest, std::string_view unit);

/// "5.86 µA".
std::string quantity(double value, std::string_view unit, int digits = 3);

}  // namespace errata::report
