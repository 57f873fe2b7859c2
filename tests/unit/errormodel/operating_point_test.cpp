#include "errormodel/table/operating_point.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "core/statistics.h"
#include "errormodel/table/table_algebra.h"
#include "errormodel/table/table_merge.h"
#include "tests/support/example_table.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_folder.h"

namespace errata::errormodel {
namespace {

using errata::testing::example_table;
using errata::testing::expect_error;

/// The example as it might be at another temperature and supply.
ErrorTable at(double kelvin, double volts, double factor) {
  ErrorTable t = example_table();
  t.temperature_kelvin = kelvin;
  t.supply_volts = volts;
  for (auto* values : {&t.mu, &t.slope, &t.cell_sigma, &t.dynamic_sigma})
    for (double& v : *values) v *= factor;
  for (double& v : t.source_variance) v *= factor * factor;
  for (auto* c : {&t.chip, &t.column})
    for (double& v : *c) v *= factor;
  return t;
}

TEST(OperatingPoint, StoredPointsComeBackAsTheyAre) {
  const TableSet set({at(300, 1.0, 1.0), at(360, 1.0, 2.0)});
  const ErrorTable cold = set.at({}), hot = set.at({.temperature_kelvin = 360.0});
  EXPECT_EQ(cold.mu, set.points()[0].mu);
  EXPECT_EQ(hot.cell_sigma, set.points()[1].cell_sigma);
  EXPECT_EQ(hot.code_pmf, set.points()[1].code_pmf);
}

TEST(OperatingPoint, BetweenTwoTemperaturesEveryTermLiesBetween) {
  const TableSet set({at(300, 1.0, 1.0), at(360, 1.0, 4.0)});
  const ErrorTable t = set.at({.temperature_kelvin = 330.0});
  EXPECT_EQ(table_fault(t), "");
  EXPECT_DOUBLE_EQ(t.temperature_kelvin, 330.0);
  EXPECT_NEAR(t.mu[7], 2.5 * set.nominal().mu[7], 1e-12);                  // linear
  EXPECT_NEAR(t.cell_sigma[4], 2.0 * set.nominal().cell_sigma[4], 1e-12);  // logarithmic
  EXPECT_NEAR(t.dynamic_sigma[9], 2.0 * set.nominal().dynamic_sigma[9], 1e-12);
  EXPECT_NEAR(t.column[0], 2.5 * set.nominal().column[0], 1e-12);
  EXPECT_FALSE(t.code_pmf.empty());
}

TEST(OperatingPoint, BilinearInTemperatureAndSupply) {
  const TableSet set({at(300, 1.0, 1.0), at(360, 1.0, 2.0), at(300, 1.2, 3.0), at(360, 1.2, 4.0)});
  const ErrorTable t = set.at({.temperature_kelvin = 330.0, .supply_volts = 1.1});
  EXPECT_NEAR(t.mu[7], 2.5 * set.nominal().mu[7], 1e-9);
  EXPECT_DOUBLE_EQ(t.supply_volts, 1.1);
}

TEST(OperatingPoint, OutsideOfThePointsTheTableSaysNothing) {
  ErrorTable fast = at(300, 1.0, 1.1);
  fast.corner = "ff";
  const TableSet set({at(300, 1.0, 1.0), at(360, 1.0, 2.0), fast});
  const auto hot = expect_error(ExitStatus::kArtifact, "E406", [&] { set.at({.temperature_kelvin = 400.0}); });
  EXPECT_NE(hot.find("400"), std::string::npos);
  expect_error(ExitStatus::kArtifact, "E406", [&] { set.at({.supply_volts = 1.1}); });
  expect_error(ExitStatus::kArtifact, "E406", [&] { set.at({.corner = "ss"}); });
  expect_error(ExitStatus::kArtifact, "E406", [&] { set.at({.temperature_kelvin = 330.0, .corner = "ff"}); });
  EXPECT_EQ(set.at({.corner = "ff"}).mu, fast.mu);
}

TEST(OperatingPoint, AnotherUnitIsTheSameOutput) {
  // The same hardware, its transfer line written in other MAC units: in the reference's units it must be the reference.
  ErrorTable t = example_table();
  const ErrorTable reference = example_table();
  const double gain = 1.25, shift = 0.4;  // v' = gain v + shift: unit = reference.unit / gain
  ErrorTable other = t;
  other.unit = reference.unit * gain;
  other.offset = reference.offset + shift * reference.unit;
  const ErrorTable moved = in_transfer_of(other, reference);
  EXPECT_EQ(table_fault(moved), "");
  EXPECT_EQ(moved.unit, reference.unit);
  // An operand's output in amperes by both.
  for (const double y : {-6.0, 0.0, 5.0})
    for (const double a : {8.0, 40.0}) {
      const double before = other.offset + other.unit * (y + other.mean_shift(y, a));
      const double ys = gain * y;
      const double after = moved.offset + moved.unit * (ys + moved.mean_shift(ys, a));
      EXPECT_NEAR(before, after, 0.02 * reference.unit);  // μ is bent, so its nodes move: a second-order difference
    }
  EXPECT_NEAR(moved.cell_sigma[1], gain * t.cell_sigma[1], 1e-12);
  EXPECT_NEAR(moved.column[0], gain * gain * t.column[0], 1e-12);
}

TEST(OperatingPoint, MergedPointsShareOneTransfer) {
  const testing::TemporaryFolder folder;
  ErrorTable hot = at(360, 1.0, 1.5);
  hot.unit *= 1.1;
  const std::vector<ErrorTable> tables{at(300, 1.0, 1.0), hot};
  merge_operating_points(tables).save(folder.path() / "t.h5");
  const TableSet set = TableSet::load(folder.path() / "t.h5");
  ASSERT_EQ(set.points().size(), 2u);
  EXPECT_EQ(set.points()[1].unit, set.points()[0].unit);
  EXPECT_NEAR(set.points()[1].level[2], 1.1 * set.points()[0].level[2], 1e-12);
  const std::vector<ErrorTable> twice{at(300, 1.0, 1.0), at(300, 1.0, 1.5)};
  expect_error(ExitStatus::kArtifact, "E407", [&] { merge_operating_points(twice); });
  std::vector<ErrorTable> other{at(300, 1.0, 1.0), at(360, 1.0, 1.5)};
  other[1].rows = 32;
  expect_error(ExitStatus::kArtifact, "E407", [&] { merge_operating_points(other); });
}

TEST(OperatingPoint, DriftShrinksCellsAndLeavesColumns) {
  ErrorTable t = example_table();
  t.faults = {};
  t.chip = t.column = {};
  for (double& s : t.cell_sigma) s = 0.0;
  for (double& s : t.drift.exponent_sigma) s = 0.0;
  const std::vector<std::uint8_t> plus{2, 1, 0, 2}, minus{0, 0, 1, 1};
  const auto fresh = draw_static_column(t, 1, 2, 3, plus, minus);
  t.elapsed_seconds = 1e4;
  const auto old = draw_static_column(t, 1, 2, 3, plus, minus);
  const auto loss = [&](std::size_t w) { return std::pow(1e4, -t.drift.exponent[w]) - 1.0; };
  const auto change = [&](std::size_t w) { return (t.level[t.kind(1, w)] + t.minimum_conductance) * loss(w); };
  for (std::size_t j = 0; j < 4; ++j)
    EXPECT_NEAR(old.weight[j] - fresh.weight[j], change(plus[j]) - change(minus[j]), 1e-12) << j;
  t.elapsed_seconds = t.drift.reference_seconds;
  EXPECT_EQ(draw_static_column(t, 1, 2, 3, plus, minus).weight, fresh.weight);
}

TEST(OperatingPoint, StuckCellsComeAtTheirRates) {
  // 400 columns of 64 rows: 51 200 cells; a share p is known to √(p(1−p)/51200), 5 of which is a false alarm below
  // 1e-6.
  ErrorTable t = example_table();
  t.rows = 64;
  t.chip = t.column = {};
  t.drift = {};
  for (double& s : t.cell_sigma) s = 0.0;
  const std::vector<std::uint8_t> plus(64, 1), minus(64, 1);
  double low = 0, high = 0, n = 0;
  for (std::uint64_t column = 0; column < 400; ++column) {
    const auto s = draw_static_column(t, 1, 0, column, plus, minus);
    // Level 1 on both sides cancels; a drive below or above says which cell is stuck.
    for (std::size_t j = 0; j < 64; ++j) {
      const double levels = s.drive[j] - 2 * t.minimum_conductance;
      low += levels < 1.5 ? 2.0 - levels : 0.0;
      high += levels > 2.5 ? levels - 2.0 : 0.0;
      n += 2;
    }
  }
  const auto tolerance = [n](double p) { return 5 * std::sqrt(p * (1 - p) / n) + 2 * 0.01 * 0.004; };  // pairs of both
  EXPECT_NEAR(low / n, t.faults.lowest, tolerance(t.faults.lowest));
  EXPECT_NEAR(high / n, t.faults.highest, tolerance(t.faults.highest));
}

TEST(ReadSequence, HasTheMemoryAndTheTailsOfItsSources) {
  // AR(1) of the rtn source (0.6, two thirds of the variance): correlation of successive reads 0.6·share. 20000 chains
  // of two reads know a correlation to 0.007 and a variance to 1 %.
  ErrorTable t = example_table();
  const double y = 3.0, a = 30.0;
  double one = 0, two = 0, product = 0, fourth = 0;
  constexpr int kChains = 20000;
  for (std::uint64_t k = 0; k < kChains; ++k) {
    ReadSequence reads(t, 5, 1, k);
    const double mean = y + t.mean_shift(y, a), sigma = t.read_sigma(y, a);
    const double e = (reads.next(y, a) - mean) / sigma, f = (reads.next(y, a) - mean) / sigma;
    one += e * e / kChains;
    two += f * f / kChains;
    product += e * f / kChains;
    fourth += e * e * e * e / kChains;
  }
  const std::size_t nodes = t.axes.size();
  const double share = surface_value(t.axes, std::span(t.source_variance).subspan(nodes, nodes), y, a) /
                       (t.read_sigma(y, a) * t.read_sigma(y, a));
  EXPECT_NEAR(one, 1.0, 0.08);  // heavy tails: fourth moment near 6
  EXPECT_NEAR(two, 1.0, 0.08);
  EXPECT_NEAR(product, 0.6 * share, 0.06);
  EXPECT_GT(fourth, 3.6);  // a normal has 3
}

}  // namespace
}  // namespace errata::errormodel
