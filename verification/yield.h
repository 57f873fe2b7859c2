#pragma once

#include <span>
#include <vector>

#include "core/statistics.h"

namespace errata::verification {

/// Fraction of chips at or above an accuracy.
struct YieldPoint {
  double accuracy = 0.0;  ///< in percent
  Interval fraction;      ///< Wilson's 95 % interval
};

/// Yield at one accuracy; at least one chip.
Interval yield_at(std::span<const double> accuracy, double threshold);

/// At every accuracy that a chip has, ascending.
std::vector<YieldPoint> yield_curve(std::span<const double> accuracy);

/// Quantile over independent units with a distribution-free interval from order statistics: its ends are those two
/// values between which the quantile lies with at least the given confidence, or the extremes where there are too few
/// units.
Interval quantile_interval(std::span<const double> values, double p, double confidence);

}  // namespace errata::verification
