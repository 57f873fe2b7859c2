// Temperature as an axis from the netlist to the verdict: characterised at two, used at one between them.
#include "behavioral/operating_points.h"

#include <gtest/gtest.h>

#include <cmath>

#include "circuit/characterize.h"
#include "core/statistics.h"
#include "errormodel/table/operating_point.h"
#include "tests/support/cli_project.h"

namespace errata {
namespace {

using testing::CliProject;
using testing::ProgramResult;

const std::string kTwo = "--set 'circuit.further_temperatures=\"85 degC\"'";

void expect_says(const ProgramResult& result, int status, const std::string& text) {
  EXPECT_EQ(result.status, status) << result.output;
  EXPECT_NE(result.output.find(text), std::string::npos) << "no '" << text << "' in:\n" << result.output;
}

/// The project's settings with the reduced design and more.
Settings settings_of(const CliProject& p, const std::vector<SettingOverride>& more) {
  std::vector<SettingOverride> all;
  std::string text = CliProject::kReduced;
  for (std::size_t at = 0; (at = text.find("--set ", at)) != std::string::npos;) {
    at += 6;
    const std::string one = text.substr(at, text.find(' ', at) - at);
    all.push_back({one.substr(0, one.find('=')), one.substr(one.find('=') + 1)});
  }
  all.insert(all.end(), more.begin(), more.end());
  return read_project(p.path(), all);
}

/// New chips and operands, simulated at the settings' own temperature.
struct FreshColumns {
  std::vector<ColumnOperands> operands;
  std::vector<std::uint64_t> chip;
  std::vector<std::vector<double>> output;  ///< of ngspice, A
};

FreshColumns simulate_fresh(const Settings& s, const behavioral::BehavioralModel& model) {
  constexpr std::size_t kColumns = 6, kOperands = 8;
  FreshColumns fresh;
  std::vector<circuit::ColumnRequest> requests;
  const OperandDesign design{.rows = model.array.rows, .levels = model.levels(), .operands = kOperands};
  for (std::uint64_t k = 0; k < kColumns; ++k) {
    fresh.chip.push_back(chips::kReplay + k);
    fresh.operands.push_back(make_operands(design, 77, k, 0));
    const ColumnOperands& o = fresh.operands.back();
    for (std::size_t p = 0; p < kOperands; ++p)
      for (std::size_t b = 0; b < o.branches(); ++b)
        requests.push_back({{fresh.chip.back(), b}, o.branch(b), {o.input(p), o.input(p) + o.rows}});
  }
  const auto outputs = circuit::simulate_columns(s, s.seed(), requests, RunContext{});
  for (std::size_t k = 0; k < kColumns; ++k) {
    fresh.output.emplace_back();
    for (std::size_t p = 0; p < kOperands; ++p)
      fresh.output.back().push_back(outputs[2 * (k * kOperands + p)] - outputs[2 * (k * kOperands + p) + 1]);
  }
  return fresh;
}

/// RMS of the model against ngspice, MAC units.
double rms_of(const behavioral::BehavioralModel& model, std::uint64_t seed, const FreshColumns& fresh) {
  std::vector<double> residual;
  for (std::size_t k = 0; k < fresh.operands.size(); ++k) {
    const auto read = model.read_column(seed, fresh.chip[k], 0, fresh.operands[k]);
    for (std::size_t p = 0; p < read.size(); ++p)
      residual.push_back((read[p] - fresh.output[k][p]) / model.transfer.unit);
  }
  return root_mean_square(residual);
}

/// RMS of what a table says of columns without mismatch against the model's own nominal columns, MAC units.
double rms_of(const errormodel::ErrorTable& t, const behavioral::BehavioralModel& model) {
  std::vector<double> residual;
  const OperandDesign design{.rows = t.rows, .levels = t.levels, .operands = 24, .mac_limit = t.adc.range};
  for (std::uint64_t k = 0; k < 16; ++k) {
    const auto o = make_operands(design, 78, k, 0);
    const auto output = model.read_nominal_column(o);
    for (std::size_t p = 0; p < o.count(); ++p) {
      const double y = t.static_sum(o, p);
      residual.push_back(y + t.mean_shift(y, o.second_axis(p, t.minimum_conductance)) -
                         model.transfer.to_mac(output[p]));
    }
  }
  return root_mean_square(residual);
}

TEST(OperatingPoints, GoFromTheNetlistToTheTableAndHoldBetween) {
  const CliProject p;
  expect_says(p.run("run", "--to compile --jobs 2 " + kTwo), 0, "85 degC, 1 V: error table");
  expect_says(testing::errata("inspect " + p.artifact("error_table.h5").string()), 0, "operating point 85 degC, 1 V");
  expect_says(testing::errata("inspect " + p.artifact("characterization.h5").string()), 0, "/op[1]/columns/output");
  expect_says(p.run("status", kTwo), 0, "compile       fresh");
  expect_says(p.run("status", ""), 0, "circuit.further_temperatures = 358.15' is gone");

  const Settings nominal = settings_of(p, {});
  const Settings between = settings_of(p, {{"hardware.temperature", "56 degC"}});
  const auto model = behavioral::project_model(p.artifact("behavioral.h5"), between);
  EXPECT_NEAR(model.array.temperature_kelvin, 329.15, 1e-9);
  const Settings at = at_operating_point(between, hardware_operating_point(between));
  EXPECT_EQ(at.number("circuit.temperature"), between.number("hardware.temperature"));
  const FreshColumns fresh = simulate_fresh(at, model);
  const double rms = rms_of(model, at.seed(), fresh);
  RecordProperty("rms_between", std::to_string(rms));
  EXPECT_LE(rms, 0.1);  // methods.md §6.1, in MAC units; this temperature was never simulated for the model
  const auto cold = behavioral::project_model(p.artifact("behavioral.h5"), nominal);
  EXPECT_GT(rms_of(cold, at.seed(), fresh), 3 * rms);  // the nominal one does not hold there

  const auto table = errormodel::project_table(p.artifact("error_table.h5"), between);
  EXPECT_NEAR(table.temperature_kelvin, 329.15, 1e-9);
  const auto nominal_table = errormodel::project_table(p.artifact("error_table.h5"), nominal);
  // As good as the stored tables are at their own points, of which 20 chips make the surfaces rough.
  const double own = rms_of(nominal_table, cold);
  EXPECT_LE(rms_of(table, model), 1.5 * own + 0.02);
  for (const char* outside : {"26 degC", "85.1 degC"}) {
    const Settings s = settings_of(p, {{"hardware.temperature", outside}});
    try {
      behavioral::project_model(p.artifact("behavioral.h5"), s);
      ADD_FAILURE() << outside;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), "E525");
      EXPECT_NE(e.hint().find("circuit.further_temperatures"), std::string::npos) << e.hint();
    }
    try {
      errormodel::project_table(p.artifact("error_table.h5"), s);
      ADD_FAILURE() << outside;
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), "E406");
    }
  }
}

TEST(OperatingPoints, AreVerifiedWhereTheHardwareRuns) {
  const CliProject p;
  const std::string at = kTwo + " --set 'hardware.temperature=\"56 degC\"'";
  const ProgramResult run = p.run("run", "--jobs 2 " + at);
  EXPECT_TRUE(run.status == 0 || run.status == 1) << run.output;  // so small a run may be inconclusive
  expect_says(p.run("evaluate", "--chips 2 --images 20 --hardware behavioral " + at), 0, "on behavioral");
  const std::string outside = kTwo + " --set 'hardware.temperature=\"100 degC\"'";
  expect_says(p.run("verify", outside), 5, "E525");
  expect_says(p.run("evaluate", "--chips 2 --images 20 --hardware table " + outside), 4, "E406");
  expect_says(p.run("verify", at + " --set hardware.corner=ss"), 5, "E525");
  // A table from elsewhere at another point than the model's.
  errormodel::ErrorTable hot = errormodel::load_tables(p.artifact("error_table.h5"))[1];
  hot.save(p.path() / "hot.h5");
  expect_says(p.run("verify", kTwo + " --set hardware.error_table=hot.h5"), 4, "the table is at 85 degC");
}

}  // namespace
}  // namespace errata
