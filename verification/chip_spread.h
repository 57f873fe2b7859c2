#pragma once

#include <span>

#include "core/statistics.h"

namespace errata::verification {

/// Accuracy of the same chips in two passes: the same static errors and images, fresh read noise.
struct TwoPasses {
  std::span<const double> first, second;
};

/// Spread over chips that is theirs and not the read noise's: the square root of the covariance of the two passes
/// (0 where that is negative). Unbiased in the square whatever the read noise of each chip
/// (docs/design/decisions/0006).
double chip_spread(const TwoPasses& passes);

/// Ratio of two such spreads, a / b, with an interval bootstrapped over chips. Where neither can be told from 0 the
/// interval is wide; it is never narrower than the chips can tell.
Interval chip_spread_ratio(const TwoPasses& a, const TwoPasses& b, double level, int resamples, std::uint64_t seed);

}  // namespace errata::verification
