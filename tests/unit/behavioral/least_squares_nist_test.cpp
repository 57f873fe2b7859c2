// Non-linear problems with certified answers: NIST's Statistical Reference Datasets (tests/golden/nist).
#include <gtest/gtest.h>

#include <cmath>

#include "behavioral/fitting/derivative_check.h"
#include "behavioral/fitting/least_squares.h"
#include "tests/support/nist_problem.h"

namespace errata::behavioral {
namespace {

using testing::NistProblem;

class Nist : public ::testing::TestWithParam<const char*> {};

double square_sum(const std::vector<double>& r) {
  double sum = 0;
  for (const double v : r) sum += v * v;
  return sum;
}

// The file is a true copy and the model is the right one: certified parameters give the certified sum of squares. They
// are printed with eleven digits.
TEST_P(Nist, CertifiedParametersGiveTheCertifiedSum) {
  const NistProblem p = NistProblem::load(GetParam());
  ASSERT_FALSE(p.certified.empty());
  const auto problem = testing::least_squares_problem(p);
  const double sum = square_sum(problem.residuals(p.certified));
  if (p.name == "Lanczos1") {
    // Certified: 1.4e-25, data of fourteen digits. Eleven digits of the parameters leave residuals of 1e-11.
    EXPECT_LT(sum, 1e-20);
    return;
  }
  EXPECT_NEAR(sum / p.sum_of_squares, 1, 2e-10);
  const auto freedom = static_cast<double>(p.y.size() - p.certified.size());
  EXPECT_NEAR(std::sqrt(sum / freedom) / p.residual_deviation, 1, 2e-10);
}

TEST_P(Nist, BothStartsEndAtTheCertifiedValues) {
  const NistProblem p = NistProblem::load(GetParam());
  const LeastSquaresProblem unbounded = testing::least_squares_problem(p);
  // From its first start the search for BoxBOD runs off along a valley with b2 towards infinity. It says so, and finds
  // the minimum once b2 has a bound and a few more starts.
  const bool runs_off = p.name == "BoxBOD";
  for (const Derivatives derivatives : {Derivatives::kAnalytic, Derivatives::kNumeric})
    for (std::size_t k = 0; k < 2; ++k) {
      LeastSquaresProblem problem = unbounded;
      LeastSquaresOptions options{.derivatives = derivatives};
      if (runs_off && k == 0) {
        const auto fit = fit_least_squares(problem, p.starts[k], options);
        EXPECT_FALSE(fit.converged && fit.identifiable());
        problem.lower = {0, 0};
        problem.upper = {1000, 10};
        options.further_starts = 8;
      }
      const auto fit = fit_least_squares(problem, p.starts[k], options);
      EXPECT_TRUE(fit.converged) << fit.full();
      EXPECT_TRUE(fit.identifiable());
      EXPECT_EQ(fit.degrees_of_freedom, p.y.size() - p.certified.size());
      for (std::size_t j = 0; j < p.certified.size(); ++j) {
        const ParameterEstimate& b = fit.parameters[j];
        EXPECT_NEAR(b.value / p.certified[j], 1, 1e-5) << "start " << k + 1 << ", b" << j + 1;
        // Residuals of Lanczos1 are 1e-13, a few hundred rounding errors.
        EXPECT_NEAR(b.standard_error / p.standard_deviations[j], 1, p.name == "Lanczos1" ? 5e-3 : 5e-5)
            << "start " << k + 1 << ", b" << j + 1;
        EXPECT_TRUE(b.interval.contains(p.certified[j]));
      }
      EXPECT_NEAR(fit.residual_sigma / p.residual_deviation, 1, p.name == "Lanczos1" ? 5e-3 : 1e-8);
    }
}

TEST_P(Nist, DerivativesPassTheCheck) {
  const NistProblem p = NistProblem::load(GetParam());
  const auto problem = testing::least_squares_problem(p);
  for (const auto& at : {p.certified, p.starts[1]}) {
    const auto check = check_derivatives(problem.residuals, problem.jacobian(at), at);
    EXPECT_TRUE(check.passed) << check.brief();
  }
}

INSTANTIATE_TEST_SUITE_P(All, Nist,
                         ::testing::Values("Misra1a", "Chwirut2", "Chwirut1", "Lanczos3", "Gauss1", "Gauss2", "DanWood",
                                           "Misra1b", "Kirby2", "Hahn1", "Nelson", "MGH17", "Lanczos1", "Lanczos2",
                                           "Gauss3", "Misra1c", "Misra1d", "Roszman1", "ENSO", "MGH09", "Thurber",
                                           "BoxBOD", "Rat42", "MGH10", "Eckerle4", "Rat43", "Bennett5"));

}  // namespace
}  // namespace errata::behavioral
