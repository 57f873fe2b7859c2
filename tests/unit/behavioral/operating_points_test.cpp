#include "behavioral/operating_points.h"

#include <gtest/gtest.h>

#include <cmath>

#include "behavioral/fit.h"
#include "circuit/characterize.h"
#include "core/statistics.h"
#include "tests/support/expect_error.h"
#include "tests/support/noise_sums.h"
#include "tests/support/small_macro.h"

namespace errata::behavioral {
namespace {

using testing::expect_error;
using testing::TemporaryFolder;

TEST(InterpolationWeights, AreExactForLinesAndParabolas) {
  const std::vector<double> two{1, 3}, four{0, 1, 4, 9};
  EXPECT_EQ(interpolation_weights(std::vector{2.0}, 2.0), std::vector{1.0});
  const auto value = [](std::span<const double> nodes, double x, const auto& f) {
    const auto w = interpolation_weights(nodes, x);
    double sum = 0.0;
    for (std::size_t k = 0; k < nodes.size(); ++k) sum += w[k] * f(nodes[k]);
    return sum;
  };
  EXPECT_NEAR(value(two, 2.5, [](double x) { return 3 * x - 1; }), 6.5, 1e-14);
  for (const double x : {0.0, 0.5, 1.0, 3.0, 6.0, 9.0})
    EXPECT_NEAR(value(four, x, [](double t) { return t * t - 2 * t + 3; }), x * x - 2 * x + 3, 1e-12) << x;
  EXPECT_EQ(interpolation_weights(four, 9.0), (std::vector<double>{0, 0, 0, 1}));
}

struct Fitted {
  circuit::Characterization data;
  BehavioralModel model;
};

/// The shipped RRAM macro at a temperature: a small design.
Fitted at_temperature(double celsius) {
  const TemporaryFolder folder;
  const Settings s = testing::small_settings({{"circuit.temperature", std::to_string(celsius) + " degC"},
                                              {"circuit.design.chips", "2"},
                                              {"circuit.design.operands", "8"}});
  Fitted f;
  f.data = circuit::characterize(s, folder.path(), RunContext{});
  f.model = fit_model(f.data, s,
                      {.format = BehavioralModel::kFormat, .major_version = BehavioralModel::kMajor, .seed = s.seed()});
  return f;
}

double rms_against(const Fitted& truth, const BehavioralModel& model) {
  std::vector<double> residual;
  for (std::size_t chip = 0; chip < truth.data.columns.chips; ++chip)
    for (std::size_t column = 0; column < truth.data.columns.columns; ++column) {
      const auto read = model.read_column(truth.data.provenance.seed, chips::kCharacterization + chip, column,
                                          truth.data.columns.design(chip, column));
      for (std::size_t o = 0; o < read.size(); ++o)
        residual.push_back((read[o] - truth.data.columns.difference(chip, column, o)) / model.transfer.unit);
    }
  return root_mean_square(residual);
}

TEST(OperatingPoints, BetweenThreeTemperaturesTheModelEqualsNgspice) {
  std::vector<ModelAtPoint> models;
  for (const double celsius : {27.0, -20.0, 100.0})
    models.push_back({{celsius + 273.15, 0}, at_temperature(celsius).model});
  const OperatingPoints points(models);
  const Fitted between = at_temperature(65.0);  // no model has seen it
  const BehavioralModel m = points.at({65 + 273.15, 0});
  EXPECT_EQ(m.transfer.unit, models[0].model.transfer.unit);
  EXPECT_LE(rms_against(between, m), 0.1);                // methods.md §6.1, in MAC units
  EXPECT_GT(rms_against(between, models[0].model), 0.1);  // which the model at 27 degC does not
  EXPECT_LT(rms_against(between, m), 0.5 * rms_against(between, models[0].model));
  EXPECT_NE(m.family->validity().find("253.15 ... 373.15 K"), std::string::npos) << m.family->validity();
  // At a node it is that node's model, bit for bit.
  const auto& design = between.data.columns.design(0, 0);
  EXPECT_EQ(points.at({300.15, 0}).read_column(1, 2, 0, design), models[0].model.read_column(1, 2, 0, design));
  // Noise: between that of its neighbours, and in bulk within 5 % of the exact one in σ.
  const auto line = m.prepare(1, {2, 0}, design.plus);
  std::vector<double> output(design.count());
  line->read(design.inputs, design.rows, output);
  for (std::size_t p = 0; p < design.count(); ++p) {
    double exact = 0.0;
    for (const double v : line->noise_variances(design.input(p))) exact += v;
    EXPECT_NEAR(std::sqrt(line->read_variance(output[p], testing::noise_sums(*line, design.input(p))) / exact), 1,
                0.05);
    const double thermal = line->noise_variances(design.input(p))[0];
    EXPECT_GT(thermal, models[1].model.prepare(1, {2, 0}, design.plus)->noise_variances(design.input(p))[0]);
    EXPECT_LT(thermal, models[2].model.prepare(1, {2, 0}, design.plus)->noise_variances(design.input(p))[0]);
  }
  testing::expect_exact_variances_in_bulk(*line, design.inputs);
  for (const double celsius : {-20.1, 100.1})
    expect_error(ExitStatus::kComputation, "E525", [&] { points.at({celsius + 273.15, 0}); });
  const TemporaryFolder folder;
  expect_error(ExitStatus::kUsage, "E525", [&] { m.save(folder / "m.h5"); });
}

TEST(OperatingPoints, NeedsAGridOfLikeModels) {
  const BehavioralModel& m = testing::small_model();
  expect_error(ExitStatus::kComputation, "E525", [&] { OperatingPoints({}); });
  expect_error(ExitStatus::kComputation, "E525", [&] { OperatingPoints({{{300, 1.0}, m}, {{350, 0.9}, m}}); });
  expect_error(ExitStatus::kComputation, "E525", [&] { OperatingPoints({{{300, 1.0}, m}, {{300, 1.0}, m}}); });
  BehavioralModel other = m;
  other.array.rows = 16;
  expect_error(ExitStatus::kComputation, "E525", [&] { OperatingPoints({{{300, 1.0}, m}, {{350, 1.0}, other}}); });
  const OperatingPoints grid({{{300, 1.0}, m}, {{350, 1.0}, m}, {{300, 0.9}, m}, {{350, 0.9}, m}});
  const auto& design = make_operands({.rows = 32, .levels = 4, .operands = 4}, 1, 2, 3);
  const auto middle = grid.at({320, 0.93}).read_column(1, 2, 0, design), alone = m.read_column(1, 2, 0, design);
  for (std::size_t p = 0; p < alone.size(); ++p) EXPECT_NEAR(middle[p] / alone[p], 1, 1e-12);
  expect_error(ExitStatus::kComputation, "E525", [&] { grid.at({320, 1.01}); });
}

}  // namespace
}  // namespace errata::behavioral
