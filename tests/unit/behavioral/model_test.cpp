#include "behavioral/model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "behavioral/line/current_mode.h"
#include "core/quantity.h"
#include "tests/support/expect_error.h"
#include "tests/support/noise_sums.h"
#include "tests/support/random_line.h"
#include "tests/support/temporary_folder.h"

namespace errata::behavioral {
namespace {

using testing::expect_error;
using testing::TemporaryFolder;

/// An ohmic cell with one lognormal draw: I = V·g(level)·exp(0.1·z), nothing when the input is 0 but a thousandth.
/// `change` damages the family before it becomes the model's.
BehavioralModel example(std::size_t rows = 8, const std::function<void(CurrentMode&)>& change = {}) {
  BehavioralModel m;
  m.provenance = {
      .format = BehavioralModel::kFormat, .major_version = BehavioralModel::kMajor, .config = "x = 1\n", .seed = 3};
  m.array = {.rows = rows,
             .wire_ohms = 1,
             .clamp_ohms = 50,
             .clamp_volts = 0.2,
             .temperature_kelvin = 300,
             .bandwidth_hertz = 5e7};
  m.mismatch = {
      {.name = "g", .device = "rmem", .parameter = "resistance", .lognormal = true, .sigma = {0.1}},
      {.name = "offset", .scope = MismatchScope::kColumn, .device = "clamp", .parameter = "voltage", .sigma = {2e-3}}};
  m.cell_terms = {0};
  m.noise = {{.name = "rtn", .sigma = {0.08, 0.04}}, {.name = "comparator", .cell_relative = false, .sigma = {6e-7}}};
  auto family = std::make_shared<CurrentMode>();
  CellModel& cell = family->cell;
  cell = {.inputs = 2, .levels = 2, .terms = 1, .center_volts = 0.15, .scale_volts = 0.1, .degree = 1};
  cell.exponents = {0, 0, 0, 1};  // 1, z
  for (const double g : {4e-9, 4e-8, 4e-6, 4e-5}) cell.coefficients.insert(cell.coefficients.end(), {std::log(g), 0.4});
  const double scale = 4 * kBoltzmannJoulesPerKelvin * 300 * 5e7;
  family->thermal_square_amperes = {scale * 4e-9, scale * 4e-8, scale * 4e-6, scale * 4e-5};
  if (change) change(*family);
  m.family = family;
  m.transfer = {1e-8, 7e-6};
  m.minimum_conductance = 0.1;
  m.fit_quality = {1, 0.1, 0.2, 0.3, 0.4, 5, 0.6};
  m.validation = {.rms = 0.01,
                  .noise_ratio = 0.99,
                  .passed = true,
                  .mac = {1, 2},
                  .model_error = {0.1, 0.2},
                  .circuit_error = {0.3, 0.4},
                  .residual = {-0.2, -0.2}};
  return m;
}

const CurrentMode& family_of(const BehavioralModel& m) { return dynamic_cast<const CurrentMode&>(*m.family); }

TEST(Prepare, ExpandsEveryCellWithItsOwnDraw) {
  const BehavioralModel m = example();
  const std::vector<std::uint8_t> levels = {0, 1, 1, 0, 1, 0, 0, 1};
  const auto periphery = circuit::line_periphery(m.array, m.mismatch, 3, {5, 6});
  std::vector<double> draws;
  for (std::size_t j = 0; j < 8; ++j) draws.push_back(unit_draw(3, m.mismatch[0], 0, {5, 6}, j));
  const PreparedLine line = family_of(m).expand({m.array, m.noise, m.mismatch, periphery, levels, draws});
  EXPECT_EQ(line.clamp_volts, periphery.clamp_volts);
  EXPECT_NE(line.clamp_volts, 0.2);
  EXPECT_EQ(line.levels, levels);
  for (std::size_t j = 0; j < 8; ++j) {
    const double g = (levels[j] == 1 ? 4e-5 : 4e-6) * std::exp(0.1 * draws[j]);
    EXPECT_NEAR(line.cell(1, j).a / (g * line.clamp_volts), 1, 1e-12);
    EXPECT_NEAR(line.cell(1, j).b / g, 1, 1e-10);  // an ohmic cell: the slope is the conductance
    EXPECT_NEAR(line.cell(1, j).c / g, 0, 1e-8);   // and there is no curvature
  }
  const auto ideal = circuit::nominal_periphery(m.array, m.mismatch);
  const std::vector<double> zeros(8, 0.0);
  const PreparedLine nominal = family_of(m).expand({m.array, m.noise, m.mismatch, ideal, levels, zeros});
  EXPECT_EQ(nominal.clamp_volts, 0.2);
  EXPECT_NEAR(nominal.cell(1, 1).a, 4e-5 * 0.2, 1e-18);
  // The model takes the same periphery and draws.
  const auto inputs = testing::random_inputs(8, 20, 5);
  std::vector<double> expected(20), found(20);
  solve_lines(line, PackedInputs(inputs, 8, 8, 2), expected);
  m.prepare(3, {5, 6}, levels)->read(inputs, 8, found);
  EXPECT_EQ(found, expected);
  solve_lines(nominal, PackedInputs(inputs, 8, 8, 2), expected);
  m.prepare_nominal(levels)->read(inputs, 8, found);
  EXPECT_EQ(found, expected);
  EXPECT_EQ(m.prepare_nominal(levels)->rows(), 8u);
}

TEST(NoiseVariances, OfAnIdealLineAreTheSums) {
  BehavioralModel m = example();
  m.array.wire_ohms = m.array.clamp_ohms = 0;
  const std::vector<std::uint8_t> levels = {0, 1, 1, 0, 1, 0, 0, 1}, inputs = {1, 1, 0, 0, 1, 0, 1, 0};
  const auto v = m.prepare_nominal(levels)->noise_variances(inputs.data());
  ASSERT_EQ(v.size(), 3u);
  double thermal = 0, rtn = 0;
  for (std::size_t j = 0; j < 8; ++j) {
    thermal += family_of(m).thermal_square_amperes[inputs[j] * 2 + levels[j]];
    if (inputs[j] == 1) rtn += std::pow((levels[j] == 1 ? 0.04 * 4e-5 : 0.08 * 4e-6) * 0.2, 2);
  }
  EXPECT_NEAR(v[0] / thermal, 1, 1e-12);
  EXPECT_NEAR(v[1] / rtn, 1, 1e-12);
  EXPECT_NEAR(v[2] / 3.6e-13, 1, 1e-12);
  EXPECT_EQ(m.noise_names(), (std::vector<std::string>{"thermal", "rtn", "comparator"}));
}

TEST(NoiseVariances, OfAClampAndOneCellIsThatOfTheSeriesResistance) {
  // Both resistors at one temperature in series: 4kTB/(R + R_clamp).
  BehavioralModel m = example(1);
  m.array.clamp_ohms = 2e4;
  const std::vector<std::uint8_t> level = {1}, input = {1};
  const double expected = 4 * kBoltzmannJoulesPerKelvin * 300 * 5e7 / (1 / 4e-5 + 2e4);
  EXPECT_NEAR(m.prepare_nominal(level)->noise_variances(input.data())[0] / expected, 1, 1e-4);
}

TEST(ReadVariance, IsCloseToTheSolvedVariances) {
  const BehavioralModel m = example(64);
  std::vector<std::uint8_t> levels(64);
  for (std::size_t j = 0; j < 64; ++j) levels[j] = j * 7 % 3 == 0 ? 0 : 1;
  auto inputs = testing::random_inputs(64, 20, 5);
  std::fill(inputs.begin(), inputs.begin() + 64, 0);  // one read without any active row
  const auto line = m.prepare(3, {5, 6}, levels);
  std::vector<double> current(20);
  line->read(inputs, 64, current);
  for (std::size_t r = 0; r < 20; ++r) {
    const std::uint8_t* x = inputs.data() + 64 * r;
    double expected = 0;
    for (const double v : line->noise_variances(x)) expected += v;
    // Tighter than what the header promises, which is 5 % in sigma.
    EXPECT_NEAR(line->read_variance(current[r], testing::noise_sums(*line, x)) / expected, 1, 0.05) << r;
  }
  testing::expect_variances_in_bulk(*line, inputs, current);
}

TEST(BehavioralModel, RoundTrip) {
  const TemporaryFolder folder;
  const BehavioralModel m = example();
  m.save(folder / "m.h5");
  const auto back = BehavioralModel::load(folder / "m.h5");
  EXPECT_EQ(back.provenance.fingerprint(), m.provenance.fingerprint());
  EXPECT_EQ(family_of(back).cell.coefficients, family_of(m).cell.coefficients);
  EXPECT_EQ(family_of(back).cell.exponents, family_of(m).cell.exponents);
  EXPECT_EQ(family_of(back).thermal_square_amperes, family_of(m).thermal_square_amperes);
  EXPECT_EQ(back.transfer.offset, m.transfer.offset);
  EXPECT_EQ(back.transfer.unit, m.transfer.unit);
  EXPECT_EQ(back.minimum_conductance, 0.1);
  EXPECT_EQ(back.fit_quality, m.fit_quality);
  EXPECT_EQ(back.validation.rms, 0.01);
  EXPECT_EQ(back.validation.noise_ratio, 0.99);
  EXPECT_TRUE(back.validation.passed);
  EXPECT_EQ(back.validation.residual, m.validation.residual);
  const std::vector<std::uint8_t> levels = {0, 1, 1, 0, 1, 0, 0, 1}, inputs = {1, 1, 0, 0, 1, 0, 1, 0};
  std::vector<double> a(1), b(1);
  m.prepare(9, {1, 2}, levels)->read(inputs, 8, a);
  back.prepare(9, {1, 2}, levels)->read(inputs, 8, b);
  EXPECT_EQ(a, b);
}

TEST(BehavioralModel, SeveralOperatingPointsRoundTripWithWhatTheFitSays) {
  const TemporaryFolder folder;
  BehavioralModel cold = example(), hot = example();
  cold.parameters = {{"input 0, level 1", "bit^2", {1, 0.5, 1.5}, 30, true}, {"lines", "offset", {2, 2, 2}, 3, false}};
  cold.curves = {{{CurveForm::kPolynomial, {0.1, 0, 0, -0.1, 0}},
                  32,
                  {{0.1, 0, 0.2}, {0, 0, 0}, {0, 0, 0}, {-0.1, -0.2, 0}, {0, 0, 0}},
                  0.5,
                  1.5,
                  12,
                  true},
                 {{CurveForm::kTanh, {1.5}}, 32, {{1.5, 1, 2}}, 0.6, 1.6, 1, false}};
  cold.array.supply_volts = hot.array.supply_volts = 0.9;
  hot.array.temperature_kelvin = 358.15;
  hot.transfer.unit *= 0.8;
  hot.validation.interpolation_rms = 0.03;
  const std::vector<BehavioralModel> both{cold, hot};
  save_models(both, folder / "m.h5");
  const auto back = load_models(folder / "m.h5");
  ASSERT_EQ(back.size(), 2u);
  EXPECT_EQ(back[0].array.supply_volts, 0.9);
  EXPECT_EQ(back[1].array.temperature_kelvin, 358.15);
  EXPECT_EQ(back[1].transfer.unit, hot.transfer.unit);
  EXPECT_EQ(back[1].validation.interpolation_rms, 0.03);
  EXPECT_TRUE(std::isnan(back[0].validation.interpolation_rms));
  ASSERT_EQ(back[0].parameters.size(), 2u);
  EXPECT_EQ(back[0].parameters[0].name, "bit^2");
  EXPECT_EQ(back[0].parameters[0].interval.high, 1.5);
  EXPECT_EQ(back[0].parameters[1].regression, "lines");
  EXPECT_FALSE(back[0].parameters[1].identifiable);
  ASSERT_EQ(back[0].curves.size(), 2u);
  EXPECT_EQ(back[0].curves[0].curve.parameters, cold.curves[0].curve.parameters);
  EXPECT_EQ(back[0].curves[0].parameters[3].low, -0.2);
  EXPECT_FALSE(back[0].curves[1].converged);
  EXPECT_EQ(BehavioralModel::load(folder / "m.h5").array.temperature_kelvin, cold.array.temperature_kelvin);
  // One alone is the same file as ever: no group for further points.
  save_models(std::span(both).first(1), folder / "one.h5");
  cold.save(folder / "alone.h5");
  EXPECT_TRUE(testing::bytes_of(folder / "one.h5") == testing::bytes_of(folder / "alone.h5"));
  EXPECT_EQ(load_models(folder / "one.h5").size(), 1u);
}

TEST(BehavioralModel, IsWrittenAlikeTwice) {
  const TemporaryFolder folder;
  example().save(folder / "a.h5");
  example().save(folder / "b.h5");
  EXPECT_TRUE(testing::bytes_of(folder / "a.h5") == testing::bytes_of(folder / "b.h5"));
}

TEST(BehavioralModel, WithoutMismatchOrNoiseRoundTrips) {
  const TemporaryFolder folder;
  BehavioralModel m = example(8, [](CurrentMode& f) {
    f.cell.terms = 0;
    f.cell.exponents = {0, 1};
  });
  m.mismatch.clear();
  m.noise.clear();
  m.cell_terms.clear();
  m.save(folder / "m.h5");
  const auto back = BehavioralModel::load(folder / "m.h5");
  const std::vector<std::uint8_t> levels(8, 1), inputs(8, 1);
  const auto v = back.prepare(1, {0, 0}, levels)->noise_variances(inputs.data());
  ASSERT_EQ(v.size(), 1u);
  EXPECT_GT(v[0], 0);
}

TEST(BehavioralModel, RefusesHostileFiles) {
  const TemporaryFolder folder;
  const auto cell = [](const std::function<void(CurrentMode&)>& change) {
    return [change](BehavioralModel& m) { m = example(8, change); };
  };
  const std::vector<std::pair<const char*, std::function<void(BehavioralModel&)>>> damages = {
      {"three inputs", cell([](CurrentMode& f) {
         f.cell.inputs = 3;
         f.cell.coefficients.resize(12);
         f.thermal_square_amperes.resize(6);
       })},
      {"degree 9", cell([](CurrentMode& f) { f.cell.degree = 9; })},
      {"exponent above the degree", cell([](CurrentMode& f) { f.cell.exponents[3] = 2; })},
      {"no scale", cell([](CurrentMode& f) { f.cell.scale_volts = 0; })},
      {"scale is no number", cell([](CurrentMode& f) { f.cell.scale_volts = std::nan(""); })},
      {"no mismatch range", cell([](CurrentMode& f) { f.cell.mismatch_range = 0; })},
      {"unlisted term", [](BehavioralModel& m) { m.cell_terms[0] = 2; }},
      {"sigma of three levels",
       [](BehavioralModel& m) {
         m.noise[0].sigma = {1, 2, 3};
       }},
      {"unit 0", [](BehavioralModel& m) { m.transfer.unit = 0; }},
      {"unit is no number", [](BehavioralModel& m) { m.transfer.unit = std::nan(""); }},
      {"residuals for fewer conversions",
       [](BehavioralModel& m) {
         m.validation.mac.resize(1);
         m.validation.model_error.resize(1);
         m.validation.circuit_error.resize(1);
       }},
      {"5000 rows", [](BehavioralModel& m) { m.array.rows = 5000; }},
      {"a family for another way to read", [](BehavioralModel& m) { m.array.read = circuit::ReadMode::kCharge; }},
  };
  for (const auto& [what, damage] : damages) {
    BehavioralModel m = example();
    damage(m);
    SCOPED_TRACE(what);
    bool written = true;
    try {
      m.save(folder / "m.h5");
    } catch (const Error&) {
      written = false;  // the writer refuses arrays of another shape by itself
    }
    if (written) expect_error(ExitStatus::kArtifact, "E403", [&] { BehavioralModel::load(folder / "m.h5"); });
  }
  BehavioralModel other = example();
  other.provenance.major_version = 9;
  other.save(folder / "m.h5");
  expect_error(ExitStatus::kArtifact, "E405", [&] { BehavioralModel::load(folder / "m.h5"); });
  expect_error(ExitStatus::kArtifact, "E402", [&] { BehavioralModel::load(folder.write("t.h5", "text")); });
}

}  // namespace
}  // namespace errata::behavioral
