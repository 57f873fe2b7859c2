// Covariates are chosen by how a table transfers to other operands (methods.md §3.2, §3.3).
#include "errormodel/estimation/covariate_trials.h"

#include <gtest/gtest.h>

#include "errormodel/estimation/network_operands.h"
#include "tests/support/synthetic_truth.h"
#include "tests/support/temporary_folder.h"

namespace errata::errormodel {
namespace {

constexpr testing::SyntheticSize kSize{.chips = 24, .columns = 8, .operands = 32};
const EstimateOptions kOptions{.y_points = 21, .a_points = 9, .y_limit = 40};

struct Both {
  Observations own, other;
};

/// The same chips on stratified and on network-like operands.
Both observe_both(const testing::SyntheticTruth& truth) {
  const OperandDesign design{.rows = 64, .levels = 4, .operands = 32, .mac_limit = 30};
  return {testing::synthetic_observations(truth, kSize, 31),
          testing::synthetic_observations(truth, kSize, 31, [&](std::uint64_t chip, std::uint64_t column) {
            return network_like_operands(design, 31, chip, column);
          })};
}

const CovariateTrial& trial(const CovariateChoice& c, const std::string& term, const std::string& covariate) {
  for (const auto& t : c.trials)
    if (t.term == term && t.covariate == covariate) return t;
  throw std::out_of_range(term + " " + covariate);
}

TEST(NetworkOperands, AreNotLikeADesign) {
  const OperandDesign design{.rows = 64, .levels = 4, .operands = 200, .mac_limit = 30};
  const auto network = network_like_operands(design, 1, 2, 3), again = network_like_operands(design, 1, 2, 3),
             stratified = make_operands(design, 1, 2, 3);
  EXPECT_EQ(network.inputs, again.inputs);
  EXPECT_EQ(network.count(), 200u);
  const auto activity = [](const ColumnOperands& o) {
    double sum = 0.0;
    for (const auto x : o.inputs) sum += x;
    return sum / static_cast<double>(o.inputs.size());
  };
  EXPECT_LT(activity(network), 0.35);  // 0.23 by design
  EXPECT_GT(activity(stratified), 0.4);
  for (std::size_t j = 0; j < 64; ++j) EXPECT_TRUE(network.plus[j] == 0 || network.minus[j] == 0);
}

TEST(Covariates, SecondAxisIsKeptWhereItTransfers) {
  testing::SyntheticTruth truth;
  truth.mean = [](double y, double a) { return -0.0003 * y * y + 0.02 * a; };
  const Both both = observe_both(truth);
  const CovariateChoice c = choose_covariates(both.own, both.other, kOptions);
  const CovariateTrial& mean = trial(c, "mean", "a");
  EXPECT_TRUE(mean.kept);
  EXPECT_EQ(mean.reason, "improves the transfer");
  EXPECT_LT(mean.error_with, 0.5 * mean.error_without);  // a table on y alone does not transfer
  EXPECT_EQ(c.options.surfaces, EstimateOptions::Surfaces::kMacAndAxis);
  EXPECT_TRUE(trial(c, "static", "y").kept);
  EXPECT_TRUE(trial(c, "static", "a").kept);
  EXPECT_EQ(c.options.covariates.size(), 3u);
  EXPECT_EQ(c.options.effort, EstimateOptions::Effort::kFull);
}

TEST(Covariates, WhatTheTableCannotHoldIsTriedForTheRecord) {
  testing::SyntheticTruth truth;
  Both both = observe_both(truth);
  for (Observations* o : {&both.own, &both.other})
    for (std::size_t k = 0; k < o->size(); ++k) {
      const auto v = covariate_values(o->designs[k / 32], k % 32, o->minimum_conductance);
      o->value[k] += 0.08 * (v[4] - 2.0 / 3.0 * v[1]);  // wire drop depends on where the current comes from
    }
  const CovariateChoice c = choose_covariates(both.own, both.other, kOptions);
  const CovariateTrial& position = trial(c, "mean", "P");
  EXPECT_FALSE(position.kept);
  EXPECT_GT(position.explained, 0.01);
  EXPECT_FALSE(trial(c, "static", "y^2").kept);
  EXPECT_NE(trial(c, "static", "y^2").reason.find("no place"), std::string::npos);
}

TEST(Covariates, ACopyOfAnotherIsDropped) {
  std::vector<std::array<double, kCovariates>> values;
  for (int k = 0; k < 50; ++k) values.push_back({1.0, 1.0 * k, 2.0 * k + 0.01 * (k % 3), 1.0 * k * k, 0.0});
  const auto b = orthogonal_basis({CovariateKind::kOne, CovariateKind::kMac, CovariateKind::kAxis}, values);
  EXPECT_TRUE(b.kept[1]);
  EXPECT_FALSE(b.kept[2]);
  EXPECT_GT(b.inflation[2], 20.0);
}

TEST(Covariates, ATableCanDoWithoutOne) {
  // 1 and a without y: the basis keeps its places.
  const testing::SyntheticTruth truth;
  const Observations o = testing::synthetic_observations(truth, kSize, 32);
  EstimateOptions options = kOptions;
  options.covariates = {CovariateKind::kOne, CovariateKind::kAxis};
  ErrorTable t;
  estimate_terms(o, options, t);
  for (const std::size_t k : {3u, 4u, 5u, 7u}) EXPECT_EQ(t.basis[k], 0.0) << k;
  EXPECT_GT(t.basis[8], 0.0);
  EXPECT_EQ(t.column[4], 0.0);
  EXPECT_GT(t.column[8], 0.0);
  EXPECT_EQ(t.column_interval[3].high, 0.0);
}

TEST(EstimationRecord, SurvivesTheTablesFile) {
  const testing::TemporaryFolder folder;
  const testing::SyntheticTruth truth;
  ErrorTable t;
  t.provenance.format = ErrorTable::kFormat;
  estimate_terms(testing::synthetic_observations(truth, {.chips = 10, .columns = 4, .operands = 16, .reads = 8}, 33),
                 {.y_points = 11, .a_points = 5, .y_limit = 40}, t);
  t.record.covariates = {
      {.term = "mean", .covariate = "a", .kept = true, .reason = "improves the transfer"},
      {.term = "static", .covariate = "P", .reason = "the table has no place for it", .error_with = 0.1}};
  t.save(folder / "t.h5");
  const ErrorTable back = ErrorTable::load(folder / "t.h5");
  ASSERT_EQ(back.record.covariates.size(), 2u);
  EXPECT_EQ(back.record.covariates[0].reason, "improves the transfer");
  EXPECT_TRUE(back.record.covariates[0].kept);
  EXPECT_FALSE(back.record.covariates[1].kept);
  EXPECT_EQ(back.record.covariates[1].error_with, 0.1);
  ASSERT_EQ(back.record.level.size(), t.record.level.size());
  EXPECT_EQ(back.record.level[2].low, t.record.level[2].low);
  EXPECT_EQ(back.record.memory.variogram, t.record.memory.variogram);
  EXPECT_EQ(back.record.read_sigma.high, t.record.read_sigma.high);
}

}  // namespace
}  // namespace errata::errormodel
