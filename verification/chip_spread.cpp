#include "verification/chip_spread.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/random_stream.h"

namespace errata::verification {

namespace {

double covariance(std::span<const double> a, std::span<const double> b, std::span<const std::uint32_t> chosen) {
  const auto n = static_cast<double>(chosen.size());
  double mean_a = 0.0, mean_b = 0.0, sum = 0.0;
  for (const auto k : chosen) mean_a += a[k] / n, mean_b += b[k] / n;
  for (const auto k : chosen) sum += (a[k] - mean_a) * (b[k] - mean_b);
  return sum / (n - 1);
}

double spread_of(const TwoPasses& p, std::span<const std::uint32_t> chosen) {
  return std::sqrt(std::max(0.0, covariance(p.first, p.second, chosen)));
}

double ratio_of(double a, double b) {
  constexpr double kUnbounded = 1e3;
  if (a <= 0.0 && b <= 0.0) return 1.0;
  return b <= 0.0 ? kUnbounded : std::min(kUnbounded, a / b);
}

std::vector<std::uint32_t> all_of(std::size_t n) {
  std::vector<std::uint32_t> chosen(n);
  for (std::size_t k = 0; k < n; ++k) chosen[k] = static_cast<std::uint32_t>(k);
  return chosen;
}

}  // namespace

double chip_spread(const TwoPasses& p) { return spread_of(p, all_of(p.first.size())); }

Interval chip_spread_ratio(const TwoPasses& a, const TwoPasses& b, double level, int resamples, std::uint64_t seed) {
  RandomStream stream(seed, StreamPurpose::kBootstrap, 3);
  std::vector<std::uint32_t> x(a.first.size()), y(b.first.size());
  std::vector<double> ratios;
  for (int r = 0; r < resamples; ++r) {
    for (auto& k : x) k = static_cast<std::uint32_t>(stream.below(x.size()));
    for (auto& k : y) k = static_cast<std::uint32_t>(stream.below(y.size()));
    ratios.push_back(ratio_of(spread_of(a, x), spread_of(b, y)));
  }
  return {ratio_of(chip_spread(a), chip_spread(b)), quantile(ratios, 0.5 * (1 - level)),
          quantile(ratios, 0.5 * (1 + level))};
}

}  // namespace errata::verification
