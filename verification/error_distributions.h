#pragma once

#include <cstdint>
#include <vector>

#include "core/statistics.h"
#include "verification/verdict.h"

namespace errata::verification {

/// Errors of many conversions on many chips, with one read each.
struct SampledConversions {
  std::vector<double> y, error;       ///< error with one read's noise, MAC units
  std::vector<double> offset, sigma;  ///< noise-free error and read σ, MAC units
  std::vector<std::uint32_t> chip;    ///< 0 … chips − 1
  std::size_t chips = 0;
};

/// The error distributions of two samples over different chips, bin by bin of y (methods.md §6.2).
struct DistributionComparison {
  std::vector<BinComparison> bins;
  std::vector<double> floor;  ///< Wasserstein-1 of each bin that chance alone gives, MAC units
  /// By how much chance moves each bin's distance, [bins][resamples]; the same chips in every bin. MAC units.
  std::vector<std::vector<double>> chance;

  /// 95 % interval of a bin's distance, of this bin alone.
  Interval distance(std::size_t bin) const;
  /// Share of the conversions in bins that agree, with its 95 % interval over chips. `times`: with how many times as
  /// many chips, the distances staying where they are.
  Interval agreeing(double times) const;
};

/// Wasserstein-1 distances with what chance does to them: a multiplier bootstrap over chips, ∫|F_a − F_b + chance| less
/// ∫|F_a − F_b|. A bin agrees when its observed distance is at most max(0.1 σ, 3 floors), and may when its interval
/// reaches 0.1 σ.
DistributionComparison compare_distributions(const SampledConversions& model, const SampledConversions& table,
                                             std::uint64_t seed);

}  // namespace errata::verification
