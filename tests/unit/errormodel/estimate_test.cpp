// The estimators on data from the generative form itself, with every component known.
#include "errormodel/estimation/estimate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "core/random_stream.h"

namespace errata::errormodel {
namespace {

struct Truth {
  double chip_offset = 0.3, chip_gain = 0.2;
  double column_offset = 0.8, column_gain_y = 0.3, column_gain_a = 0.25;
  double cell[4] = {0.04, 0.10, 0.14, 0.18};
};

/// φ of the truth on fixed scales; the estimator finds its own, so covariances are compared as variances at points.
double static_variance(double offset, double gain_y, double gain_a, double y, double a) {
  const double fy = y / 15.0, fa = (a - 45.0) / 30.0;
  return offset * offset + gain_y * gain_y * fy * fy + gain_a * gain_a * fa * fa;
}

Observations simulate(const Truth& t, std::size_t chips, std::size_t columns, std::size_t operands,
                      std::uint64_t seed) {
  Observations o;
  o.chips = chips;
  o.columns = columns;
  o.minimum_conductance = 0.2;
  o.source_names = {"thermal"};
  const OperandDesign design{.rows = 64, .levels = 4, .operands = operands, .mac_limit = 30};
  const double g[4] = {0.0, 1.05, 1.95, 3.1};
  for (std::size_t chip = 0; chip < chips; ++chip) {
    RandomStream at_chip(seed, StreamPurpose::kTest, 1, 0, chip);
    const double c0 = t.chip_offset * at_chip.normal(), c1 = t.chip_gain * at_chip.normal();
    for (std::size_t column = 0; column < columns; ++column) {
      RandomStream at(seed, StreamPurpose::kTest, 2, column, chip);
      const double k0 = t.column_offset * at.normal(), k1 = t.column_gain_y * at.normal(),
                   k2 = t.column_gain_a * at.normal();
      o.designs.push_back(make_operands(design, seed, chip, column));
      const ColumnOperands& d = o.designs.back();
      std::vector<double> zp, zm;
      for (std::size_t j = 0; j < d.rows; ++j) zp.push_back(at.normal()), zm.push_back(at.normal());
      for (std::size_t p = 0; p < d.count(); ++p) {
        const double y = d.mac(p), a = d.second_axis(p, o.minimum_conductance);
        double v = c0 + k0 + (c1 + k1) * y / 15.0 + k2 * (a - 45.0) / 30.0;
        for (std::size_t j = 0; j < d.rows; ++j)
          if (d.input(p)[j] != 0)
            v += g[d.plus[j]] + t.cell[d.plus[j]] * zp[j] - g[d.minus[j]] - t.cell[d.minus[j]] * zm[j];
        o.value.push_back(v);
        o.source_variance.push_back(0.09);
      }
    }
  }
  return o;
}

double at_point(const ErrorTable& t, const Covariance& c, double y, double a) {
  const auto p = t.phi(y, a);
  double v = 0;
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) v += p[i] * p[j] * c[3 * i + j];
  return v;
}

/// Truth within four standard errors: false alarm below 1e-4 for each assertion.
void expect_within(const Interval& i, double truth, const char* what) {
  const double error = (i.high - i.low) / 2 / 2.02;  // a 95 % t interval with about 40 degrees of freedom
  EXPECT_LT(std::fabs(i.estimate - truth), 4 * error + 1e-9)
      << what << ": " << i.estimate << " for " << truth << " +- " << error;
}

ErrorTable estimated(const Observations& o) {
  ErrorTable t;
  estimate_terms(o, {.y_points = 21, .a_points = 9, .y_limit = 40}, t);
  return t;
}

TEST(Estimate, RecoversEveryComponent) {
  const Truth truth;
  const ErrorTable t = estimated(simulate(truth, 40, 20, 32, 11));
  for (std::size_t k = 0; k < 4; ++k) expect_within(t.cell_interval[k], truth.cell[k] * truth.cell[k], "s^2");
  // Columns: 800 degrees of freedom, 5 % of a variance each; chips: 40, 22 %. Four standard errors.
  for (const auto& [y, a] : {std::pair{0.0, 20.0}, {15.0, 60.0}, {-15.0, 45.0}}) {
    const double column = static_variance(truth.column_offset, truth.column_gain_y, truth.column_gain_a, y, a);
    EXPECT_NEAR(at_point(t, t.column, y, a), column, 4 * 0.05 * column + 0.02);
    const double chip = static_variance(truth.chip_offset, truth.chip_gain, 0, y, a);
    EXPECT_NEAR(at_point(t, t.chip, y, a), chip, 4 * 0.22 * chip + 0.02);
  }
  EXPECT_NEAR(t.level[1] / t.level[3], 1.05 / 3.1, 0.01);
  EXPECT_NEAR(t.read_sigma(0, 40), 0.3, 1e-3);
}

TEST(Estimate, NoColumnTermGivesNone) {
  Truth truth;
  truth.column_offset = truth.column_gain_y = truth.column_gain_a = 0;
  const ErrorTable t = estimated(simulate(truth, 40, 20, 32, 12));
  for (std::size_t k : {0u, 3u, 5u}) expect_within(t.column_interval[k], 0.0, "column diagonal");
  for (std::size_t k = 0; k < 4; ++k) expect_within(t.cell_interval[k], truth.cell[k] * truth.cell[k], "s^2");
}

TEST(Estimate, NoCellTermGivesNone) {
  Truth truth;
  for (double& s : truth.cell) s = 0;
  const ErrorTable t = estimated(simulate(truth, 40, 20, 32, 13));
  for (std::size_t k = 0; k < 4; ++k) {
    expect_within(t.cell_interval[k], 0.0, "s^2");
    EXPECT_LT(t.cell_sigma[k], 0.02);
  }
  const double column = static_variance(truth.column_offset, truth.column_gain_y, truth.column_gain_a, 0, 45);
  EXPECT_NEAR(at_point(t, t.column, 0, 45), column, 4 * 0.05 * column);
}

TEST(Estimate, NoChipTermGivesNone) {
  Truth truth;
  truth.chip_offset = truth.chip_gain = 0;
  const ErrorTable t = estimated(simulate(truth, 40, 20, 32, 14));
  for (std::size_t k : {0u, 3u, 5u}) expect_within(t.chip_interval[k], 0.0, "chip diagonal");
}

TEST(Estimate, CellIsNotSwallowedByColumn) {
  // The mistake that methods.md §3.3 names: regressing each column on φ and calling that K takes half of the cells.
  Truth truth;
  truth.column_offset = truth.column_gain_y = truth.column_gain_a = 0.0;
  truth.chip_offset = truth.chip_gain = 0.0;
  const ErrorTable t = estimated(simulate(truth, 40, 20, 32, 15));
  EXPECT_LT(at_point(t, t.column, 0, 45), 0.03);
}

TEST(Estimate, TooFewChipsAreRefused) {
  EXPECT_THROW(
      {
        try {
          estimated(simulate({}, 4, 4, 16, 1));
        } catch (const Error& e) {
          EXPECT_EQ(e.code(), "E504");
          throw;
        }
      },
      Error);
}

}  // namespace
}  // namespace errata::errormodel
