#include "verification/simultaneous.h"

#include <algorithm>
#include <cmath>

#include "core/random_stream.h"

namespace errata::verification {

std::vector<Interval> simultaneous_differences(const std::vector<TwoSample>& samples, double confidence,
                                               std::size_t resamples, std::uint64_t seed) {
  if (samples.empty()) return {};
  const std::size_t na = samples[0].a.size(), nb = samples[0].b.size();
  std::vector<double> difference, error;
  for (const auto& s : samples) {
    difference.push_back(mean(s.a) - mean(s.b));
    error.push_back(std::sqrt(variance(s.a) / static_cast<double>(na) + variance(s.b) / static_cast<double>(nb)));
  }
  std::vector<double> largest(resamples, 0.0);
  for (std::size_t r = 0; r < resamples; ++r) {
    RandomStream stream(seed, StreamPurpose::kBootstrap, r, 1);
    std::vector<std::uint32_t> ia(na), ib(nb);
    for (auto& i : ia) i = static_cast<std::uint32_t>(stream.below(na));
    for (auto& i : ib) i = static_cast<std::uint32_t>(stream.below(nb));
    for (std::size_t k = 0; k < samples.size(); ++k) {
      double sa = 0, saa = 0, sb = 0, sbb = 0;
      for (const auto i : ia) sa += samples[k].a[i], saa += samples[k].a[i] * samples[k].a[i];
      for (const auto i : ib) sb += samples[k].b[i], sbb += samples[k].b[i] * samples[k].b[i];
      const double ma = sa / static_cast<double>(na), mb = sb / static_cast<double>(nb);
      const double va = (saa - sa * ma) / static_cast<double>(na - 1),
                   vb = (sbb - sb * mb) / static_cast<double>(nb - 1);
      const double own = std::sqrt(std::max(0.0, va / static_cast<double>(na) + vb / static_cast<double>(nb)));
      if (own > 0.0) largest[r] = std::max(largest[r], std::fabs(ma - mb - difference[k]) / own);
    }
  }
  const double factor = quantile(largest, confidence);
  std::vector<Interval> intervals;
  for (std::size_t k = 0; k < samples.size(); ++k)
    intervals.push_back({difference[k], difference[k] - factor * error[k], difference[k] + factor * error[k]});
  return intervals;
}

}  // namespace errata::verification
