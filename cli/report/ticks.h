#pragma once

#include <span>
#include <string>
#include <vector>

namespace errata::report {

/// Marks of an axis: round values and their labels, all with the same decimals.
struct Ticks {
  std::vector<double> value;
  std::vector<std::string> label;
};

/// About `wanted` multiples of 1, 2 or 5 times a power of ten that lie in [low, high]; at least two, unless the range
/// is empty or not finite.
Ticks nice_ticks(double low, double high, int wanted);

/// The smallest range of an axis.
struct Range {
  double low = 0.0, high = 0.0;
  bool empty = true;
  /// Widens the range to hold a finite value; ignores others.
  void include(double value);
  /// The range with a margin on both sides; never of zero width.
  Range padded(double fraction) const;
  double width() const { return high - low; }
};

/// From zero to a little above the largest of some values that are not negative.
Range from_zero(std::span<const double> values);

}  // namespace errata::report
