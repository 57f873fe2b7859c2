#include "behavioral/fitting/cell_fit.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/random_stream.h"
#include "tests/support/expect_error.h"

namespace errata::behavioral {
namespace {

using Current =
    std::function<double(std::size_t x, std::size_t level, double bit, double source, std::span<const double> z)>;

/// A surface laid out as characterize lays it out: nominal first, then random draws within ±4.
circuit::CellSurface surface_of(std::size_t terms, std::size_t samples, bool source_axis, const Current& current) {
  circuit::CellSurface s{.input_levels_volts = {0, 1}, .weight_levels = {1e5, 1e4}};
  for (int i = 0; i < 7; ++i) s.bit_line_volts.push_back(0.1 + 0.02 * i);
  s.source_line_volts = source_axis ? std::vector<double>{0, 0.02, 0.04, 0.06} : std::vector<double>{0};
  for (std::size_t t = 0; t < terms; ++t) s.cell_terms.push_back(t);
  s.mismatch_points.assign(terms, 0.0);
  RandomStream stream(31, StreamPurpose::kTest);
  for (std::size_t i = 1; i < samples && terms > 0; ++i)
    for (std::size_t t = 0; t < terms; ++t) s.mismatch_points.push_back(8 * stream.uniform() - 4);
  s.noise_square_amperes.assign(4, 1e-20);
  for (std::size_t x = 0; x < 2; ++x)
    for (std::size_t level = 0; level < 2; ++level)
      for (std::size_t m = 0; m < s.mismatch_count(); ++m)
        for (const double source : s.source_line_volts)
          for (const double bit : s.bit_line_volts)
            s.current_amperes.push_back(
                current(x, level, bit, source, std::span(s.mismatch_points).subspan(m * terms, terms)));
  return s;
}

double of_the_family(std::size_t x, std::size_t level, double bit, double source, std::span<const double> z) {
  double p = -12 + 2.0 * static_cast<double>(x) + static_cast<double>(level) + 3 * bit * bit - 4 * source * bit;
  for (std::size_t t = 0; t < z.size(); ++t)
    p += (0.1 + 0.02 * static_cast<double>(t)) * z[t] + 0.3 * z[t] * bit + 0.004 * z[t] * z[0];
  return (bit - source) * std::exp(p);
}

class OwnFamily : public ::testing::TestWithParam<std::pair<std::size_t, bool>> {};

TEST_P(OwnFamily, IsRecovered) {
  const auto [terms, source_axis] = GetParam();
  const auto fit = fit_cell(surface_of(terms, 60, source_axis, of_the_family), 4.0);
  EXPECT_EQ(fit.model.degree, 2);
  EXPECT_EQ(fit.tried[fit.chosen].degree, 2);
  EXPECT_TRUE(fit.tried[fit.chosen].converged);
  EXPECT_LT(fit.tried[fit.chosen].held_out_maximum, 1e-9);  // exact but for the rounding of a condition of some hundred
  RandomStream stream(32, StreamPurpose::kTest);
  for (int i = 0; i < 200; ++i) {  // between the points, too
    const double bit = 0.1 + 0.12 * stream.uniform(), source = source_axis ? 0.06 * stream.uniform() : 0.0;
    std::vector<double> z(terms);
    for (double& v : z) v = 8 * stream.uniform() - 4;
    const std::size_t x = stream.below(2), level = stream.below(2);
    EXPECT_NEAR(fit.model.current(x, level, bit, source, z) / of_the_family(x, level, bit, source, z), 1, 1e-8);
  }
}

INSTANTIATE_TEST_SUITE_P(All, OwnFamily,
                         ::testing::Values(std::pair{0, false}, std::pair{1, false}, std::pair{2, false},
                                           std::pair{3, true}));

TEST(FitCell, DoesNotFitAPowerThatVanishesOnTheGrid) {
  // s(s − 0.02)(s − 0.04)(s − 0.06) is 0 on all four source voltages and anything between them.
  const auto rich = [](std::size_t x, std::size_t level, double bit, double source, std::span<const double> z) {
    return of_the_family(x, level, bit, source, z) * std::exp(std::pow(8 * source, 3) + std::pow(0.2 * z[0], 4));
  };
  const auto fit = fit_cell(surface_of(1, 60, true, rich), 4.0);
  EXPECT_EQ(fit.tried.back().degree, 3);
  for (const auto& q : fit.tried) EXPECT_LT(q.condition_number, 1e6);
}

TEST(FitCell, HeldOutErrorIsHonest) {
  // Outside the family (a threshold in z): the held-out error must predict the error at points never simulated.
  const auto kinked = [](std::size_t x, std::size_t level, double bit, double source, std::span<const double> z) {
    return of_the_family(x, level, bit, source, z.first(0)) *
           std::exp(0.2 * std::sqrt(1 + 4 * z[0] * z[0]) * (1 + 0.1 * z[1]));
  };
  const auto fit = fit_cell(surface_of(2, 200, false, kinked), 4.0);
  const auto& q = fit.tried[fit.chosen];
  EXPECT_GT(q.held_out_rms, 1e-3);  // it does not fit, and says so
  double sum = 0;
  constexpr int n = 4000;
  RandomStream stream(33, StreamPurpose::kTest);
  for (int i = 0; i < n; ++i) {
    const double z[] = {8 * stream.uniform() - 4, 8 * stream.uniform() - 4}, bit = 0.1 + 0.12 * stream.uniform();
    const std::size_t x = stream.below(2), level = stream.below(2);
    sum += std::pow(fit.model.current(x, level, bit, 0, z) / kinked(x, level, bit, 0, z) - 1, 2) / n;
  }
  // 49 held-out samples: the standard error of their RMS is about 1/sqrt(2·49) = 10 %, and the error has heavy corners;
  // a factor of 1.6 is more than 4 σ (false-alarm probability below 1e-4) and well below what in-sample optimism hides.
  EXPECT_LT(std::sqrt(sum), 1.6 * q.held_out_rms);
  EXPECT_GT(std::sqrt(sum), q.held_out_rms / 1.6);
}

TEST(FitCell, RefusesACurrentThatIsNotPositive) {
  const auto backwards = [](std::size_t, std::size_t level, double bit, double, std::span<const double>) {
    return level == 1 ? -bit : bit;
  };
  testing::expect_error(ExitStatus::kComputation, "E502", [&] { fit_cell(surface_of(1, 30, false, backwards), 4.0); });
  auto crossed =
      surface_of(1, 30, true, [](std::size_t, std::size_t, double, double, std::span<const double>) { return 1e-6; });
  crossed.source_line_volts.back() = 0.5;  // above the bit line
  testing::expect_error(ExitStatus::kComputation, "E502", [&] { fit_cell(crossed, 4.0); });
}

TEST(FitCell, LeavesToleratedFailuresOut) {
  auto surface = surface_of(1, 60, false, of_the_family);
  for (std::size_t i = 5; i < surface.current_amperes.size(); i += 37) surface.current_amperes[i] = std::nan("");
  const auto fit = fit_cell(surface, 4.0);
  EXPECT_LT(fit.tried[fit.chosen].held_out_maximum, 1e-9);
}

TEST(FitCell, NeedsMorePointsThanCoefficients) {
  auto surface = surface_of(0, 1, false, of_the_family);
  surface.bit_line_volts.resize(3);  // carries degree 1 only
  std::vector<double> current;
  for (int k = 0; k < 4; ++k)
    for (int b = 0; b < 3; ++b) current.push_back(of_the_family(k / 2, k % 2, surface.bit_line_volts[b], 0, {}));
  surface.current_amperes = current;
  const auto fit = fit_cell(surface, 1.0);
  EXPECT_EQ(fit.tried.size(), 1u);
  EXPECT_EQ(fit.model.degree, 1);
  for (double& i : surface.current_amperes) i = std::nan("");
  testing::expect_error(ExitStatus::kComputation, "E504", [&] { fit_cell(surface, 1.0); });
}

TEST(FitCell, RefusesMoreTermsThanTheFamilyTakes) {
  const auto flat = [](std::size_t, std::size_t, double bit, double, std::span<const double>) { return bit; };
  testing::expect_error(ExitStatus::kComputation, "E502", [&] { fit_cell(surface_of(16, 3, false, flat), 4.0); });
}

TEST(FitCell, IntervalsOfItsParametersCoverAsOftenAsTheySay) {
  // 60 surfaces with 0.5 % of noise, 4 regressions each: misses of a parameter are binomial(240, 5 %). None at all has
  // a probability of 5e-6, more than 28 of 1e-5.
  const auto exact = surface_of(1, 60, false, of_the_family);
  const std::vector<std::string> names{"threshold"};
  const CellFit truth = fit_cell(exact, 4.0, names);
  ASSERT_EQ(truth.parameters.size(), 4u * 6u);
  EXPECT_EQ(truth.parameters[0].regression, "input 0, level 0");
  std::vector<std::string> found_names;
  for (std::size_t k = 0; k < 6; ++k) found_names.push_back(truth.parameters[k].name);
  EXPECT_NE(std::ranges::find(found_names, "bit*threshold"), found_names.end());
  EXPECT_NE(std::ranges::find(found_names, "threshold^2"), found_names.end());
  std::vector<int> misses(6, 0);
  for (std::uint64_t n = 0; n < 60; ++n) {
    auto noisy = exact;
    RandomStream stream(33, StreamPurpose::kTest, n);
    for (double& i : noisy.current_amperes) i *= 1 + 0.005 * stream.normal();
    const CellFit fit = fit_cell(noisy, 4.0, names);
    ASSERT_EQ(fit.model.degree, 2);
    for (std::size_t k = 0; k < fit.parameters.size(); ++k) {
      EXPECT_TRUE(fit.parameters[k].identifiable);
      EXPECT_GT(fit.parameters[k].condition_number, 1.0);
      misses[k % 6] += fit.parameters[k].interval.contains(truth.parameters[k].interval.estimate) ? 0 : 1;
    }
  }
  for (const int m : misses) {
    EXPECT_GE(m, 1);
    EXPECT_LE(m, 28);
  }
}

}  // namespace
}  // namespace errata::behavioral
