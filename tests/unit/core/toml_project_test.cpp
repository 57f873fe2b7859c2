#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/random_stream.h"
#include "core/settings.h"
#include "tests/support/example_project.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_folder.h"

namespace errata {
namespace {

using testing::diagnostics_of;
using testing::kExampleProject;
using testing::places;
using testing::with_line;
using Places = std::vector<std::string>;

Settings parse(const std::string& text, const std::vector<SettingOverride>& overrides = {}) {
  return parse_project(text, "errata.toml", "/tmp/project", overrides);
}

/// Problems of the example project with one line replaced.
std::vector<Diagnostic> problems_with(int line, const std::string& replacement) {
  return diagnostics_of([&] { parse(with_line(kExampleProject, line, replacement)); });
}

TEST(Project, ReadsTheExample) {
  const Settings s = parse(kExampleProject);
  EXPECT_EQ(s.text("project.name"), "example");
  EXPECT_EQ(s.seed(), 7u);
  EXPECT_EQ(s.integer("array.rows"), 8);
  EXPECT_EQ(s.numbers("circuit.weight.levels"), (std::vector<double>{250e3, 50e3, 27.5e3, 19e3}));
  EXPECT_EQ(s.count("circuit.mismatch"), 2u);
  EXPECT_EQ(s.text("circuit.mismatch[0].scope"), "cell");
  EXPECT_EQ(s.text("circuit.mismatch[1].scope"), "column");
  EXPECT_EQ(s.numbers("circuit.mismatch[1].sigma"), std::vector<double>{2e-3});
  EXPECT_EQ(s.folder(), "/tmp/project");
  EXPECT_TRUE(s.value("array.rows").given);
  EXPECT_EQ(s.value("array.rows").position.line, 34);
}

TEST(Project, FillsDefaultsIn) {
  const Settings s = parse(kExampleProject);
  EXPECT_FALSE(s.value("circuit.temperature").given);
  EXPECT_DOUBLE_EQ(s.number("circuit.temperature"), 300.15);
  EXPECT_DOUBLE_EQ(s.number("circuit.noise.integration_time"), 1e-8);
  EXPECT_EQ(s.text("circuit.mismatch[1].distribution"), "normal");
  EXPECT_TRUE(s.flag("training.baselines"));
  EXPECT_FALSE(s.has("circuit.pins.supply"));
}

TEST(Project, AnOverrideReachesAnEntryByNameOrNumber) {
  const std::string name = parse(kExampleProject).text("circuit.mismatch[1].name");
  for (const std::string& key : {name, std::string("1")}) {
    const Settings s = parse(kExampleProject, {{"circuit.mismatch[" + key + "].sigma", "7 mV"}});
    EXPECT_EQ(s.numbers("circuit.mismatch[1].sigma"), std::vector<double>{7e-3});
    EXPECT_EQ(s.numbers("circuit.mismatch[0].sigma"), parse(kExampleProject).numbers("circuit.mismatch[0].sigma"));
  }
}

/// Message and hint of an override that is refused.
std::string refusal(const std::string& path) {
  try {
    parse(kExampleProject, {{path, "1"}});
  } catch (const Error& e) {
    return std::string(e.what()) + " | " + e.hint();
  }
  return "accepted";
}

TEST(E102, AnOverrideOfNoEntryNamesThoseThatThereAre) {
  const std::string name = parse(kExampleProject).text("circuit.mismatch[0].name");
  EXPECT_THAT(refusal("circuit.mismatch[nobody].sigma"), ::testing::HasSubstr("no entry 'nobody' of 'mismatch'"));
  EXPECT_THAT(refusal("circuit.mismatch[nobody].sigma"), ::testing::HasSubstr(name));
  EXPECT_THAT(refusal("circuit.mismatch[2].sigma"), ::testing::HasSubstr("no entry '2'"));
  EXPECT_THAT(refusal("circuit.mismatch.sigma"), ::testing::HasSubstr("say which one by its name: mismatch[" + name));
  EXPECT_THAT(refusal("circuit.pins[bl].x"), ::testing::HasSubstr("there is no [[pins]]"));
}

TEST(E105, ATemperatureBelowAbsoluteZero) {
  const auto d = diagnostics_of([] { parse(kExampleProject, {{"circuit.temperature", "-300 degC"}}); });
  ASSERT_EQ(d.size(), 1u);
  EXPECT_EQ(d[0].code, "E105");
  EXPECT_THAT(d[0].message, ::testing::HasSubstr("circuit.temperature"));
}

TEST(E101, NotToml) {
  const auto d = diagnostics_of([] { parse("[project]\nname = \"x\n"); });
  ASSERT_EQ(d.size(), 1u);
  EXPECT_EQ(d[0].code, "E101");
  EXPECT_EQ(d[0].position.file, "errata.toml");
  EXPECT_EQ(d[0].position.line, 2);
  EXPECT_GT(d[0].position.column, 0);
}

TEST(E102, UnknownKeyWithSuggestion) {
  const auto d = problems_with(34, "rosw = 8");
  ASSERT_EQ(places(d), (Places{"E102 34:1"}));
  EXPECT_EQ(d[0].hint, "did you mean 'rows'?");
  EXPECT_EQ(d[0].excerpt, "rosw = 8");
  const auto far = problems_with(34, "temperature_of_the_moon = 8");
  ASSERT_EQ(far.size(), 1u);
  EXPECT_NE(far[0].hint.find("known here: "), std::string::npos);
  EXPECT_NE(far[0].hint.find("clamp_voltage"), std::string::npos);
}

TEST(E102, UnknownKeyInsideAListOfTables) {
  const auto d = problems_with(21, "distributoin = \"normal\"");
  ASSERT_EQ(places(d).size(), 1u);
  EXPECT_EQ(places(d)[0], "E102 21:1");
  EXPECT_EQ(d[0].hint, "did you mean 'distribution'?");
}

TEST(E103, WrongType) {
  EXPECT_EQ(places(problems_with(34, "rows = \"8\"")), (Places{"E103 34:8"}));
  EXPECT_EQ(places(problems_with(34, "rows = 8.5")), (Places{"E103 34:8"}));
  EXPECT_EQ(places(problems_with(2, "name = 5")), (Places{"E103 2:8"}));
  EXPECT_EQ(places(problems_with(12, "levels = []")), (Places{"E103 12:10"}));
  const auto d = problems_with(25, "scope = \"colum\"");
  ASSERT_EQ(places(d), (Places{"E103 25:9"}));
  EXPECT_EQ(d[0].hint, "did you mean 'column'?");
}

TEST(E103, ATableForAListOfTablesAndTheOtherWayRound) {
  const auto single = problems_with(29, "[circuit.noise_source]");
  ASSERT_FALSE(single.empty());
  EXPECT_EQ(single[0].code, "E103");
  EXPECT_EQ(single[0].hint, "write each entry as [[circuit.noise_source]]");
  const auto scalar = diagnostics_of([] {
    parse(std::string(kExampleProject) + "[training]\nepochs = 1\n", {{"verification", "5"}});
  });
  ASSERT_EQ(scalar.size(), 1u);
  EXPECT_EQ(scalar[0].code, "E103");
  EXPECT_EQ(scalar[0].hint, "write [verification]");
}

TEST(E104, WrongUnit) {
  const auto d = problems_with(35, "wire_resistance = \"1 V\"");
  ASSERT_EQ(places(d), (Places{"E104 35:19"}));
  EXPECT_NE(d[0].message.find("a unit of Ohm"), std::string::npos);
  EXPECT_EQ(places(problems_with(35, "wire_resistance = 1")), (Places{"E104 35:19"}));
  EXPECT_EQ(places(problems_with(35, "wire_resistance = \"1\"")), (Places{"E104 35:19"}));
  EXPECT_EQ(places(problems_with(35, "wire_resistance = \"1,5 Ohm\"")), (Places{"E104 35:19"}));
  EXPECT_EQ(places(problems_with(12, "levels = [\"0 V\", \"1 A\"]")), (Places{"E104 12:10"}));
}

TEST(E104, UnitsThatDependOnTheParameter) {
  EXPECT_EQ(places(problems_with(28, "sigma = \"2 mA\"")), (Places{"E104 28:9"}));           // clamp voltage
  EXPECT_EQ(places(problems_with(28, "sigma = 0.002")), (Places{"E104 28:9"}));              // a plain number
  EXPECT_EQ(places(problems_with(22, "sigma = \"2 kOhm\"")), (Places{"E104 22:9"}));         // lognormal is relative
  EXPECT_EQ(places(problems_with(32, "sigma = \"2 uA\"")), (Places{"E104 32:9"}));           // cell_relative
  EXPECT_EQ(places(problems_with(31, "kind = \"output_current\"")), (Places{"E104 32:9"}));  // 2 % of what?
  EXPECT_EQ(places(problems_with(16, "levels = [\"1 S\", \"2 S\", \"3 S\", \"4 S\"]")), (Places{"E104 16:10"}));
}

TEST(E105, OutOfRange) {
  const auto d = problems_with(34, "rows = 5000");
  ASSERT_EQ(places(d), (Places{"E105 34:8"}));
  EXPECT_NE(d[0].message.find("above 4096"), std::string::npos);
  EXPECT_EQ(places(problems_with(34, "rows = 0")), (Places{"E105 34:8"}));
  EXPECT_EQ(places(problems_with(35, "wire_resistance = \"-1 Ohm\"")), (Places{"E105 35:19"}));
  const auto nan = diagnostics_of([] { parse(with_line(kExampleProject, 5, "netlist = \"c\"\nseverity = nan")); });
  ASSERT_EQ(nan.size(), 1u);
  EXPECT_EQ(nan[0].code, "E105");
}

TEST(E106, MissingKey) {
  const auto d = problems_with(6, "");
  ASSERT_EQ(d.size(), 1u);
  EXPECT_EQ(d[0].code, "E106");
  EXPECT_NE(d[0].message.find("circuit.cell is missing"), std::string::npos);
  EXPECT_EQ(d[0].hint, "for example: cell = \"rram_cell\"");
  const auto entry = problems_with(20, "");  // parameter of the first mismatch term
  ASSERT_EQ(places(entry), (Places{"E106 17:1"}));
  EXPECT_NE(entry[0].message.find("circuit.mismatch[0].parameter"), std::string::npos);
}

TEST(E106, IsNotSaidOfAKeyThatIsThereAndWrong) {
  EXPECT_EQ(places(problems_with(6, "cell = 5")), (Places{"E103 6:8"}));
}

TEST(E107, InconsistentKeys) {
  EXPECT_EQ(places(problems_with(12, "levels = [\"0 V\", \"0.5 V\", \"1 V\"]")), (Places{"E107 12:10"}));
  EXPECT_EQ(places(problems_with(22, "sigma = [\"20 %\", \"9 %\"]")), (Places{"E107 22:9"}));
  EXPECT_EQ(places(problems_with(32, "sigma = [\"20 %\", \"9 %\"]")), (Places{"E107 32:9"}));
  EXPECT_EQ(places(problems_with(25, "scope = \"cell\"")), (Places{"E107 25:9"}));
  EXPECT_EQ(places(problems_with(28, "")), (Places{"E107 24:8"}));  // no sigma at all
  EXPECT_EQ(
      places(problems_with(28, "sigma = \"2 mV\"\npelgrom_coefficient = \"2 mV um\"\nwidth=\"1 um\"\nlength=\"1 um\"")),
      (Places{"E107 24:8"}));                                                                   // both
  EXPECT_NO_THROW(parse(with_line(kExampleProject, 28, "pelgrom_coefficient = \"2 mV um\"")));  // the netlist's area
  EXPECT_EQ(places(problems_with(35, "wire_resistance = \"1 Ohm\"\n[hardware]\nrows_per_tile = 9")),
            (Places{"E107 37:17"}));
}

TEST(E107, InputLevelsOfPulses) {
  const auto with = [](const std::string& encoding, const std::string& levels, std::vector<SettingOverride> more = {}) {
    more.insert(more.begin(), {{"circuit.read", "discharge"},
                               {"circuit.mismatch", "[]"},
                               {"circuit.noise_source", "[]"},
                               {"circuit.timing.sample", "6 ns"},
                               {"circuit.input.encoding", encoding},
                               {"circuit.input.levels", levels}});
    return parse(kExampleProject, more);
  };
  const auto problems = [&](const std::string& encoding, const std::string& levels,
                            const std::vector<SettingOverride>& more = {}) {
    return diagnostics_of([&] { with(encoding, levels, more); }).size();
  };
  EXPECT_NO_THROW(with("pulse_width", R"(["0 s", "1 ns", "2 ns", "3 ns"])"));
  EXPECT_NO_THROW(with("pulse_count", "[0, 1, 2, 3]", {{"circuit.timing.pulse", "0.5 ns"}}));
  EXPECT_EQ(problems("pulse_width", R"(["0 V", "1 nV"])"), 1u);
  EXPECT_EQ(problems("pulse_width", R"(["1 ns", "2 ns"])"), 1u);  // level 0 is not idle
  EXPECT_EQ(problems("pulse_width", R"(["0 s", "2 ns", "1 ns", "3 ns"])"), 1u);
  EXPECT_EQ(problems("pulse_width", R"(["0 s", "7 ns"])"), 1u);  // after the sample
  EXPECT_EQ(problems("pulse_count", "[0, 1.5]"), 1u);
  EXPECT_EQ(problems("pulse_count", "[0, 1]", {{"circuit.input.period", "0.5 ns"}}), 1u);
  EXPECT_EQ(diagnostics_of([] {
              parse(kExampleProject,
                    {{"circuit.input.encoding", "pulse_width"}, {"circuit.input.levels", R"(["0 s", "1 ns"])"}});
            }).size(),
            1u);  // an operating point knows no pulse
}

TEST(E107, LinesThatCannotStandTogether) {
  EXPECT_NO_THROW(parse(kExampleProject, {{"circuit.design.neighbours", "8"}}));  // four pairs
  EXPECT_EQ(diagnostics_of([] { parse(kExampleProject, {{"circuit.design.neighbours", "3"}}); }).size(), 1u);
  EXPECT_EQ(diagnostics_of([] {
              parse(kExampleProject, {{"circuit.design.neighbours", "1"}, {"circuit.design.columns", "3"}});
              parse(kExampleProject, {{"circuit.design.neighbours", "4"}, {"circuit.design.columns", "3"}});
            }).size(),
            1u);
}

TEST(E107, OneStoredLevelIsTooFewAndTwoMakeWeightsOfSlices) {
  const std::string one_sigma = with_line(kExampleProject, 22, "sigma = \"5 %\"");
  const std::string two = with_line(one_sigma, 16, "levels = [\"250 kOhm\", \"50 kOhm\"]");
  EXPECT_NO_THROW(parse(two, {{"hardware.weight_bits", "2"}}));
  EXPECT_NO_THROW(parse(two, {{"hardware.weight_bits", "8"}}));  // seven slices of one bit
  const std::string one = with_line(one_sigma, 16, "levels = \"250 kOhm\"");
  EXPECT_FALSE(diagnostics_of([&] { parse(one, {{"hardware.weight_bits", "2"}}); }).empty());
}

TEST(E108, NoProjectHere) {
  const testing::TemporaryFolder folder;
  const auto d = diagnostics_of([&] { read_project(folder.path(), {}); });
  ASSERT_EQ(d.size(), 1u);
  EXPECT_EQ(d[0].code, "E108");
  EXPECT_EQ(d[0].position.file, folder.path().string());
}

TEST(Project, ReportsAllProblemsAtOnceInTheOrderOfTheFile) {
  std::string text = with_line(kExampleProject, 35, "wire_resistance = \"1 V\"");
  text = with_line(text, 34, "rosw = 8");
  text = with_line(text, 12, "levels = [\"0 V\", \"1 Vv\"]");
  text = with_line(text, 6, "");
  text = with_line(text, 2, "name = 5");
  const auto d = diagnostics_of([&] { parse(text); });
  EXPECT_EQ(places(d), (Places{"E103 2:8", "E104 12:18", "E102 34:1", "E104 35:19", "E106 0:0"}));
}

TEST(Project, IsReadFromAFolderWithBlanks) {
  const testing::TemporaryFolder folder;
  folder.write("a project/errata.toml", kExampleProject);
  const Settings s = read_project(folder / "a project", {});
  EXPECT_EQ(s.folder(), folder.path() / "a project");
  EXPECT_EQ(s.value("project.name").position.file, (folder.path() / "a project/errata.toml").string());
}

TEST(Override, ReplacesAddsAndIsChecked) {
  const Settings s = parse(kExampleProject, {{"array.rows", "16"},
                                             {"array.wire_resistance", "2 Ohm"},    // text without quotes
                                             {"array.clamp_voltage", "\"0.3 V\""},  // TOML
                                             {"circuit.input.levels", "[\"0 V\", \"0.9 V\"]"},
                                             {"training.optimizer", "sgd"},
                                             {"training.batch_norm", "true"}});
  EXPECT_EQ(s.integer("array.rows"), 16);
  EXPECT_EQ(s.number("array.wire_resistance"), 2);
  EXPECT_EQ(s.number("array.clamp_voltage"), 0.3);
  EXPECT_EQ(s.numbers("circuit.input.levels")[1], 0.9);
  EXPECT_EQ(s.text("training.optimizer"), "sgd");
  EXPECT_TRUE(s.flag("training.batch_norm"));

  const auto unknown = diagnostics_of([] { parse(kExampleProject, {{"array.rosw", "3"}}); });
  ASSERT_EQ(unknown.size(), 1u);
  EXPECT_EQ(unknown[0].code, "E102");
  EXPECT_EQ(unknown[0].hint, "did you mean 'rows'?");
  EXPECT_EQ(diagnostics_of([] { parse(kExampleProject, {{"array.rows", "many"}}); })[0].code, "E103");
  testing::expect_error(ExitStatus::kUsage, "E102", [] { parse(kExampleProject, {{"array.rows.deep", "3"}}); });
}

TEST(Override, EmptiesAListOfTables) {
  const Settings s = parse(kExampleProject, {{"circuit.mismatch", "[]"}, {"circuit.noise_source", "[]"}});
  EXPECT_EQ(s.count("circuit.mismatch"), 0u);
  EXPECT_EQ(s.count("circuit.noise_source"), 0u);
}

TEST(Project, SurvivesHostileText) {
  // Every outcome but ProjectError or success is a bug; 2000 damaged copies of the example.
  for (std::uint64_t i = 0; i < 2000; ++i) {
    RandomStream stream(13, StreamPurpose::kTest, i);
    std::string text = kExampleProject;
    for (int k = 0; k < 3; ++k) {
      const std::size_t at = stream.below(text.size());
      if (stream.uniform() < 0.5)
        text[at] = static_cast<char>(stream.below(256));
      else
        text.erase(at, stream.below(40));
    }
    try {
      parse(text);
    } catch (const ProjectError& e) {
      EXPECT_FALSE(e.diagnostics().empty());
    } catch (const std::exception& e) {
      ADD_FAILURE() << e.what() << "\n" << text;
    }
  }
}

TEST(Project, ShippedMacrosAreValid) {
  for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(ERRATA_SOURCE_DIR) / "netlists"))
    if (std::filesystem::exists(entry.path() / "errata.toml")) {
      EXPECT_NO_THROW(read_project(entry.path(), {})) << entry.path();
    }
}

}  // namespace
}  // namespace errata
