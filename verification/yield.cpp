#include "verification/yield.h"

#include <algorithm>
#include <cmath>

namespace errata::verification {

Interval yield_at(std::span<const double> accuracy, double threshold) {
  const auto passing = static_cast<std::size_t>(
      std::count_if(accuracy.begin(), accuracy.end(), [&](double a) { return a >= threshold; }));
  return proportion_interval(passing, accuracy.size(), 0.95);
}

std::vector<YieldPoint> yield_curve(std::span<const double> accuracy) {
  std::vector<double> steps(accuracy.begin(), accuracy.end());
  std::ranges::sort(steps);
  steps.erase(std::unique(steps.begin(), steps.end()), steps.end());
  std::vector<YieldPoint> curve;
  for (const double a : steps) curve.push_back({a, yield_at(accuracy, a)});
  return curve;
}

Interval quantile_interval(std::span<const double> values, double p, double confidence) {
  std::vector<double> sorted(values.begin(), values.end());
  std::ranges::sort(sorted);
  const auto n = sorted.size();
  // The number of values below the quantile is binomial(n, p): P(quantile < x_(l)) = P(B ≤ l − 1).
  const double tail = (1.0 - confidence) / 2.0, count = static_cast<double>(n);
  std::size_t low = 0, high = n - 1;
  double up_to = 0.0;
  for (std::size_t k = 0; k < n; ++k) {
    const auto b = static_cast<double>(k);
    up_to += std::exp(std::lgamma(count + 1) - std::lgamma(b + 1) - std::lgamma(count - b + 1) + b * std::log(p) +
                      (count - b) * std::log1p(-p));
    if (up_to <= tail) low = k;
    if (1.0 - up_to > tail) continue;
    high = k;
    break;
  }
  return {quantile(values, p), sorted[low], sorted[high]};
}

}  // namespace errata::verification
