#include "errormodel/estimation/variance_interval.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/random_stream.h"
#include "errormodel/estimation/read_memory.h"
#include "tests/support/statistical.h"

namespace errata::errormodel {
namespace {

constexpr int kDraws = 4000;
constexpr double kFalseAlarm = 1e-5;

/// Share of draws within 0.95, as the binomial distribution allows.
::testing::AssertionResult covers(int covered) {
  return testing::agrees(static_cast<double>(covered) / kDraws, 0.95, std::sqrt(0.95 * 0.05 / kDraws), kFalseAlarm);
}

double chi_square(RandomStream& stream, int freedom) {
  double sum = 0.0;
  for (int k = 0; k < freedom; ++k) sum += std::pow(stream.normal(), 2);
  return sum;
}

TEST(VarianceInterval, CoversAComponentAboveAFloorOfSampling) {
  // (component + floor) χ²/ν − floor, as a moment estimate of Σ_C is; also with the component at zero.
  constexpr int kFreedom = 39;
  for (const double component : {0.0, 0.02, 0.3}) {
    const double floor = 0.05, total = component + floor, variance = 2 * total * total / kFreedom;
    int covered = 0;
    RandomStream stream(3, StreamPurpose::kTest, static_cast<std::uint64_t>(1000 * component));
    for (int k = 0; k < kDraws; ++k) {
      const double estimate = total * chi_square(stream, kFreedom) / kFreedom - floor;
      covered += variance_interval(estimate, component, variance, kFreedom).contains(component);
    }
    EXPECT_TRUE(covers(covered)) << component;
  }
}

TEST(CovarianceInterval, CoversTheCovarianceOfTwoCoefficients) {
  constexpr int kFreedom = 39;
  const double correlation = 0.4;
  int covered = 0;
  for (int k = 0; k < kDraws; ++k) {
    RandomStream stream(4, StreamPurpose::kTest, static_cast<std::uint64_t>(k));
    double sum = 0.0, difference = 0.0;
    for (int n = 0; n < kFreedom; ++n) {
      const double x = stream.normal(),
                   y = correlation * x + std::sqrt(1 - correlation * correlation) * stream.normal();
      sum += (x + y) * (x + y) / kFreedom, difference += (x - y) * (x - y) / kFreedom;
    }
    const auto one = [&](double v) { return variance_interval(v, v, 2 * v * v / kFreedom, kFreedom); };
    covered += covariance_interval(one(sum), one(difference), 0.25).contains(correlation);
  }
  // The method is an approximation: within one point of 95 % beside the binomial error.
  EXPECT_NEAR(static_cast<double>(covered) / kDraws, 0.95, 0.01 + 4.5 * std::sqrt(0.95 * 0.05 / kDraws));
}

TEST(StudentInterval, TakesTheWiderOfModelAndScatter) {
  const Interval model = student_interval(1.0, {0.04, 0.01}, 39), scatter = student_interval(1.0, {0.01, 0.04}, 39);
  EXPECT_NEAR(model.high - 1.0, 1.95996 * 0.2, 1e-4);
  EXPECT_NEAR(scatter.high - 1.0, 2.02269 * 0.2, 1e-4);
}

/// Reads of operands on chips: white noise, and parts with a memory.
struct Reads {
  std::size_t chips = 20, operands = 60, reads = 16;
  std::vector<double> value;
  RepeatedReads all() const { return {value, chips, reads}; }
};

template <class Series>
Reads reads_of(std::uint64_t which, const Series& series) {
  Reads r;
  for (std::size_t p = 0; p < r.chips * r.operands; ++p) {
    RandomStream stream(5, StreamPurpose::kTest, which, p);
    const auto one = series(stream, r.reads);
    r.value.insert(r.value.end(), one.begin(), one.end());
  }
  return r;
}

std::vector<double> autoregressive(RandomStream& stream, std::size_t n, double rho, double sigma) {
  std::vector<double> x{sigma * stream.normal()};
  while (x.size() < n) x.push_back(rho * x.back() + sigma * std::sqrt(1 - rho * rho) * stream.normal());
  return x;
}

TEST(ReadMemory, WhiteNoiseHasNone) {
  // The interval of the first correlation holds 0 in 95 % of cases; five seeds, of which at most two may miss: 1e-3.
  int none = 0;
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const Reads r = reads_of(10 + seed, [](RandomStream& s, std::size_t n) { return autoregressive(s, n, 0.0, 0.5); });
    none += read_memory(r.all()).kind == MemoryKind::kNone;
  }
  EXPECT_GE(none, 3);
}

TEST(ReadMemory, AutoregressivePartBesideWhiteNoise) {
  const Reads r = reads_of(20, [](RandomStream& s, std::size_t n) {
    auto x = autoregressive(s, n, 0.8, 0.4);
    for (double& v : x) v += 0.3 * s.normal();
    return x;
  });
  const ReadMemory m = read_memory(r.all());
  EXPECT_EQ(m.kind, MemoryKind::kAutoregressive);
  const double total = 0.25, share = 0.16 / total;
  EXPECT_NEAR(read_correlation(m, 1), share * 0.8, 0.05);  // about 0.01 by chance from 19,200 reads; the fit is coarser
  EXPECT_NEAR(read_correlation(m, 8), share * std::pow(0.8, 8), 0.06);
  double observed = 0.0;
  for (const double v : read_variances(r.all())) observed += v / static_cast<double>(r.chips * r.operands);
  EXPECT_NEAR(observed * variance_correction(m, r.reads), total, 0.05 * total);
}

TEST(ReadMemory, OneOverF) {
  const Reads r = reads_of(30, [](RandomStream& s, std::size_t n) {
    std::vector<double> x(n, 0.0);
    for (int octave = 0; octave < 8; ++octave) {
      const auto part = autoregressive(s, n, std::exp(-std::ldexp(1.0, -octave)), 1.0);
      for (std::size_t k = 0; k < n; ++k) x[k] += part[k] / std::sqrt(8.0);
    }
    return x;
  });
  const ReadMemory m = read_memory(r.all());
  EXPECT_EQ(m.kind, MemoryKind::kOneOverF);
  EXPECT_GT(m.share, 0.8);
}

TEST(ReadMemory, FewerThanEightReadsCannotTell) {
  Reads r = reads_of(40, [](RandomStream& s, std::size_t n) { return autoregressive(s, n, 0.9, 0.5); });
  r.value.resize(r.chips * r.operands * 4);
  r.reads = 4;
  EXPECT_EQ(read_memory(r.all()).kind, MemoryKind::kNone);
}

}  // namespace
}  // namespace errata::errormodel
