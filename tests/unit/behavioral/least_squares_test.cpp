#include "behavioral/fitting/least_squares.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "core/random_stream.h"
#include "tests/support/expect_error.h"
#include "tests/support/statistical.h"

namespace errata::behavioral {
namespace {

/// y = a·exp(−b·x) + c at twenty points.
struct Decay {
  static constexpr std::size_t kPoints = 20;
  std::vector<double> truth{2.0, 0.7, 0.5}, y;

  static double x(std::size_t i) { return 0.3 * static_cast<double>(i); }
  static double value(std::span<const double> p, std::size_t i) { return p[0] * std::exp(-p[1] * x(i)) + p[2]; }

  explicit Decay(double sigma, std::uint64_t seed = 1) {
    RandomStream stream(seed, StreamPurpose::kTest, 5);
    for (std::size_t i = 0; i < kPoints; ++i) y.push_back(value(truth, i) + sigma * stream.normal());
  }
  LeastSquaresProblem problem() const {
    LeastSquaresProblem p{.parameters = 3};
    p.measured = y;
    p.residuals = [measured = y](std::span<const double> b) {
      std::vector<double> r;
      for (std::size_t i = 0; i < kPoints; ++i) r.push_back(value(b, i) - measured[i]);
      return r;
    };
    p.jacobian = [](std::span<const double> b) {
      std::vector<double> j;
      for (std::size_t i = 0; i < kPoints; ++i) {
        const double e = std::exp(-b[1] * x(i));
        j.insert(j.end(), {e, -b[0] * x(i) * e, 1.0});
      }
      return j;
    };
    return p;
  }
};

const std::vector<double> kStart{1.0, 1.0, 0.0};

TEST(LeastSquares, RecoversExactData) {
  const Decay data(0.0);
  for (const Derivatives derivatives : {Derivatives::kAnalytic, Derivatives::kNumeric}) {
    const auto fit = fit_least_squares(data.problem(), kStart, {.derivatives = derivatives});
    EXPECT_TRUE(fit.converged) << fit.full();
    for (std::size_t j = 0; j < 3; ++j) EXPECT_NEAR(fit.parameters[j].value, data.truth[j], 1e-8);
    EXPECT_LT(fit.rms, 1e-9);
    EXPECT_NEAR(fit.r_squared.value(), 1, 1e-12);
  }
}

TEST(LeastSquares, FiguresAreThoseOfTheResiduals) {
  const Decay data(0.05);
  const auto problem = data.problem();
  const auto fit = fit_least_squares(problem, kStart);
  ASSERT_TRUE(fit.converged);
  const auto r = problem.residuals(fit.values());
  EXPECT_EQ(fit.residuals, r);
  double square = 0, sum = 0, largest = 0, total = 0;
  for (const double v : r) {
    square += v * v;
    sum += v;
    largest = std::max(largest, std::fabs(v));
  }
  for (const double v : data.y) total += std::pow(v - mean(data.y), 2);
  EXPECT_NEAR(fit.sum_of_squares, square, 1e-15);
  EXPECT_NEAR(fit.rms, std::sqrt(square / 20), 1e-15);
  EXPECT_NEAR(fit.bias, sum / 20, 1e-15);
  EXPECT_EQ(fit.maximum, largest);
  EXPECT_NEAR(fit.r_squared.value(), 1 - square / total, 1e-12);
  EXPECT_EQ(fit.degrees_of_freedom, 17u);
  EXPECT_NEAR(fit.residual_sigma, std::sqrt(square / 17), 1e-15);
  EXPECT_NE(fit.brief().find("converged after"), std::string::npos);
  const std::vector<std::string> names{"amplitude", "rate", "offset"};
  EXPECT_NE(fit.full(names).find("rate"), std::string::npos);
}

TEST(LeastSquares, StraightLineHasTextbookErrors) {
  // y = a + b x: var b = σ²/Σ(x − mean)², var a = σ²(1/n + mean²/Σ(x − mean)²), cov = −mean var b.
  const std::vector<double> x{1, 2, 4, 5, 9}, y{2.1, 2.9, 5.2, 5.8, 10.3};
  LeastSquaresProblem p{.parameters = 2};
  p.residuals = [&](std::span<const double> b) {
    std::vector<double> r;
    for (std::size_t i = 0; i < x.size(); ++i) r.push_back(b[0] + b[1] * x[i] - y[i]);
    return r;
  };
  const auto fit = fit_least_squares(p, std::vector{0.0, 0.0}, {.confidence = 0.9});
  double middle = mean(x), spread = 0, product = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    spread += std::pow(x[i] - middle, 2);
    product += (x[i] - middle) * y[i];
  }
  const double slope = product / spread;
  EXPECT_NEAR(fit.parameters[1].value, slope, 1e-10);  // numeric derivatives: 1e-11
  EXPECT_NEAR(fit.parameters[0].value, mean(y) - slope * middle, 1e-10);
  const double var = fit.sum_of_squares / 3 / spread;
  EXPECT_NEAR(fit.parameters[1].standard_error, std::sqrt(var), 1e-9);
  EXPECT_NEAR(fit.covariance[1], -middle * var, 1e-9);
  EXPECT_NEAR(fit.covariance[0], fit.sum_of_squares / 3 / 5 + middle * middle * var, 1e-9);
  const double half = student_t_quantile(0.95, 3) * std::sqrt(var);
  EXPECT_NEAR(fit.parameters[1].interval.high, slope + half, 1e-9);
  EXPECT_FALSE(fit.r_squared.has_value());
}

TEST(LeastSquares, IntervalsHoldThePlantedParametersAtTheirRate) {
  // 400 fits of three parameters at 95 %: coverage is binomial; linearisation costs less than a tenth of a percent at
  // this noise. Each assertion fails with probability 1e-4 although all is well, over the choice of seeds.
  constexpr int kFits = 400;
  std::array<int, 3> inside{};
  double z = 0;
  for (int k = 0; k < kFits; ++k) {
    const Decay data(0.02, 1000 + static_cast<std::uint64_t>(k));
    const auto fit = fit_least_squares(data.problem(), kStart);
    ASSERT_TRUE(fit.converged);
    for (std::size_t j = 0; j < 3; ++j) inside[j] += fit.parameters[j].interval.contains(data.truth[j]) ? 1 : 0;
    z += (fit.parameters[1].value - data.truth[1]) / fit.parameters[1].standard_error;
  }
  for (const int count : inside)
    EXPECT_TRUE(testing::agrees(static_cast<double>(count) / kFits, 0.95, std::sqrt(0.95 * 0.05 / kFits), 1e-4));
  // Mean of kFits Student-t values with 17 degrees of freedom (variance 17/15).
  EXPECT_TRUE(testing::agrees(z / kFits, 0, std::sqrt(17.0 / 15 / kFits), 1e-4));
}

TEST(LeastSquares, RobustIntervalsHoldToo) {
  // One point in ten is off by fifty σ to either side; their interval is asymptotic, so coverage may be a little off:
  // between 0.90 and 0.99 with 300 fits fails by chance with a probability below 1e-4 at 0.95.
  constexpr int kFits = 300;
  int inside = 0;
  for (int k = 0; k < kFits; ++k) {
    Decay data(0.02, 5000 + static_cast<std::uint64_t>(k));
    RandomStream stream(static_cast<std::uint64_t>(k), StreamPurpose::kTest, 6);
    for (double& y : data.y)
      if (stream.uniform() < 0.1) y += stream.uniform() < 0.5 ? 1.0 : -1.0;
    const auto robust = fit_least_squares(data.problem(), kStart, {.loss = RobustLoss::kHuber, .loss_scale = 0.03});
    ASSERT_TRUE(robust.converged) << robust.full();
    inside += robust.parameters[2].interval.contains(data.truth[2]) ? 1 : 0;
  }
  EXPECT_GT(inside, 0.90 * kFits);
  EXPECT_LT(inside, 0.99 * kFits);
}

TEST(LeastSquares, LossesLeaveInliersAloneAndTameOutliers) {
  for (const RobustLoss loss : {RobustLoss::kHuber, RobustLoss::kSoftL1, RobustLoss::kCauchy}) {
    Decay data(0.005);
    const auto clean = fit_least_squares(data.problem(), kStart, {.loss = loss, .loss_scale = 1.0});
    const auto plain = fit_least_squares(data.problem(), kStart);
    for (std::size_t j = 0; j < 3; ++j) {
      EXPECT_NEAR(clean.parameters[j].value, plain.parameters[j].value, 1e-5);
      EXPECT_NEAR(clean.parameters[j].standard_error / plain.parameters[j].standard_error, 1, 1e-3);
    }
    data.y[3] += 5;  // a thousand σ
    const auto robust = fit_least_squares(data.problem(), kStart, {.loss = loss, .loss_scale = 0.02});
    EXPECT_TRUE(robust.converged) << robust.full();
    EXPECT_NEAR(robust.parameters[1].value, 0.7, 0.05);
    EXPECT_GT(std::fabs(fit_least_squares(data.problem(), kStart).parameters[1].value - 0.7), 0.1);
  }
}

TEST(LeastSquares, ABoundHoldsAndIsSaid) {
  const Decay data(0.01);
  auto problem = data.problem();
  problem.lower = {0, 0, 0.6};  // above the true offset
  problem.upper = {10, 10, 10};
  const auto fit = fit_least_squares(problem, std::vector{1.0, 1.0, 1.0});
  EXPECT_TRUE(fit.converged) << fit.full();
  EXPECT_EQ(fit.parameters[2].value, 0.6);
  EXPECT_TRUE(fit.parameters[2].at_bound);
  EXPECT_EQ(fit.parameters[2].standard_error, 0);
  EXPECT_FALSE(fit.parameters[0].at_bound);
  EXPECT_GT(fit.parameters[0].standard_error, 0);
  EXPECT_EQ(fit.degrees_of_freedom, 18u);
  // The same as the fit with the offset taken out of the problem.
  LeastSquaresProblem two{.parameters = 2};
  two.residuals = [&](std::span<const double> b) { return problem.residuals(std::vector{b[0], b[1], 0.6}); };
  const auto reduced = fit_least_squares(two, std::vector{1.0, 1.0});
  for (std::size_t j = 0; j < 2; ++j) {
    EXPECT_NEAR(fit.parameters[j].value, reduced.parameters[j].value, 1e-7);
    EXPECT_NEAR(fit.parameters[j].standard_error, reduced.parameters[j].standard_error, 1e-7);
  }
}

TEST(LeastSquares, SaysWhatTheDataDoNotDetermine) {
  // Only a + b shows; c does.
  LeastSquaresProblem p{.parameters = 3};
  p.residuals = [](std::span<const double> b) {
    std::vector<double> r;
    for (int i = 0; i < 6; ++i) r.push_back(b[0] + b[1] + b[2] * i - (3 + 2.0 * i + 0.01 * (i % 2)));
    return r;
  };
  p.jacobian = [](std::span<const double>) {
    std::vector<double> j;
    for (int i = 0; i < 6; ++i) j.insert(j.end(), {1.0, 1.0, static_cast<double>(i)});
    return j;
  };
  for (const Derivatives derivatives : {Derivatives::kAnalytic, Derivatives::kNumeric}) {
    const auto fit = fit_least_squares(p, std::vector{0.0, 0.0, 0.0}, {.derivatives = derivatives});
    EXPECT_FALSE(fit.identifiable());
    EXPECT_EQ(fit.rank, 2u);
    EXPECT_GT(fit.condition_number, 1e8);
    EXPECT_FALSE(fit.parameters[0].identifiable);
    EXPECT_FALSE(fit.parameters[1].identifiable);
    EXPECT_TRUE(fit.parameters[2].identifiable);
    EXPECT_TRUE(std::isinf(fit.parameters[0].standard_error));
    EXPECT_NEAR(fit.parameters[2].value, 2, 0.01);
    EXPECT_TRUE(std::isfinite(fit.parameters[2].standard_error));
    EXPECT_NE(fit.full().find("not determined"), std::string::npos);
  }
}

TEST(LeastSquares, FewerResidualsThanParametersDetermineNothingAlone) {
  LeastSquaresProblem p{.parameters = 3};
  p.residuals = [](std::span<const double> b) { return std::vector{b[0] + b[1] - 3, b[1] + b[2] - 1}; };
  const auto fit = fit_least_squares(p, std::vector{0.0, 0.0, 0.0});
  EXPECT_LT(fit.rms, 1e-9);
  EXPECT_EQ(fit.rank, 2u);
  EXPECT_EQ(fit.degrees_of_freedom, 0u);
  for (const ParameterEstimate& b : fit.parameters) EXPECT_TRUE(std::isinf(b.standard_error));
}

TEST(LeastSquares, DoesNotCallWrongDerivativesConverged) {
  const Decay data(0.05);
  auto problem = data.problem();
  problem.jacobian = [right = problem.jacobian](std::span<const double> b) {
    auto j = right(b);
    for (std::size_t i = 1; i < j.size(); i += 3) j[i] = -j[i];
    return j;
  };
  EXPECT_FALSE(fit_least_squares(problem, kStart).converged);
  EXPECT_TRUE(fit_least_squares(problem, kStart, {.derivatives = Derivatives::kNumeric}).converged);
}

TEST(LeastSquares, NotConvergingIsAResult) {
  const Decay data(0.05);
  const auto impatient = fit_least_squares(data.problem(), std::vector{100.0, 10.0, -5.0}, {.most_steps = 1});
  EXPECT_FALSE(impatient.converged);
  EXPECT_FALSE(impatient.message.empty());
  EXPECT_EQ(impatient.parameters.size(), 3u);
  EXPECT_NE(impatient.brief().find("NOT converged"), std::string::npos);

  auto outside = data.problem();
  outside.residuals = [](std::span<const double>) { return std::vector<double>{}; };
  const auto fit = fit_least_squares(outside, kStart);
  EXPECT_FALSE(fit.converged);
  EXPECT_EQ(fit.values(), kStart);
}

TEST(LeastSquares, ShortensStepsThatLeaveTheDomain) {
  // ln(b x) with b ≤ 0 is no number; the full step from the start overshoots.
  LeastSquaresProblem p{.parameters = 1};
  p.residuals = [](std::span<const double> b) {
    std::vector<double> r;
    for (int i = 1; i <= 5; ++i) r.push_back(std::log(b[0] * i) - std::log(0.01 * i));
    return r;
  };
  const auto fit = fit_least_squares(p, std::vector{5.0});
  EXPECT_TRUE(fit.converged) << fit.full();
  EXPECT_NEAR(fit.parameters[0].value, 0.01, 1e-10);
}

TEST(LeastSquares, SeveralStartsFindTheDeepestMinimum) {
  // A frequency: many minima.
  std::vector<double> y;
  for (int i = 0; i < 40; ++i) y.push_back(std::sin(2.3 * 0.2 * i));
  LeastSquaresProblem p{.parameters = 1};
  p.residuals = [&](std::span<const double> b) {
    std::vector<double> r;
    for (std::size_t i = 0; i < y.size(); ++i) r.push_back(std::sin(b[0] * 0.2 * static_cast<double>(i)) - y[i]);
    return r;
  };
  p.lower = {0.1};
  p.upper = {10.0};
  const auto alone = fit_least_squares(p, std::vector{8.0});
  EXPECT_GT(alone.rms, 0.1);
  const auto several = fit_least_squares(p, std::vector{8.0}, {.further_starts = 20});
  EXPECT_TRUE(several.converged);
  EXPECT_NEAR(several.parameters[0].value, 2.3, 1e-9);
  EXPECT_GT(several.best_start, 0u);
  EXPECT_GE(several.agreeing_starts, 1u);
  EXPECT_LT(several.agreeing_starts, 21u);
  const std::vector<std::vector<double>> given{{8.0}, {2.0}};
  EXPECT_EQ(fit_least_squares(p, given).best_start, 1u);
}

TEST(LeastSquares, DoesNotDependOnUnits) {
  // Currents in ampere instead of microampere, a parameter in another unit.
  const Decay data(0.01);
  const auto plain = fit_least_squares(data.problem(), kStart);
  auto scaled = data.problem();
  const auto restore = [](std::span<const double> b) { return std::vector{b[0], b[1] * 1e-9, b[2]}; };
  scaled.residuals = [inner = data.problem().residuals, restore](std::span<const double> b) {
    auto r = inner(restore(b));
    for (double& v : r) v *= 1e-6;
    return r;
  };
  scaled.jacobian = [inner = data.problem().jacobian, restore](std::span<const double> b) {
    auto j = inner(restore(b));
    for (std::size_t k = 0; k < j.size(); ++k) j[k] *= k % 3 == 1 ? 1e-15 : 1e-6;
    return j;
  };
  const auto fit = fit_least_squares(scaled, std::vector{1.0, 1e9, 0.0});
  ASSERT_TRUE(fit.converged);
  EXPECT_NEAR(fit.parameters[1].value * 1e-9, plain.parameters[1].value, 1e-7);
  EXPECT_NEAR(fit.parameters[1].standard_error * 1e-9, plain.parameters[1].standard_error, 1e-7);
  EXPECT_NEAR(fit.condition_number, plain.condition_number, 1e-5 * plain.condition_number);
}

TEST(LeastSquares, RefusesWhatContradictsItself) {
  const Decay data(0.01);
  const auto refused = [&](const auto& change, std::vector<double> start = kStart, LeastSquaresOptions options = {}) {
    auto problem = data.problem();
    change(problem);
    testing::expect_error(ExitStatus::kComputation, "E522", [&] { fit_least_squares(problem, start, options); });
  };
  const auto nothing = [](LeastSquaresProblem&) {};
  refused([](LeastSquaresProblem& p) { p.parameters = 0; });
  refused([](LeastSquaresProblem& p) { p.residuals = nullptr; });
  refused([](LeastSquaresProblem& p) { p.lower = {0, 0}; });
  refused([](LeastSquaresProblem& p) {
    p.lower = {0, 2, 0};
    p.upper = {9, 1, 9};
  });
  refused([](LeastSquaresProblem& p) { p.lower = {1.5, 0, 0}; });
  refused(nothing, {1.0, 1.0});
  refused(nothing, {1.0, std::nan(""), 1.0});
  refused(nothing, kStart, {.further_starts = 3});
  refused(nothing, kStart, {.confidence = 1.0});
  refused(nothing, kStart, {.loss = RobustLoss::kHuber, .loss_scale = 0.0});
  testing::expect_error(ExitStatus::kComputation, "E522",
                        [&] { fit_least_squares(data.problem(), std::span<const std::vector<double>>{}); });
}

}  // namespace
}  // namespace errata::behavioral
