#include "behavioral/fit.h"

#include <gtest/gtest.h>

#include <cmath>

#include "behavioral/line/current_mode.h"
#include "circuit/characterize.h"
#include "tests/support/cell_project.h"
#include "tests/support/example_project.h"
#include "tests/support/expect_error.h"
#include "tests/support/german_locale.h"
#include "tests/support/transient_project.h"

namespace errata::behavioral {
namespace {

using testing::kDischargeProject;
using testing::kDividerCell;
using testing::kExampleProject;
using testing::kTransistorCell;
using testing::small_campaign;
using testing::TemporaryFolder;

RunContext two_jobs() {
  RunContext context;
  context.jobs = 2;
  return context;
}

BehavioralModel fitted(const Settings& s, const std::filesystem::path& artifacts) {
  return fit_model(circuit::characterize(s, artifacts, two_jobs()), s,
                   {.format = BehavioralModel::kFormat, .major_version = BehavioralModel::kMajor, .seed = s.seed()});
}

const CellModel& cell_of(const BehavioralModel& m) { return dynamic_cast<const CurrentMode&>(*m.family).cell; }

/// The shipped macro in a folder of its own, with a reduced design.
Settings shipped_macro(std::vector<SettingOverride> more = {}) {
  std::vector<SettingOverride> all = {
      {"circuit.design.chips", "4"}, {"circuit.design.columns", "2"}, {"circuit.design.operands", "16"}};
  all.insert(all.end(), more.begin(), more.end());
  return read_project(std::filesystem::path(ERRATA_SOURCE_DIR) / "netlists/rram_1t1r", all);
}

TEST(FitModel, MeetsItsSpecificationOnTheShippedMacro) {
  const TemporaryFolder folder;
  const BehavioralModel m = fitted(shipped_macro(), folder.path());
  const auto& v = m.validation;
  EXPECT_EQ(v.mac.size(), 4u * 2 * 16);
  EXPECT_TRUE(v.passed) << fit_report(m);
  EXPECT_LE(v.rms_high, 0.1) << fit_report(m);  // methods.md §6.1, in MAC units
  EXPECT_LE(v.maximum, 0.5) << fit_report(m);
  EXPECT_LE(std::fabs(v.bias), 0.05) << fit_report(m);
  EXPECT_NEAR(v.noise_ratio, 1, 0.05) << fit_report(m);
  // The errors are not small because there are none: the circuit's own are some ten times larger than the model's.
  EXPECT_GT(v.total_sigma, 10 * v.rms) << fit_report(m);
  EXPECT_GE(v.rms_high, v.rms);
  EXPECT_LE(v.rms_low, v.rms);
  EXPECT_GE(v.worst_chip_rms, v.rms);
  double sum = 0;
  for (std::size_t i = 0; i < v.residual.size(); ++i) {
    EXPECT_NEAR(v.residual[i], v.model_error[i] - v.circuit_error[i], 1e-12);
    sum += v.residual[i] * v.residual[i] / static_cast<double>(v.residual.size());
  }
  EXPECT_NEAR(std::sqrt(sum), v.rms, 1e-12);
  EXPECT_NE(fit_report(m).find("meets its specification"), std::string::npos);
}

TEST(FitModel, AWrongModelFailsItsSpecification) {
  // The same numbers with the wire left out of the physics the model is told: about 1 MAC unit of IR drop is missing.
  const TemporaryFolder folder;
  const Settings s = shipped_macro({{"array.wire_resistance", "8 Ohm"}});
  auto data = circuit::characterize(s, folder.path(), two_jobs());
  data.array.wire_ohms = 0;
  const auto m = fit_model(data, s, {.format = BehavioralModel::kFormat, .seed = s.seed()});
  EXPECT_FALSE(m.validation.passed) << fit_report(m);
  EXPECT_NE(fit_report(m).find("MISSES its specification"), std::string::npos);
}

class OddMacros : public ::testing::TestWithParam<std::vector<SettingOverride>> {};

TEST_P(OddMacros, AreFitted) {
  const TemporaryFolder folder;
  const Settings s = shipped_macro(GetParam());
  const BehavioralModel m = fitted(s, folder.path());
  EXPECT_LE(m.validation.rms, 0.1) << fit_report(m);
  // One cell alone has its own noise, not the nominal cell's that the model uses; many cells average that out.
  EXPECT_NEAR(m.validation.noise_ratio, 1, m.array.rows == 1 ? 0.15 : 0.05) << fit_report(m);
  m.save(folder / "m.h5");
  EXPECT_EQ(cell_of(BehavioralModel::load(folder / "m.h5")).coefficients, cell_of(m).coefficients);
}

const SettingOverride kFewChips{"circuit.design.chips", "2"}, kFewColumns{"circuit.design.columns", "1"};
INSTANTIATE_TEST_SUITE_P(
    All, OddMacros,
    ::testing::Values(std::vector<SettingOverride>{kFewChips, {"array.rows", "1"}, {"hardware.adc_range", "3"}},
                      std::vector<SettingOverride>{kFewChips,
                                                   kFewColumns,
                                                   {"array.rows", "256"},
                                                   {"array.clamp_resistance", "5 Ohm"},
                                                   {"array.wire_resistance", "50 mOhm"},
                                                   {"circuit.design.operands", "4"}},
                      std::vector<SettingOverride>{kFewChips, {"circuit.mismatch", "[]"}},
                      std::vector<SettingOverride>{kFewChips, {"circuit.noise_source", "[]"}},
                      std::vector<SettingOverride>{kFewChips, {"circuit.severity", "0"}},
                      // Resistances of level 0 spread by 40 %: beyond, the nominal cell's noise is not the mean one.
                      std::vector<SettingOverride>{kFewChips, {"circuit.severity", "1.333"}},
                      std::vector<SettingOverride>{kFewChips, {"array.source_line_resistance", "500 mOhm"}},
                      std::vector<SettingOverride>{kFewChips, {"circuit.temperature", "85 degC"}},
                      std::vector<SettingOverride>{
                          kFewChips,
                          {"circuit.mismatch", "[]"},
                          {"hardware.weight_bits", "4"},
                          {"circuit.noise_source", "[]"},
                          {"hardware.adc_range", "64"},
                          {"circuit.weight.levels",
                           R"(["400 kOhm","100 kOhm","56 kOhm","39 kOhm","30 kOhm","24 kOhm","20 kOhm","17 kOhm"])"}}));

TEST(FitModel, OhmicCellsAreFittedExactly) {
  const TemporaryFolder folder;
  const Settings s = testing::write_project(folder.path(), kExampleProject, kDividerCell, small_campaign());
  const BehavioralModel m = fitted(s, folder / "artifacts");
  EXPECT_LE(m.validation.rms, 2e-3) << fit_report(
      m);  // series resistance under a lognormal: the polynomial's own error
  // The model's thermal noise is that of the nominal cell; 20 % spread of the resistance leaves 1 % on average.
  EXPECT_NEAR(m.validation.noise_ratio, 1, 0.03) << fit_report(m);
}

TEST(FitModel, ACellWithoutSourceLine) {
  const TemporaryFolder folder;
  const Settings s =
      testing::write_project(folder.path(), testing::with_line(kExampleProject, 10, ""),
                             "title\n.subckt cell bl wl\nrmem bl 0 10k\nrl wl 0 1meg\n.ends\n", small_campaign());
  EXPECT_LE(fitted(s, folder / "artifacts").validation.rms, 2e-3);
}

TEST(FitModel, OfTheShippedSramMeetsItsSpecification) {
  const TemporaryFolder folder;
  folder.write("errata.toml", testing::sram_project());
  const Settings s = read_project(folder.path(), std::vector<SettingOverride>{{"circuit.design.chips", "2"},
                                                                              {"circuit.design.columns", "1"},
                                                                              {"circuit.design.operands", "6"},
                                                                              {"circuit.design.bit_line_points", "9"}});
  const BehavioralModel m = fitted(s, folder / "artifacts");
  EXPECT_EQ(m.family->name(), "floating_line");
  EXPECT_LE(m.validation.rms, 0.1) << fit_report(m);  // methods.md §6.1
  EXPECT_GT(m.validation.total_sigma, 3 * m.validation.rms) << fit_report(m);
  EXPECT_LT(m.transfer.unit, -1e-3) << fit_report(m);  // a larger y pulls the plus line further down, by millivolts
  // The model takes one density for the whole pulse, ngspice's points follow the discharge.
  EXPECT_NEAR(m.validation.noise_ratio, 1, 0.1) << fit_report(m);
  EXPECT_NE(fit_report(m).find("uV"), std::string::npos) << fit_report(m);
  EXPECT_NEAR(m.minimum_conductance, 0, 0.1);  // a cell that stores 0 does not conduct
  m.save(folder / "m.h5");
  const BehavioralModel back = BehavioralModel::load(folder / "m.h5");
  const std::vector<std::uint8_t> levels = {0, 1, 1, 0, 1, 0, 0, 1}, inputs = {1, 1, 0, 0, 1, 0, 1, 0};
  std::vector<double> a(1), b(1);
  m.prepare(9, {1, 2}, levels)->read(inputs, 8, a);
  back.prepare(9, {1, 2}, levels)->read(inputs, 8, b);
  EXPECT_EQ(a, b);
}

/// A transient project of a known cell, 8 rows, 4 levels.
Settings transient_project(const TemporaryFolder& folder, const std::string& project, const std::string& netlist,
                           std::vector<SettingOverride> more = {}) {
  more.insert(more.begin(), {{"array.rows", "8"},
                             {"circuit.design.columns", "1"},
                             {"circuit.design.operands", "8"},
                             {"circuit.design.bit_line_points", "7"}});
  return testing::write_project(folder.path(), project, netlist, small_campaign(more));
}

TEST(FitModel, OfLinearCellsOnAFloatingLineIsExact) {
  // The charges of an ohmic cell over the end voltage do not depend on the others', nor do constant currents or
  // capacitors: what is left is the spline's, the degree's and the simulator's error. A MAC unit is some 20 mV.
  const TemporaryFolder folder;
  std::string charge = kDischargeProject;
  for (const auto& [from, to] : {std::pair{"\"gread\"", "\"cmom\""},
                                 {"parameter = \"gain\"", "parameter = \"capacitance\""},
                                 {"read = \"discharge\"", "read = \"charge\""},
                                 {"pulse = \"0.5 ns\"", "pulse = \"1 ns\""}})
    charge.replace(charge.find(from), std::string_view(from).size(), to);
  // The model moves the output of a line by its precharge error, which is not what a conductance does.
  std::string ohmic = kDischargeProject;
  ohmic.replace(ohmic.find("\"10 mV\""), 7, "\"10 uV\"");
  const std::vector<SettingOverride> as_written, ideal = {{"circuit.mismatch", "[]"}};
  for (const auto& [project, cell, sign] :
       {std::tuple{std::string(kDischargeProject), testing::kConstantCurrentCell, -1},
        {ohmic, testing::kOhmicCell, -1},
        {charge, testing::kCapacitorCell, 1}})
    for (const auto& overrides : {as_written, ideal}) {
      const Settings s = transient_project(folder, project, cell, overrides);
      std::filesystem::remove_all(folder / "artifacts");
      const BehavioralModel m = fitted(s, folder / "artifacts");
      EXPECT_LE(m.validation.rms, 2e-3) << cell << fit_report(m);
      EXPECT_GT(sign * m.transfer.unit, 5e-3) << cell << fit_report(m);
      EXPECT_GT(m.validation.total_sigma, 0.1) << cell << fit_report(m);
    }
}

TEST(FitModel, AResetSwitchLoadsTheLineToo) {
  const std::string netlist = std::string(testing::kConstantCurrentCell) + testing::kInjectingSwitch;
  for (const char* pulse : {"0.5 ns", "1 ns"}) {  // over before the line is sampled, and not
    const TemporaryFolder folder;
    const Settings s = transient_project(folder, kDischargeProject, netlist,
                                         {{"array.reset_switch", "reset"}, {"circuit.timing.pulse", pulse}});
    const BehavioralModel m = fitted(s, folder / "artifacts");
    EXPECT_LE(m.validation.rms, 2e-3) << fit_report(m);
  }
}

TEST(FitModel, IsTheSameInADecimalCommaLocale) {
  const TemporaryFolder folder;
  const Settings s = testing::write_project(folder.path(), kExampleProject, kTransistorCell, small_campaign());
  fitted(s, folder / "artifacts").save(folder / "c.h5");
  const testing::GermanLocale german;
  if (!german.active()) GTEST_SKIP() << "no de_DE.UTF-8 and no localedef";
  const Settings g = read_project(folder.path(), small_campaign());
  const BehavioralModel m = fitted(g, folder / "artifacts");
  m.save(folder / "de.h5");
  EXPECT_TRUE(testing::bytes_of(folder / "c.h5") == testing::bytes_of(folder / "de.h5"));
  EXPECT_EQ(fit_report(m).find("0,0"), std::string::npos);
}

TEST(FitModel, SaysWhenNoiseIsUnknown) {
  const TemporaryFolder folder;
  const Settings s = testing::write_project(folder.path(), kExampleProject, kTransistorCell, small_campaign());
  auto data = circuit::characterize(s, folder / "artifacts", two_jobs());
  data.cell.noise_square_amperes[3] = std::nan("");
  testing::expect_error(ExitStatus::kComputation, "E504", [&] { fit_model(data, s, {.seed = 7}); });
}

TEST(NominalTransfer, NeedsDifferentMacs) {
  const TemporaryFolder folder;
  const Settings s = testing::write_project(folder.path(), kExampleProject, kTransistorCell, small_campaign());
  const BehavioralModel m = fitted(s, folder / "artifacts");
  testing::expect_error(ExitStatus::kComputation, "E504", [&] { nominal_transfer(m, 0.01, 1); });
  // About one level's current; the line is odd in y, so its offset is small.
  const Transfer t = nominal_transfer(m, 6, s.seed());
  EXPECT_NEAR(t.unit, m.transfer.unit, 1e-12);
  EXPECT_LT(std::fabs(t.offset), 0.2 * t.unit);
  EXPECT_DOUBLE_EQ(t.to_mac(t.offset + 3 * t.unit), 3);
}

}  // namespace
}  // namespace errata::behavioral
