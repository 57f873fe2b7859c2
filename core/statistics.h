#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace errata {

/// An estimate with its two-sided confidence interval; all in the unit of the estimate.
struct Interval {
  double estimate = 0.0;
  double low = 0.0;
  double high = 0.0;
  bool contains(double value) const { return low <= value && value <= high; }
};

double mean(std::span<const double> values);
/// Unbiased sample variance; at least two values.
double variance(std::span<const double> values);
double standard_deviation(std::span<const double> values);
double root_mean_square(std::span<const double> values);

/// Quantile by linear interpolation between order statistics (type 7 of Hyndman and Fan); 0 ≤ p ≤ 1.
double quantile(std::span<const double> values, double p);

/// Student-t interval of the mean of independent values.
Interval mean_interval(std::span<const double> values, double confidence);

/// Chi-square interval of the standard deviation of independent normal values.
Interval standard_deviation_interval(std::span<const double> values, double confidence);

/// Wilson score interval of a proportion.
Interval proportion_interval(std::size_t successes, std::size_t trials, double confidence);

/// Delete-one-group jackknife: `leave_out(g)` is the estimate without group g, `all` the full estimate.
/// Student-t interval with groups − 1 degrees of freedom.
Interval jackknife_interval(double all, std::span<const double> leave_out, double confidence);

/// Percentile bootstrap over independent units: `statistic` gets the indices of one resample.
Interval bootstrap_interval(std::size_t units, const std::function<double(std::span<const std::uint32_t>)>& statistic,
                            double confidence, std::size_t resamples, std::uint64_t seed);

/// Wasserstein-1 distance of two samples, in their unit.
double wasserstein1(std::span<const double> a, std::span<const double> b);

/// Two-sided quantile factors.
double normal_quantile(double p);
double student_t_quantile(double p, double degrees_of_freedom);
/// Standard normal distribution function.
double normal_cdf(double x);

}  // namespace errata
