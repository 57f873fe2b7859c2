#include "core/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/random_stream.h"
#include "tests/support/statistical.h"

namespace errata {
namespace {

using testing::agrees;

std::vector<double> normal_sample(std::uint64_t which, std::size_t n, double center, double sigma) {
  RandomStream stream(11, StreamPurpose::kTest, which);
  std::vector<double> values(n);
  for (double& v : values) v = center + sigma * stream.normal();
  return values;
}

/// Share of `trials` samples whose interval covers the truth; its standard error is sqrt(p(1 − p)/trials).
template <typename Interval_of>
double coverage(std::size_t trials, double truth, Interval_of&& interval_of) {
  std::size_t hits = 0;
  for (std::size_t t = 0; t < trials; ++t) hits += interval_of(t).contains(truth) ? 1 : 0;
  return static_cast<double>(hits) / static_cast<double>(trials);
}

TEST(Moments, OfKnownNumbers) {
  const std::vector<double> v = {1, 2, 3, 4};
  EXPECT_DOUBLE_EQ(mean(v), 2.5);
  EXPECT_DOUBLE_EQ(variance(v), 5.0 / 3);
  EXPECT_DOUBLE_EQ(standard_deviation(v), std::sqrt(5.0 / 3));
  EXPECT_DOUBLE_EQ(root_mean_square(v), std::sqrt(7.5));
}

TEST(Quantile, InterpolatesBetweenOrderStatistics) {
  const std::vector<double> v = {4, 1, 3, 2};
  EXPECT_DOUBLE_EQ(quantile(v, 0), 1);
  EXPECT_DOUBLE_EQ(quantile(v, 1), 4);
  EXPECT_DOUBLE_EQ(quantile(v, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(quantile(v, 0.1), 1.3);  // type 7, as numpy.quantile
  const std::vector<double> one = {5};
  EXPECT_DOUBLE_EQ(quantile(one, 0.3), 5);
}

TEST(TextbookQuantiles, AreMet) {
  EXPECT_NEAR(student_t_quantile(0.975, 4), 2.7764451, 1e-7);
  EXPECT_NEAR(normal_quantile(0.975), 1.959963985, 1e-9);
  EXPECT_NEAR(normal_cdf(1.959963985), 0.975, 1e-9);
}

// Coverage over 4000 samples: standard error 0.0034 at 95 %, false-alarm probability 1e-4 each.
TEST(MeanInterval, CoversAsPromised) {
  const double c =
      coverage(4000, 3.0, [](std::size_t t) { return mean_interval(normal_sample(t, 5, 3.0, 2.0), 0.95); });
  EXPECT_TRUE(agrees(c, 0.95, std::sqrt(0.95 * 0.05 / 4000), 1e-4));
}

TEST(StandardDeviationInterval, CoversAsPromised) {
  const double c = coverage(
      4000, 2.0, [](std::size_t t) { return standard_deviation_interval(normal_sample(t, 6, 3.0, 2.0), 0.9); });
  EXPECT_TRUE(agrees(c, 0.9, std::sqrt(0.9 * 0.1 / 4000), 1e-4));
}

TEST(ProportionInterval, CoversAboutAsPromised) {
  // Wilson's interval is right on average over p, off by a percent or so at one p: 0.01 beside the 1e-4 false alarms.
  const double c = coverage(4000, 0.3, [](std::size_t t) {
    RandomStream stream(12, StreamPurpose::kTest, t);
    std::size_t successes = 0;
    for (int i = 0; i < 100; ++i) successes += stream.uniform() < 0.3 ? 1 : 0;
    return proportion_interval(successes, 100, 0.95);
  });
  EXPECT_NEAR(c, 0.95, 0.01 + 3.9 * std::sqrt(0.95 * 0.05 / 4000));
  const Interval none = proportion_interval(0, 10, 0.95);
  EXPECT_NEAR(none.low, 0.0, 1e-15);     // z²/2n − z²/2n, each rounded
  EXPECT_NEAR(none.high, 0.2775, 1e-4);  // z²/(n + z²)
  EXPECT_EQ(proportion_interval(10, 10, 0.95).high, 1.0);
}

TEST(Jackknife, OfAMeanIsTheMeanInterval) {
  const std::vector<double> v = normal_sample(1, 9, 1.0, 1.0);
  std::vector<double> leave_out;
  for (std::size_t i = 0; i < v.size(); ++i) leave_out.push_back((mean(v) * 9 - v[i]) / 8);
  const Interval a = jackknife_interval(mean(v), leave_out, 0.95), b = mean_interval(v, 0.95);
  EXPECT_NEAR(a.low, b.low, 1e-12);  // identical in exact arithmetic
  EXPECT_NEAR(a.high, b.high, 1e-12);
}

TEST(Jackknife, CoversForAStandardDeviation) {
  // 40 groups: the jackknife's own bias is of order 1/40, hence 0.02 beside the 1e-4 false alarms.
  const double c = coverage(1500, 2.0, [](std::size_t t) {
    const auto v = normal_sample(t, 40, 0.0, 2.0);
    std::vector<double> leave_out;
    for (std::size_t i = 0; i < v.size(); ++i) {
      std::vector<double> rest = v;
      rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(i));
      leave_out.push_back(standard_deviation(rest));
    }
    return jackknife_interval(standard_deviation(v), leave_out, 0.95);
  });
  EXPECT_NEAR(c, 0.95, 0.02 + 3.9 * std::sqrt(0.95 * 0.05 / 1500));
}

TEST(Bootstrap, IsPureAndCoversForAMean) {
  const auto interval_of = [](std::size_t t, std::uint64_t seed) {
    const auto v = normal_sample(t, 40, 1.0, 1.0);
    return bootstrap_interval(
        v.size(),
        [&](std::span<const std::uint32_t> chosen) {
          double sum = 0;
          for (const auto i : chosen) sum += v[i];
          return sum / static_cast<double>(chosen.size());
        },
        0.95, 200, seed);
  };
  const Interval a = interval_of(0, 5), b = interval_of(0, 5), other = interval_of(0, 6);
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
  EXPECT_NE(a.low, other.low);
  EXPECT_DOUBLE_EQ(a.estimate, mean(normal_sample(0, 40, 1.0, 1.0)));
  // The percentile bootstrap of 40 units is short by about 1.5 %, and 200 resamples cost as much: 0.03 beside 1e-4.
  const double c = coverage(1500, 1.0, [&](std::size_t t) { return interval_of(t, t); });
  EXPECT_NEAR(c, 0.95, 0.03 + 3.9 * std::sqrt(0.95 * 0.05 / 1500));
}

TEST(Wasserstein1, OfKnownCases) {
  const std::vector<double> a = {0, 1, 3}, shifted = {5, 6, 8}, one = {2}, twice = {0, 0, 1, 1, 3, 3};
  EXPECT_DOUBLE_EQ(wasserstein1(a, a), 0);
  EXPECT_DOUBLE_EQ(wasserstein1(a, shifted), 5);
  EXPECT_DOUBLE_EQ(wasserstein1(a, one), (2 + 1 + 1) / 3.0);
  EXPECT_NEAR(wasserstein1(a, twice), 0, 1e-15);  // the same distribution
  const std::vector<double> unsorted = {3, 0, 1}, three = {0, 2, 4}, two = {1, 3};
  EXPECT_DOUBLE_EQ(wasserstein1(unsorted, a), 0);
  // F⁻¹ of {0,2,4} and {1,3} differ by 1 on all of (0, 1)
  EXPECT_DOUBLE_EQ(wasserstein1(three, two), 1);
}

TEST(Wasserstein1, OfTwoNormalsIsTheirShift) {
  const auto a = normal_sample(1, 20000, 0, 1), b = normal_sample(2, 20000, 0.5, 1);
  // Standard error of the mean difference is 0.01; false-alarm probability 1e-4.
  EXPECT_TRUE(agrees(wasserstein1(a, b), 0.5, 0.01, 1e-4));
}

}  // namespace
}  // namespace errata
