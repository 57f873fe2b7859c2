#include "circuit/characterization.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "tests/support/expect_error.h"
#include "tests/support/temporary_folder.h"

namespace errata::circuit {
namespace {

using testing::expect_error;
using testing::TemporaryFolder;

/// Two chips, one column pair, two operands of three rows; one cell term and one of the clamp.
Characterization example() {
  Characterization c;
  c.provenance = {.format = Characterization::kFormat,
                  .major_version = Characterization::kMajor,
                  .config = "array.rows = 3\n",
                  .seed = 5};
  c.simulator = "ngspice-39";
  c.array = {.rows = 3,
             .wire_ohms = 1,
             .source_line_ohms = 2,
             .clamp_ohms = 50,
             .clamp_volts = 0.2,
             .temperature_kelvin = 300,
             .bandwidth_hertz = 5e7};
  c.mismatch = {
      {.name = "vt", .device = "m1", .parameter = "delvto", .sigma = {0.01}},
      {.name = "offset", .scope = MismatchScope::kChip, .device = "clamp", .parameter = "voltage", .sigma = {0.002}}};
  c.noise = {{.name = "rtn", .sigma = {0.1, 0.05}},
             {.name = "comparator", .cell_relative = false, .sigma = {1e-6}, .memory = 0.25}};
  c.cell = {.input_levels_volts = {0, 1},
            .weight_levels = {1e5, 1e4},
            .bit_line_volts = {0.1, 0.2, 0.3},
            .source_line_volts = {0, 0.05},
            .cell_terms = {0},
            .mismatch_points = {0, -1, 1},
            .current_amperes = {},
            .noise_square_amperes = {1, 2, 3, 4}};
  for (int i = 0; i < 2 * 2 * 3 * 2 * 3; ++i) c.cell.current_amperes.push_back(1e-6 * i);
  c.columns = {.chips = 2, .columns = 1, .operands = 2, .noise_chips = 1, .noise_operands = 1};
  c.columns.designs = {{3, {0, 1, 0}, {1, 0, 0}, {0, 1, 1, 1, 0, 0}}, {3, {1, 1, 1}, {0, 0, 0}, {1, 1, 1, 0, 0, 0}}};
  c.columns.output = {1, 2, 3, 4, 5, std::nan(""), 7, 8};
  c.columns.status = {0, 0, 0, 0, 0, 3, 1, 0};
  c.columns.noise_square = {1e-18, 2e-18};
  c.suspect_points = 1;
  c.failed_points = 1;
  return c;
}

TEST(Characterization, SeveralOperatingPointsStandInOneFile) {
  const TemporaryFolder folder;
  auto cold = example(), hot = example();
  cold.array.supply_volts = hot.array.supply_volts = 0.9;
  hot.array.temperature_kelvin = 358.15;
  hot.columns.output[0] = 17;
  save_characterizations(std::vector{cold, hot}, folder / "c.h5");
  const auto back = load_characterizations(folder / "c.h5");
  ASSERT_EQ(back.size(), 2u);
  EXPECT_EQ(back[0].array.temperature_kelvin, 300);
  EXPECT_EQ(back[1].array.temperature_kelvin, 358.15);
  EXPECT_EQ(back[1].array.supply_volts, 0.9);
  EXPECT_EQ(back[0].columns.output[0], 1);
  EXPECT_EQ(back[1].columns.output[0], 17);
  EXPECT_EQ(Characterization::load(folder / "c.h5").array.temperature_kelvin, 300);
  example().save(folder / "alone.h5");
  save_characterizations(std::vector{example()}, folder / "one.h5");
  EXPECT_TRUE(testing::bytes_of(folder / "alone.h5") == testing::bytes_of(folder / "one.h5"));
}

TEST(Characterization, RoundTrip) {
  const TemporaryFolder folder;
  const auto c = example();
  c.save(folder / "c.h5");
  const auto back = Characterization::load(folder / "c.h5");
  ASSERT_EQ(back.noise.size(), 2u);
  EXPECT_EQ(back.noise[0].memory, 0.0);
  EXPECT_EQ(back.noise[1].memory, 0.25);
  EXPECT_EQ(back.provenance.fingerprint(), c.provenance.fingerprint());
  EXPECT_EQ(back.simulator, c.simulator);
  EXPECT_EQ(back.array.rows, 3u);
  EXPECT_EQ(back.array.source_line_ohms, 2);
  EXPECT_EQ(back.array.bandwidth_hertz, 5e7);
  ASSERT_EQ(back.mismatch.size(), 2u);
  EXPECT_EQ(back.mismatch[1].scope, MismatchScope::kChip);
  EXPECT_EQ(back.mismatch[1].parameter, "voltage");
  ASSERT_EQ(back.noise.size(), 2u);
  EXPECT_EQ(back.noise[0].sigma, c.noise[0].sigma);
  EXPECT_FALSE(back.noise[1].cell_relative);
  EXPECT_EQ(back.cell.current_amperes, c.cell.current_amperes);
  EXPECT_EQ(back.cell.cell_terms, c.cell.cell_terms);
  EXPECT_EQ(back.columns.design(1, 0).plus, c.columns.design(1, 0).plus);
  EXPECT_EQ(back.columns.design(0, 0).inputs, c.columns.design(0, 0).inputs);
  EXPECT_EQ(back.columns.value(1, 0, 0, 0), 5);
  EXPECT_TRUE(std::isnan(back.columns.value(1, 0, 0, 1)));
  EXPECT_EQ(back.columns.status, c.columns.status);
  EXPECT_EQ(back.columns.noise_square, c.columns.noise_square);
  EXPECT_EQ(back.failed_points, 1);
}

TEST(Characterization, WithoutMismatchOrNoise) {
  const TemporaryFolder folder;
  auto c = example();
  c.mismatch.clear();
  c.noise.clear();
  c.cell.cell_terms.clear();
  c.cell.mismatch_points.clear();
  c.cell.current_amperes.resize(2 * 2 * 2 * 3);
  c.save(folder / "c.h5");
  const auto back = Characterization::load(folder / "c.h5");
  EXPECT_EQ(back.cell.mismatch_count(), 1u);
  EXPECT_EQ(back.cell.current(1, 1, 0, 1, 2), c.cell.current_amperes.back());
}

/// The same for a discharge: three end voltages, two loads of a reset switch with one term.
Characterization transient_example() {
  Characterization c = example();
  c.array.read = ReadMode::kDischarge;
  c.array.unit = "V";
  c.array.precharge_volts = 0.9;
  c.array.line_farads = 2e-14;
  c.array.pulse_seconds = 5e-10;
  c.mismatch[1].device = "switch.m1";
  c.cell.current_amperes.clear();
  c.charge = {.final_volts = {0.9, 0.6, 0.3},
              .charge_coulombs = {},
              .switch_farads = {2e-14, 4e-14},
              .switch_terms = {1},
              .switch_points = {0, -1, 1},
              .switch_volts = {0.88, 0.87, 0.89, 0.885, 0.884, 0.886},
              .switch_probe_volts = {0.92, 0.93}};
  for (int i = 0; i < 2 * 2 * 3 * 3; ++i) c.charge.charge_coulombs.push_back(1e-17 * i);
  c.columns.noise_chips = c.columns.noise_operands = 0;
  c.columns.noise_square.clear();
  return c;
}

TEST(Characterization, OfATransientReadRoundTrips) {
  const TemporaryFolder folder;
  const auto c = transient_example();
  c.save(folder / "c.h5");
  const auto back = Characterization::load(folder / "c.h5");
  EXPECT_EQ(back.array.read, ReadMode::kDischarge);
  EXPECT_TRUE(back.array.transient());
  EXPECT_EQ(back.array.unit, "V");
  EXPECT_EQ(back.array.precharge_volts, 0.9);
  EXPECT_EQ(back.array.line_farads, 2e-14);
  EXPECT_EQ(back.array.pulse_seconds, 5e-10);
  EXPECT_EQ(back.charge.final_volts, c.charge.final_volts);
  EXPECT_EQ(back.charge.charge_coulombs, c.charge.charge_coulombs);
  EXPECT_EQ(back.charge.switch_farads, c.charge.switch_farads);
  EXPECT_EQ(back.charge.switch_terms, c.charge.switch_terms);
  EXPECT_EQ(back.charge.switch_points, c.charge.switch_points);
  EXPECT_EQ(back.charge.switch_volts, c.charge.switch_volts);
  EXPECT_EQ(back.charge.switch_probe_volts, c.charge.switch_probe_volts);
  EXPECT_EQ(back.charge.switch_count(), 3u);
  EXPECT_TRUE(back.cell.current_amperes.empty());
  EXPECT_EQ(back.columns.output.size(), 8u);
  EXPECT_EQ(back.columns.noise_chips, 0u);
  // Without a switch, or with one that has no mismatch.
  auto ideal = transient_example();
  ideal.charge.switch_farads.clear();
  ideal.save(folder / "c.h5");
  EXPECT_TRUE(Characterization::load(folder / "c.h5").charge.switch_farads.empty());
  auto equal = transient_example();
  equal.charge.switch_terms.clear();
  equal.charge.switch_points.clear();
  equal.charge.switch_volts.resize(2);
  equal.save(folder / "c.h5");
  EXPECT_EQ(Characterization::load(folder / "c.h5").charge.switch_count(), 1u);
}

TEST(Characterization, OfATransientReadRefusesWhatContradictsItself) {
  const TemporaryFolder folder;
  const std::vector<std::pair<const char*, std::function<void(Characterization&)>>> damages = {
      {"unknown way to read", [](Characterization& c) { c.array.read = static_cast<ReadMode>(3); }},
      {"no currents of a current read", [](Characterization& c) { c.array.read = ReadMode::kCurrent; }},
      {"negative line", [](Characterization& c) { c.array.line_farads = -1e-15; }},
      {"precharge is no number", [](Characterization& c) { c.array.precharge_volts = std::nan(""); }},
      {"pulse is no number", [](Characterization& c) { c.array.pulse_seconds = std::nan(""); }},
      {"unlisted term in the switch", [](Characterization& c) { c.charge.switch_terms[0] = 2; }},
  };
  for (const auto& [what, damage] : damages) {
    auto c = transient_example();
    damage(c);
    c.save(folder / "c.h5");
    SCOPED_TRACE(what);
    expect_error(ExitStatus::kArtifact, "E403", [&] { Characterization::load(folder / "c.h5"); });
  }
}

TEST(Characterization, RefusesWhatContradictsItself) {
  const TemporaryFolder folder;
  const std::vector<std::pair<const char*, std::function<void(Characterization&)>>> damages = {
      {"stored level 2 of 2", [](Characterization& c) { c.columns.designs[0].plus[0] = 2; }},
      {"input level 2", [](Characterization& c) { c.columns.designs[1].inputs[0] = 2; }},
      {"unlisted term", [](Characterization& c) { c.cell.cell_terms[0] = 9; }},
      {"three sigmas for two levels",
       [](Characterization& c) {
         c.mismatch[0].sigma = {1, 2, 3};
       }},
      {"noise of three levels",
       [](Characterization& c) {
         c.noise[0].sigma = {1, 2, 3};
       }},
      {"no sigma", [](Characterization& c) { c.noise[0].sigma.clear(); }},
      {"negative wire", [](Characterization& c) { c.array.wire_ohms = -1; }},
      {"wire is no number", [](Characterization& c) { c.array.wire_ohms = std::nan(""); }},
      {"unknown scope", [](Characterization& c) { c.mismatch[0].scope = static_cast<MismatchScope>(7); }},
      {"more noise chips than chips",
       [](Characterization& c) {
         c.columns.noise_chips = 3;
         c.columns.noise_square.resize(6);
       }},
  };
  for (const auto& [what, damage] : damages) {
    auto c = example();
    damage(c);
    c.save(folder / "c.h5");
    SCOPED_TRACE(what);
    expect_error(ExitStatus::kArtifact, "E403", [&] { Characterization::load(folder / "c.h5"); });
  }
}

TEST(Characterization, RefusesOtherVersionsAndFormats) {
  const TemporaryFolder folder;
  auto c = example();
  c.provenance.major_version = Characterization::kMajor + 1;
  c.save(folder / "c.h5");
  expect_error(ExitStatus::kArtifact, "E405", [&] { Characterization::load(folder / "c.h5"); });
  c = example();
  c.provenance.format = "behavioral";
  c.save(folder / "c.h5");
  expect_error(ExitStatus::kArtifact, "E405", [&] { Characterization::load(folder / "c.h5"); });
  expect_error(ExitStatus::kArtifact, "E401", [&] { Characterization::load(folder / "missing.h5"); });
}

TEST(LinePeriphery, MovesClampVoltageResistanceAndOffset) {
  const ArrayConstants array{.clamp_ohms = 50, .clamp_volts = 0.2};
  const auto term = [](MismatchScope scope, const char* parameter, bool lognormal, double sigma) {
    return MismatchTerm{.name = parameter,
                        .scope = scope,
                        .device = "clamp",
                        .parameter = parameter,
                        .lognormal = lognormal,
                        .sigma = {sigma}};
  };
  const std::vector<MismatchTerm> terms = {term(MismatchScope::kColumn, "voltage", false, 0.01),
                                           term(MismatchScope::kChip, "voltage", false, 0.02),
                                           term(MismatchScope::kColumn, "resistance", true, 0.1),
                                           term(MismatchScope::kColumn, "offset_current", false, 1e-6),
                                           {.name = "cell", .device = "m1", .parameter = "delvto", .sigma = {1}}};
  const LineId line{3, 4};
  const auto p = line_periphery(array, terms, 1, line);
  const auto z = [&](std::size_t t) { return unit_draw(1, terms[t], t, line, 0); };
  EXPECT_DOUBLE_EQ(p.clamp_volts, 0.2 + 0.01 * z(0) + 0.02 * z(1));
  EXPECT_DOUBLE_EQ(p.clamp_ohms, 50 * std::exp(0.1 * z(2)));
  EXPECT_DOUBLE_EQ(p.offset_amperes, 1e-6 * z(3));
  const auto nominal = line_periphery(array, {}, 1, line);
  EXPECT_EQ(nominal.clamp_volts, 0.2);
  EXPECT_EQ(nominal.offset_amperes, 0);
}

TEST(LinePeriphery, MovesPrechargeOffsetAndDrawsForTheSwitch) {
  const ArrayConstants array{.read = ReadMode::kDischarge, .precharge_volts = 0.9};
  const std::vector<MismatchTerm> terms = {
      {.name = "p",
       .scope = MismatchScope::kChip,
       .device = "precharge",
       .parameter = "voltage",
       .lognormal = true,
       .sigma = {0.01}},
      {.name = "s1", .scope = MismatchScope::kColumn, .device = "switch.m1", .parameter = "delvto", .sigma = {0.03}},
      {.name = "o", .scope = MismatchScope::kColumn, .device = "sense", .parameter = "offset_voltage", .sigma = {5e-3}},
      {.name = "cell", .device = "m1", .parameter = "delvto", .sigma = {1}},
      {.name = "s2", .scope = MismatchScope::kColumn, .device = "switch.m2", .parameter = "delvto", .sigma = {0.03}}};
  const LineId line{3, 4};
  const auto p = line_periphery(array, terms, 1, line);
  const auto z = [&](std::size_t t) { return unit_draw(1, terms[t], t, line, 0); };
  EXPECT_DOUBLE_EQ(p.precharge_volts, 0.9 * std::exp(0.01 * z(0)));
  EXPECT_DOUBLE_EQ(p.offset_volts, 5e-3 * z(2));
  EXPECT_EQ(p.switch_draws, (std::vector<double>{z(1), z(4)}));  // unit draws, in the terms' order
  const auto nominal = nominal_periphery(array, terms);
  EXPECT_EQ(nominal.precharge_volts, 0.9);
  EXPECT_EQ(nominal.offset_volts, 0);
  EXPECT_EQ(nominal.switch_draws, (std::vector<double>{0, 0}));
}

}  // namespace
}  // namespace errata::circuit
