#include "behavioral/fitting/derivative_check.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/expect_error.h"

namespace errata::behavioral {
namespace {

/// Three outputs of two parameters.
std::vector<double> curves(std::span<const double> p) {
  return {p[0] * std::exp(p[1]), 10 * std::sin(3 * p[0]), p[0] * p[0] * p[1]};
}
std::vector<double> slopes(std::span<const double> p) {
  return {std::exp(p[1]), p[0] * std::exp(p[1]), 30 * std::cos(3 * p[0]), 0, 2 * p[0] * p[1], p[0] * p[0]};
}
const std::vector<double> kPoint{0.7, -1.3};

TEST(NumericJacobian, IsAsGoodAsItSays) {
  const auto jacobian = numeric_jacobian(curves, kPoint);
  const auto exact = slopes(kPoint);
  ASSERT_EQ(jacobian.outputs, 3u);
  ASSERT_EQ(jacobian.parameters, 2u);
  for (std::size_t k = 0; k < 6; ++k) {
    EXPECT_LE(std::fabs(jacobian.values[k] - exact[k]), 3 * jacobian.errors[k]) << k;
    EXPECT_LT(jacobian.errors[k], 1e-10) << k;
  }
}

TEST(NumericJacobian, ResolvesTenDigitsOfASmoothFunction) {
  const auto f = [](std::span<const double> p) { return std::vector{std::exp(p[0])}; };
  for (const double x : {-2.0, 0.0, 5.0}) {
    const auto jacobian = numeric_jacobian(f, std::vector{x});
    EXPECT_NEAR(jacobian.values[0] / std::exp(x), 1, 1e-10);
  }
}

TEST(NumericJacobian, TakesShorterStepsNearTheEdgeOfTheDomain) {
  const auto root = [](std::span<const double> p) { return std::vector{std::sqrt(p[0])}; };
  const std::vector scale{1.0};
  EXPECT_NEAR(numeric_jacobian(root, std::vector{1e-4}, scale).values[0], 50, 1e-6);
  testing::expect_error(ExitStatus::kComputation, "E522", [&] { numeric_jacobian(root, std::vector{-1.0}); });
  testing::expect_error(ExitStatus::kComputation, "E522", [&] { numeric_jacobian(root, std::vector{0.0}); });
}

TEST(DerivativeCheck, PassesRightDerivatives) {
  const auto check = check_derivatives(curves, slopes(kPoint), kPoint);
  EXPECT_TRUE(check.passed) << check.brief();
  EXPECT_EQ(check.checked, 6u);
  EXPECT_LE(check.worst.deviation, 1);
}

TEST(DerivativeCheck, NamesTheWrongOne) {
  for (std::size_t wrong = 0; wrong < 6; ++wrong) {
    auto analytic = slopes(kPoint);
    const double largest = wrong % 2 == 0 ? 30 : 0.5;  // by the same parameter
    // A part in a hundred thousand; where the derivative itself is negligible, so is that.
    analytic[wrong] += 1e-5 * std::max(std::fabs(analytic[wrong]), 1e-4 * largest);
    const auto check = check_derivatives(curves, analytic, kPoint);
    EXPECT_FALSE(check.passed) << wrong;
    EXPECT_EQ(check.failed, 1u);
    EXPECT_EQ(check.worst.output * 2 + check.worst.parameter, wrong);
    EXPECT_GT(check.worst.deviation, 1);
    EXPECT_NE(check.brief().find("output " + std::to_string(wrong / 2)), std::string::npos);
  }
  auto missing = slopes(kPoint);
  missing[3] = std::nan("");
  EXPECT_FALSE(check_derivatives(curves, missing, kPoint).passed);
}

TEST(DerivativeCheck, DoesNotPassWhatItCannotTell) {
  // Noise of 1e-3 on the function: no numeric derivative is good to 1e-6.
  const auto noisy = [](std::span<const double> p) {
    const double spread = 1e4 * std::sin(1e9 * p[0]);
    return std::vector{p[0] + 1e-3 * (spread - std::floor(spread))};
  };
  const auto check = check_derivatives(noisy, std::vector{1.0}, std::vector{0.5});
  EXPECT_FALSE(check.passed);
  EXPECT_EQ(check.unresolved, 1u);
}

TEST(DerivativeCheck, KinksDoNotPass) {
  const auto kink = [](std::span<const double> p) { return std::vector{std::fabs(p[0] - 1.0)}; };
  EXPECT_FALSE(check_derivatives(kink, std::vector{1.0}, std::vector{1.0}).passed);
}

TEST(DerivativeCheck, RefusesSizesThatDoNotFit) {
  testing::expect_error(ExitStatus::kComputation, "E522",
                        [&] { check_derivatives(curves, std::vector(5, 0.0), kPoint); });
  testing::expect_error(ExitStatus::kComputation, "E522",
                        [&] { check_derivatives(curves, slopes(kPoint), kPoint, {.scales = {1.0}}); });
}

}  // namespace
}  // namespace errata::behavioral
