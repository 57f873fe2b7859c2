#pragma once

#include <cstdint>
#include <vector>

#include "core/statistics.h"

namespace errata::verification {

/// Two independent samples over chips; `a` and `b` may have different sizes. Samples of one call share their chips:
/// entry k of every `a` belongs to the same chip.
struct TwoSample {
  std::vector<double> a, b;
};

/// mean(a) − mean(b) of every pair with simultaneous intervals: bootstrap over chips with the maximum of the
/// studentised deviations over all pairs (methods.md §6). All intervals hold together with the given confidence.
std::vector<Interval> simultaneous_differences(const std::vector<TwoSample>& samples, double confidence,
                                               std::size_t resamples, std::uint64_t seed);

}  // namespace errata::verification
