// Every term of a synthetic truth in its full generative form is found within its interval (methods.md §3.3). How often
// the intervals hold is measured by tests/bench/coverage_bench.cpp; here three fixed data sets must lie within four
// standard errors: at most 6.4e-5 for each assertion, about 60 of them, so 0.4 % over the choice of seeds.
#include "tests/support/synthetic_truth.h"

#include <gtest/gtest.h>

#include <string>

#include "errormodel/estimation/read_memory.h"

namespace errata::errormodel {
namespace {

void expect_near(const Interval& i, double truth, const std::string& what) {
  const double side = truth > i.estimate ? i.high - i.estimate : i.estimate - i.low;
  EXPECT_LE(std::fabs(truth - i.estimate), 4.0 / 1.96 * side + 1e-9)
      << what << ": " << i.estimate << " [" << i.low << ", " << i.high << "] for " << truth;
}

ErrorTable expect_found(const testing::SyntheticTruth& truth, const Observations& o) {
  ErrorTable t;
  estimate_terms(o, {.y_points = 21, .a_points = 9, .y_limit = 40, .y_low = truth.differential ? -40.0 : -4.0}, t);
  const Covariance chip = testing::in_basis_of(t, truth, truth.chip),
                   column = testing::in_basis_of(t, truth, truth.column);
  constexpr int kRow[6] = {0, 0, 0, 1, 1, 2}, kColumn[6] = {0, 1, 2, 1, 2, 2};
  for (std::size_t k = 0; k < 6; ++k) {
    const auto at = static_cast<std::size_t>(3 * kRow[k] + kColumn[k]);
    expect_near(t.chip_interval[k], chip[at], "chip " + std::to_string(k));
    expect_near(t.column_interval[k], column[at], "column " + std::to_string(k));
  }
  for (std::size_t k = 0; k < t.kinds(); ++k) {
    expect_near(t.cell_interval[k], truth.cell[k] * truth.cell[k], "s^2 of kind " + std::to_string(k));
    if (truth.differential && k % truth.levels == 0) continue;  // g(x, 0) is 0 by definition
    expect_near(t.record.level[k], truth.level[k], "g of kind " + std::to_string(k));
  }
  return t;
}

TEST(SyntheticTruth, PairsWithRepeatedReads) {
  const testing::SyntheticTruth truth;
  const ErrorTable t = expect_found(truth, testing::synthetic_observations(truth, {.reads = 4}, 21));
  expect_near(t.record.read_sigma, 0.3, "sigma_D");
  EXPECT_NEAR(t.read_sigma(0, 40), 0.3, 0.01);  // a surface over 102,400 reads: far less than 1 % of error
}

TEST(SyntheticTruth, SingleLines) {
  const auto truth = testing::single_ended_truth();
  const ErrorTable t = expect_found(truth, testing::synthetic_observations(truth, {.reads = 4}, 22));
  EXPECT_NEAR(t.level[0], 0.1, 0.05);
}

TEST(SyntheticTruth, SeveralInputLevels) {
  const auto truth = testing::multi_level_truth();
  expect_found(truth, testing::synthetic_observations(truth, {.chips = 20, .columns = 10, .reads = 4}, 23));
}

TEST(SyntheticTruth, SameResultForAnyNumberOfThreads) {
  const testing::SyntheticTruth truth;
  const Observations o = testing::synthetic_observations(truth, {.chips = 12, .columns = 6, .reads = 2}, 24);
  ErrorTable one, two;
  estimate_terms(o, {.y_points = 11, .a_points = 5, .y_limit = 40, .threads = 1}, one);
  estimate_terms(o, {.y_points = 11, .a_points = 5, .y_limit = 40, .threads = 2}, two);
  EXPECT_EQ(one.column, two.column);
  EXPECT_EQ(one.chip, two.chip);
  EXPECT_EQ(one.cell_sigma, two.cell_sigma);
  EXPECT_EQ(one.mu, two.mu);
}

TEST(SyntheticTruth, ReadsWithMemoryDoNotHideTheirNoise) {
  testing::SyntheticTruth truth;
  truth.read_correlation = 0.6;
  const Observations o = testing::synthetic_observations(truth, {.chips = 16, .columns = 6, .reads = 12}, 25);
  ErrorTable t;
  estimate_terms(o, {.y_points = 11, .a_points = 5, .y_limit = 40}, t);
  EXPECT_EQ(t.record.memory.kind, MemoryKind::kAutoregressive);
  EXPECT_NEAR(read_correlation(t.record.memory, 1), 0.6, 0.05);
  // The scatter of 12 such reads alone would say 0.26 (1 − 2.25/12 of the variance is missing).
  EXPECT_NEAR(t.record.read_sigma.estimate, 0.3, 0.012);
}

}  // namespace
}  // namespace errata::errormodel
