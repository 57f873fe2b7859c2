// Architecture §9: a clear diagnostic, the right exit status, nothing half-written.
#include <gtest/gtest.h>

#include <chrono>

#include "tests/support/cli_project.h"

namespace errata {
namespace {

using testing::CliProject;
using testing::ProgramResult;

void expect(const ProgramResult& r, int status, std::initializer_list<const char*> words) {
  EXPECT_EQ(r.status, status) << r.output;
  for (const char* word : words)
    EXPECT_NE(r.output.find(word), std::string::npos) << "no '" << word << "' in: " << r.output;
}

TEST(BadInput, MalformedToml) {
  const CliProject p;
  p.replace("errata.toml", "name = \"rram_1t1r\"", "name = \"rram_1t1r");
  expect(p.run("check"), 3, {"E101", "errata.toml:4"});
}

TEST(BadInput, UnknownKeyHasASuggestion) {
  const CliProject p;
  p.replace("errata.toml", "clamp_voltage", "clamp_voltge");
  expect(p.run("check"), 3, {"E102", "did you mean 'clamp_voltage'?", "errata.toml:"});
}

TEST(BadInput, WrongUnit) {
  const CliProject p;
  p.replace("errata.toml", "clamp_voltage = \"0.2 V\"", "clamp_voltage = \"0.2 A\"");
  expect(p.run("check"), 3, {"E104", "clamp_voltage"});
}

TEST(BadInput, AllProblemsAtOnce) {
  const CliProject p;
  p.replace("errata.toml", "clamp_voltage = \"0.2 V\"", "clamp_voltage = \"0.2 A\"");
  p.replace("errata.toml", "adc_bits = 6", "adc_bits = 99");
  p.replace("errata.toml", "weight_bits", "weight_bit");
  expect(p.run("check"), 3, {"E104", "E105", "E102"});
}

TEST(BadInput, CheckNamesAnOperatingPointThatNobodyCharacterises) {
  const CliProject p;
  expect(p.run("check", "--set 'hardware.temperature=120 degC'"), 0, {"W227", "120 degC", "further_temperatures"});
  const ProgramResult covered =
      p.run("check", "--set 'hardware.temperature=80 degC' --set 'circuit.further_temperatures=125 degC'");
  EXPECT_EQ(covered.status, 0) << covered.output;
  EXPECT_EQ(covered.output.find("W227"), std::string::npos) << covered.output;
}

TEST(BadInput, CheckSimulatesEveryOperatingPointAndNamesThoseThatFail) {
  const CliProject p;
  const std::string hot = "--set 'circuit.further_temperatures=[\"85 degC\", \"125 degC\"]'";
  expect(p.run("check", hot), 0, {"at 85 degC", "at 125 degC"});
  p.replace("cell.cir", ".ends", "b9 bl sl i='1e-15*ln(90-temper)'\n.ends");
  expect(p.run("check"), 0, {"project and netlist are sound"});
  const ProgramResult r = p.run("check", hot);
  expect(r, 5, {"E501", "at 125 degC", "out of range for ln", "cell.cir:11", "further_temperatures"});
  EXPECT_EQ(r.output.find("at 85 degC"), std::string::npos) << r.output;
}

TEST(BadInput, MissingInclude) {
  const CliProject p;
  p.replace("cell.cir", "nmos45.lib", "nowhere.lib");
  expect(p.run("characterize"), 3, {"E201", "nowhere.lib", "cell.cir:2"});
}

TEST(BadInput, UnknownModel) {
  const CliProject p;
  p.replace("cell.cir", "sl 0 nmos45 w", "sl 0 nmos54 w");
  expect(p.run("characterize"), 3, {"E205", "nmos54", "did you mean 'nmos45'?", "cell.cir:"});
}

TEST(BadInput, ANetlistThatRunsCommandsNeedsTrust) {
  const CliProject p;
  p.replace("cell.cir", ".subckt", "shell ls\n.control\npre_echo hello\n.endc\n.subckt");
  expect(p.run("check"), 3, {"E206", "could run code", "cell.cir:6"});
  expect(p.run("check", "--trust-netlist"), 0,
         {"W226", "cell.cir:8", "pre_echo hello", "project and netlist are sound"});
  expect(p.run("status", "--trust-netlist"), 0, {"characterize"});
  expect(testing::errata("reproduce 3 " + p.path().string() + " " + CliProject::kReduced), 3, {"E206"});
  expect(testing::errata("reproduce 3 " + p.path().string() + " --trust-netlist " + CliProject::kReduced), 0,
         {"point.cir"});
}

TEST(BadInput, ARejectedDeckNamesTheUsersLine) {
  const CliProject p;
  p.replace("cell.cir", "rmem top drain 100k", "rmem top drain 100k colour=red");
  p.replace("cell.cir", "colour=red", "colour=3");
  expect(p.run("check"), 3, {"E207", "unknown parameter (colour)", "rmem top drain 100k colour=3", "cell.cir:"});
}

TEST(BadInput, UndefinedParameter) {
  const CliProject p;
  p.replace("cell.cir", "w={w}", "w={width}");
  expect(p.run("characterize"), 3, {"E204", "width", "cell.cir:"});
}

TEST(BadInput, UnknownMismatchTarget) {
  const CliProject p;
  p.replace("errata.toml", "device = \"m1\"", "device = \"m7\"");
  expect(p.run("check"), 3, {"E208", "m7", "m1"});
}

TEST(BadInput, NonConvergingCell) {
  // A current source that feeds itself: the operating point has no solution within reach.
  const CliProject p;
  p.replace("cell.cir", ".ends rram_cell",
            "bbad bl 0 i = -1e3*exp(min(60*abs(v(bl)), 600)) + 1e40*v(drain)*v(drain)\n.ends rram_cell");
  const ProgramResult r = p.run("characterize");
  EXPECT_EQ(r.status, 5) << r.output;
  EXPECT_FALSE(std::filesystem::exists(p.artifact("characterization.h5")));
}

TEST(BadInput, HangingSimulation) {
  // A chattering conditional source never converges and never gives up (docs/design/ngspice.md).
  const CliProject p;
  p.replace(
      "cell.cir", ".ends rram_cell",
      "bhang bl 0 i = v(drain) > 0.01 ? (v(drain) > 0.02 ? 1e-3 : -1e-3) : 1e-3*sin(1e9*v(drain))\n.ends rram_cell");
  p.replace("errata.toml", "read = \"current\"", "read = \"current\"\ndeadline = \"10 ms\"\nretries = 0");
  const auto began = std::chrono::steady_clock::now();
  const ProgramResult r = p.run("characterize");
  EXPECT_TRUE(r.status == 5) << r.output;
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(60));
}

TEST(BadInput, CorruptHdf5) {
  const CliProject p;
  ASSERT_EQ(p.run("characterize").status, 0);
  std::filesystem::resize_file(p.artifact("characterization.h5"), 3000);
  expect(p.run("fit"), 4, {"E402"});
  std::ofstream(p.artifact("characterization.h5")) << "no HDF5";
  expect(p.run("fit"), 4, {"E402"});
  expect(testing::errata("inspect " + p.artifact("nothing.h5").string()), 4, {"E401"});
}

TEST(BadInput, MissingDataSet) {
  const CliProject p;
  ASSERT_EQ(p.run("run", "--to compile").status, 0);
  expect(p.run("train", "--set training.data_set=mnist --data-dir /nonexistent"), 3, {"E301", "mnist"});
}

TEST(BadInput, FolderThatCannotBeWritten) {
  // Root may write everywhere, so the artefacts' folder is blocked by a file of its name.
  const CliProject p;
  std::ofstream(p.path() / "artifacts") << "in the way";
  expect(p.run("characterize"), 6, {"E601"});
}

TEST(BadInput, WrongMajorVersion) {
  const CliProject p;
  ASSERT_EQ(p.run("characterize").status, 0);
  std::filesystem::copy_file(p.artifact("characterization.h5"), p.artifact("behavioral.h5"));
  expect(p.run("compile"), 4, {"E405", "behavioral"});
}

TEST(BadInput, UsageErrors) {
  expect(testing::errata("characterise"), 2, {"did you mean 'characterize'?"});
  expect(testing::errata("run --jbos 2"), 2, {"did you mean '--jobs'?"});
  expect(testing::errata("run --jobs 0"), 2, {"--jobs"});
  expect(testing::errata("run --seed -1"), 2, {"--seed -1 is negative"});
  expect(testing::errata("check --force"), 2, {"takes no --force"});
  expect(testing::errata("check /nonexistent"), 3, {"E108"});
  expect(testing::errata("explain E999"), 2, {"E999"});
  expect(testing::errata("run --set nothing"), 2, {"no '='"});
}

TEST(BadInput, ControlBlockIsDroppedAndSaid) {
  const CliProject p;
  p.replace("cell.cir", ".ends rram_cell",
            ".ends rram_cell\n.control\nshell touch " + (p.path() / "pwned").string() + "\n.endc");
  const ProgramResult r = p.run("check");
  expect(r, 0, {"W210", "control block dropped"});
  EXPECT_FALSE(std::filesystem::exists(p.path() / "pwned"));
}

}  // namespace
}  // namespace errata
