#include "core/statistics.h"

#include <algorithm>
#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <numeric>

#include "core/random_stream.h"

namespace errata {

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double variance(std::span<const double> values) {
  const double center = mean(values);
  double sum = 0.0;
  for (const double v : values) sum += (v - center) * (v - center);
  return sum / static_cast<double>(values.size() - 1);
}

double standard_deviation(std::span<const double> values) { return std::sqrt(variance(values)); }

double root_mean_square(std::span<const double> values) {
  double sum = 0.0;
  for (const double v : values) sum += v * v;
  return std::sqrt(sum / static_cast<double>(values.size()));
}

double quantile(std::span<const double> values, double p) {
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  const double at = p * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

double normal_quantile(double p) { return inverse_normal(p); }
double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

double student_t_quantile(double p, double degrees_of_freedom) {
  return boost::math::quantile(boost::math::students_t(degrees_of_freedom), p);
}

Interval mean_interval(std::span<const double> values, double confidence) {
  const double center = mean(values);
  if (values.size() < 2) return {center, center, center};
  const double n = static_cast<double>(values.size());
  const double half = student_t_quantile(0.5 + confidence / 2, n - 1) * std::sqrt(variance(values) / n);
  return {center, center - half, center + half};
}

Interval standard_deviation_interval(std::span<const double> values, double confidence) {
  const double n = static_cast<double>(values.size()), v = variance(values);
  const boost::math::chi_squared chi(n - 1);
  return {std::sqrt(v), std::sqrt(v * (n - 1) / boost::math::quantile(chi, 0.5 + confidence / 2)),
          std::sqrt(v * (n - 1) / boost::math::quantile(chi, 0.5 - confidence / 2))};
}

Interval proportion_interval(std::size_t successes, std::size_t trials, double confidence) {
  const double n = static_cast<double>(trials), p = static_cast<double>(successes) / n;
  const double z = normal_quantile(0.5 + confidence / 2), z2 = z * z;
  const double center = (p + z2 / (2 * n)) / (1 + z2 / n);
  const double half = z / (1 + z2 / n) * std::sqrt(p * (1 - p) / n + z2 / (4 * n * n));
  return {p, std::max(0.0, center - half), std::min(1.0, center + half)};
}

Interval jackknife_interval(double all, std::span<const double> leave_out, double confidence) {
  const double n = static_cast<double>(leave_out.size()), center = mean(leave_out);
  double sum = 0.0;
  for (const double v : leave_out) sum += (v - center) * (v - center);
  const double half = student_t_quantile(0.5 + confidence / 2, n - 1) * std::sqrt((n - 1) / n * sum);
  return {all, all - half, all + half};
}

Interval bootstrap_interval(std::size_t units, const std::function<double(std::span<const std::uint32_t>)>& statistic,
                            double confidence, std::size_t resamples, std::uint64_t seed) {
  std::vector<std::uint32_t> chosen(units);
  std::iota(chosen.begin(), chosen.end(), 0u);
  const double all = statistic(chosen);
  std::vector<double> values(resamples);
  for (std::size_t r = 0; r < resamples; ++r) {
    RandomStream stream(seed, StreamPurpose::kBootstrap, r);
    for (auto& c : chosen) c = static_cast<std::uint32_t>(stream.below(units));
    values[r] = statistic(chosen);
  }
  return {all, quantile(values, 0.5 - confidence / 2), quantile(values, 0.5 + confidence / 2)};
}

double wasserstein1(std::span<const double> a, std::span<const double> b) {
  std::vector<double> x(a.begin(), a.end()), y(b.begin(), b.end());
  std::sort(x.begin(), x.end());
  std::sort(y.begin(), y.end());
  // ∫ |F⁻¹(u) − G⁻¹(u)| du over the merged steps of both empirical distribution functions.
  double distance = 0.0, u = 0.0;
  std::size_t i = 0, j = 0;
  while (i < x.size() && j < y.size()) {
    const double next_x = static_cast<double>(i + 1) / x.size(), next_y = static_cast<double>(j + 1) / y.size();
    const double next = std::min(next_x, next_y);
    distance += (next - u) * std::fabs(x[i] - y[j]);
    u = next;
    if (next_x <= next) ++i;
    if (next_y <= next) ++j;
  }
  return distance;
}

}  // namespace errata
