#include "circuit/characterize.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <functional>
#include <numeric>
#include <tuple>

#include "core/quantity.h"
#include "core/random_stream.h"
#include "tests/support/cell_project.h"
#include "tests/support/example_project.h"
#include "tests/support/expect_error.h"
#include "tests/support/german_locale.h"
#include "tests/support/transient_project.h"

namespace errata::circuit {
namespace {

using testing::bytes_of;
using testing::diagnostics_of;
using testing::expect_error;
using testing::kDividerCell;
using testing::kExampleProject;
using testing::kTransistorCell;
using testing::small_campaign;
using testing::TemporaryFolder;
using testing::write_project;

Settings divider_project(const TemporaryFolder& folder, const std::vector<SettingOverride>& more = {}) {
  return write_project(folder.path(), kExampleProject, kDividerCell, small_campaign(more));
}

RunContext jobs(int n) {
  RunContext context;
  context.jobs = n;
  return context;
}

/// Bit-line current of a column of resistive cells, by nodal analysis written anew: a ladder from the far end.
double ladder_current(const std::vector<double>& cell_ohms, double wire, double clamp_ohms, double clamp_volts,
                      double offset) {
  double conductance = 0.0;  // seen from the clamp's side of row j
  for (std::size_t j = cell_ohms.size(); j-- > 0;) {
    conductance += 1.0 / cell_ohms[j];
    if (j > 0) conductance = 1.0 / (1.0 / conductance + wire);
  }
  // (V − U)/R = G·U + I_offset
  const double u = (clamp_volts - clamp_ohms * offset) / (1 + clamp_ohms * conductance);
  return conductance * u + offset;
}

TEST(Characterize, ColumnsOfKnownCellsHaveTheKnownCurrent) {
  const TemporaryFolder folder;
  const Settings s = divider_project(folder, {{"array.wire_resistance", "200 Ohm"}});
  const auto c = characterize(s, folder / "artifacts", jobs(2));
  EXPECT_EQ(c.failed_points, 0);
  EXPECT_EQ(c.suspect_points, 0);
  const auto& m = c.columns;
  ASSERT_EQ(m.output.size(), 2u * 2 * 2 * 4);
  const auto levels = s.numbers("circuit.weight.levels");
  for (std::size_t chip = 0; chip < m.chips; ++chip)
    for (std::size_t column = 0; column < m.columns; ++column)
      for (std::size_t branch = 0; branch < 2; ++branch) {
        const LineId line{chip, 2 * column + branch};
        const auto& stored = branch == 0 ? m.design(chip, column).plus : m.design(chip, column).minus;
        std::vector<double> ohms;
        for (std::size_t row = 0; row < stored.size(); ++row) {
          const double z = unit_draw(7, c.mismatch[0], 0, line, row);
          ohms.push_back(levels[stored[row]] * std::exp(c.mismatch[0].sigma_at(stored[row]) * z) + 10e3);
        }
        const double clamp = 0.2 + 2e-3 * unit_draw(7, c.mismatch[1], 1, line, 0);
        // The cell ignores its word line, so the operand does not matter. 1e-9: ngspice's reltol on a linear circuit.
        for (std::size_t o = 0; o < m.operands; ++o)
          EXPECT_NEAR(m.value(chip, column, branch, o) / ladder_current(ohms, 200, 50, clamp, 0), 1, 1e-9);
      }
}

TEST(Characterize, CellSurfaceHasTheKnownCurrentAndNoise) {
  const TemporaryFolder folder;
  const Settings s = divider_project(folder);
  const auto c = characterize(s, folder / "artifacts", jobs(1));
  const auto levels = s.numbers("circuit.weight.levels");
  ASSERT_EQ(c.cell.cell_terms, std::vector<std::size_t>{0});
  ASSERT_EQ(c.cell.mismatch_points.front(), 0.0);  // sample 0 is nominal
  for (std::size_t x = 0; x < 2; ++x)
    for (std::size_t level = 0; level < 4; ++level) {
      for (std::size_t m = 0; m < c.cell.mismatch_count(); ++m)
        for (std::size_t b = 0; b < c.cell.bit_line_volts.size(); ++b) {
          const double ohms =
              levels[level] * std::exp(c.mismatch[0].sigma_at(level) * c.cell.mismatch_points[m]) + 10e3;
          EXPECT_NEAR(c.cell.current(x, level, m, 0, b) * ohms / c.cell.bit_line_volts[b], 1, 1e-9);
        }
      const double expected = 4 * kBoltzmannJoulesPerKelvin * 300.15 / (levels[level] + 10e3) * c.array.bandwidth_hertz;
      EXPECT_NEAR(c.cell.noise_square_amperes[x * 4 + level] / expected, 1, 1e-6);
    }
  EXPECT_DOUBLE_EQ(c.array.bandwidth_hertz, 5e7);
}

/// The column's current by the plain ngspice program, with every number written into the deck.
double by_the_ngspice_program(const TemporaryFolder& folder, const std::string& deck) {
  const auto path = folder.write("by_hand.cir", deck);
  std::FILE* pipe = ::popen(("ngspice -b '" + path.string() + "' 2>/dev/null").c_str(), "r");
  if (pipe == nullptr) return std::nan("");
  std::string output;
  char buffer[4096];
  while (std::fgets(buffer, sizeof buffer, pipe) != nullptr) output += buffer;
  ::pclose(pipe);
  const auto at = output.find("vclamp#branch = ");
  return at == std::string::npos ? std::nan("") : -std::stod(output.substr(at + 16));
}

TEST(SimulateColumns, AgreesWithAHandMadeDeckOfThePlainProgram) {
  if (std::system("command -v ngspice >/dev/null 2>&1") != 0) GTEST_SKIP() << "no ngspice program";
  const TemporaryFolder folder;
  const Settings s = write_project(folder.path(), kExampleProject, kTransistorCell,
                                   small_campaign({{"array.rows", "6"}, {"array.source_line_resistance", "3 Ohm"}}));
  const std::vector<ColumnRequest> requests = {{{11, 4}, {3, 0, 1, 2, 3, 1}, {1, 1, 0, 1, 1, 0}},
                                               {{11, 5}, {1, 1, 1, 1, 1, 1}, {1, 1, 1, 1, 1, 1}},
                                               {{12, 4}, {3, 3, 3, 3, 3, 3}, {0, 0, 0, 0, 0, 0}}};
  const auto currents = simulate_columns(s, 99, requests, jobs(1));
  ASSERT_EQ(currents.size(), requests.size());
  const auto terms = mismatch_terms(s, 4);
  const auto levels = s.numbers("circuit.weight.levels");
  for (std::size_t r = 0; r < requests.size(); ++r) {
    char text[400];
    const double clamp = 0.2 + 2e-3 * unit_draw(99, terms[1], 1, requests[r].line, 0);
    std::snprintf(text, sizeof text,
                  "by hand\nvclamp in 0 %.17g\nrc in b0 50\n.model sw nmos level=1 vto=0.4 kp=400u lambda=0.02\n"
                  ".options temp=27 tnom=27 reltol=1e-6 abstol=1e-12 vntol=1e-9\n",
                  clamp);
    std::string deck = text;
    for (int j = 0; j < 6; ++j) {
      const double ohms =
          levels[requests[r].stored_levels[j]] *
          std::exp(terms[0].sigma_at(requests[r].stored_levels[j]) * unit_draw(99, terms[0], 0, requests[r].line, j));
      const std::string source = j == 0 ? "0" : "s" + std::to_string(j);
      std::snprintf(text, sizeof text, "vw%d w%d 0 %d\nm%d d%d w%d %s 0 sw w=1u l=1u\nrm%d b%d d%d %.17g\n", j, j,
                    int{requests[r].input_levels[j]}, j, j, j, source.c_str(), j, j, j, ohms);
      deck += text;
      if (j == 0) continue;
      std::snprintf(text, sizeof text, "rb%d b%d b%d 1\nrs%d %s %s 3\n", j, j - 1, j, j,
                    j == 1 ? "0" : ("s" + std::to_string(j - 1)).c_str(), source.c_str());
      deck += text;
    }
    deck += ".control\nset numdgt=15\nop\nprint vclamp#branch\n.endc\n.end\n";
    const double expected = by_the_ngspice_program(folder, deck);
    // The same simulator on the same circuit: only the rounding of netlist numbers differs; off columns carry
    // picoamperes.
    EXPECT_NEAR(currents[r], expected, 1e-9 * std::fabs(expected) + 1e-16) << r;
  }
  EXPECT_GT(currents[0], 1e-6);
  EXPECT_LT(currents[2], 1e-9);
}

TEST(Characterize, ReplaysTheSameColumns) {
  const TemporaryFolder folder;
  const Settings s = write_project(folder.path(), kExampleProject, kTransistorCell, small_campaign());
  const auto c = characterize(s, folder / "artifacts", jobs(2));
  std::vector<ColumnRequest> requests;
  const auto& d = c.columns.design(1, 1);
  for (std::size_t o = 0; o < d.count(); ++o)
    requests.push_back({{1, 3}, d.minus, std::vector<std::uint8_t>(d.input(o), d.input(o) + d.rows)});
  const auto replayed = simulate_columns(s, s.seed(), requests, jobs(1));
  for (std::size_t o = 0; o < d.count(); ++o) EXPECT_EQ(replayed[o], c.columns.value(1, 1, 1, o));
}

TEST(Characterize, GivesTheSameBytesForAnyNumberOfJobs) {
  const TemporaryFolder folder;
  const Settings s = write_project(folder.path(), kExampleProject, kTransistorCell, small_campaign());
  characterize(s, folder / "one", jobs(1));
  characterize(s, folder / "two", jobs(2));
  const std::string one = bytes_of(folder / "one/characterization.h5");
  ASSERT_FALSE(one.empty());
  EXPECT_TRUE(one == bytes_of(folder / "two/characterization.h5"));
  EXPECT_FALSE(std::filesystem::exists(folder / "one/shards/characterization.journal"));
}

TEST(Characterize, GivesTheSameSurfaceWhateverTheStrategy) {
  const TemporaryFolder folder;
  const auto with = [&](const char* strategy) {
    const Settings s = write_project(folder.path(), kExampleProject, kTransistorCell,
                                     small_campaign({{"circuit.strategy", strategy}}));
    return characterize(s, folder / strategy, jobs(2));
  };
  const auto sweep = with("automatic"), points = with("point_by_point"), forked = with("forked_batches");
  EXPECT_NE(sweep.strategy, points.strategy);
  EXPECT_EQ(forked.strategy, sweep.strategy + "; batches of points in forked processes");
  EXPECT_EQ(forked.cell.current_amperes, sweep.cell.current_amperes);  // to the bit
  EXPECT_EQ(forked.cell.noise_square_amperes, sweep.cell.noise_square_amperes);
  EXPECT_EQ(forked.columns.output, sweep.columns.output);
  EXPECT_EQ(forked.columns.noise_square, sweep.columns.noise_square);
  ASSERT_EQ(sweep.cell.current_amperes.size(), points.cell.current_amperes.size());
  for (std::size_t i = 0; i < sweep.cell.current_amperes.size(); ++i)
    EXPECT_NEAR(sweep.cell.current_amperes[i], points.cell.current_amperes[i],
                1e-9 * std::fabs(points.cell.current_amperes[i]) + 1e-18)
        << i;
  EXPECT_EQ(sweep.columns.output, points.columns.output);
  EXPECT_EQ(sweep.cell.noise_square_amperes, points.cell.noise_square_amperes);
}

TEST(Characterize, ChecksItsOwnStepAndTolerances) {
  const TemporaryFolder folder;
  const Settings s = write_project(folder.path(), kExampleProject, kTransistorCell, small_campaign());
  const auto c = characterize(s, folder / "a", jobs(2));
  EXPECT_EQ(c.self_check.points, 12u);
  EXPECT_GE(c.self_check.maximum, c.self_check.rms);
  EXPECT_LT(c.self_check.maximum, 1e-9);  // columns of some uA with reltol = 1e-6
  EXPECT_TRUE(c.trouble.empty());
  const auto back = Characterization::load(folder / "a/characterization.h5");
  EXPECT_EQ(back.self_check.maximum, c.self_check.maximum);
  EXPECT_EQ(back.strategy, c.strategy);
}

TEST(Characterize, KilledAndResumedGivesTheSameBytes) {
  const TemporaryFolder folder;
  const Settings s = write_project(folder.path(), kExampleProject, kTransistorCell,
                                   small_campaign({{"circuit.design.bit_line_points", "40"},
                                                   {"circuit.design.operands", "40"},
                                                   {"circuit.strategy", "point_by_point"}}));
  characterize(s, folder / "fresh", jobs(2));
  const auto shard = folder / "killed/shards/characterization.journal";
  int kills = 0;
  for (const std::uintmax_t bytes : {20000u, 150000u}) {  // early and late in about 10 000 points of 42 bytes each
    const pid_t child = ::fork();
    if (child == 0) {
      characterize(s, folder / "killed", jobs(2));
      ::_exit(0);
    }
    std::error_code missing;
    while (std::filesystem::exists(folder / "killed/characterization.h5") == false) {
      const auto size = std::filesystem::file_size(shard, missing);
      if (!missing && size >= bytes) break;
      ::usleep(500);
    }
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    kills += WIFSIGNALED(status) ? 1 : 0;
    EXPECT_FALSE(std::filesystem::exists(folder / "killed/characterization.h5"));
  }
  EXPECT_EQ(kills, 2);
  std::uint64_t first = 0;
  RunContext context = jobs(2);
  context.progress = [&](std::string_view, std::uint64_t done, std::uint64_t) { first = first == 0 ? done : first; };
  characterize(s, folder / "killed", context);
  EXPECT_GT(first, 3000u);  // 150 kB of journal were not simulated again
  EXPECT_TRUE(bytes_of(folder / "killed/characterization.h5") == bytes_of(folder / "fresh/characterization.h5"));
}

TEST(Characterize, ADiskThatIsFullAtTheEndLosesNoPoint) {
  const TemporaryFolder folder;
  const Settings s = divider_project(folder);
  characterize(s, folder / "fresh", jobs(1));
  const auto artefact = std::filesystem::file_size(folder / "fresh/characterization.h5");
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{artefact - 1, artefact - 1};  // room for the journal, not for the artefact
    ::setrlimit(RLIMIT_FSIZE, &small);
    try {
      characterize(s, folder / "full", jobs(1));
    } catch (const Error& e) {
      ::_exit(e.code() == "E601" ? 17 : 18);
    }
    ::_exit(19);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 17);
  EXPECT_FALSE(std::filesystem::exists(folder / "full/characterization.h5"));
  std::uint64_t simulated = 0;
  RunContext context = jobs(1);
  context.progress = [&](std::string_view, std::uint64_t, std::uint64_t) { ++simulated; };
  characterize(s, folder / "full", context);
  EXPECT_EQ(simulated, 0u);  // all of them stood in the journal
  EXPECT_TRUE(bytes_of(folder / "full/characterization.h5") == bytes_of(folder / "fresh/characterization.h5"));
}

TEST(Characterize, CancelledAndResumedGivesTheSameBytes) {
  const TemporaryFolder folder;
  const Settings s = divider_project(folder);
  characterize(s, folder / "fresh", jobs(1));
  std::uint64_t finished = 0;
  RunContext context = jobs(2);
  context.progress = [&](std::string_view, std::uint64_t done, std::uint64_t) { finished = done; };
  context.cancelled = [&] { return finished >= 100; };
  expect_error(ExitStatus::kInterrupted, "E130", [&] { characterize(s, folder / "cut", context); });
  characterize(s, folder / "cut", jobs(1));
  EXPECT_TRUE(bytes_of(folder / "cut/characterization.h5") == bytes_of(folder / "fresh/characterization.h5"));
}

TEST(Characterize, SaysWhenItCannotWrite) {
  const TemporaryFolder folder;
  const Settings s = divider_project(folder);
  folder.write("file", "");
  expect_error(ExitStatus::kEnvironment, "E601", [&] { characterize(s, folder / "file/artifacts", jobs(1)); });
}

TEST(Characterize, SeverityZeroIsAnIdealColumn) {
  const TemporaryFolder folder;
  const Settings s = divider_project(folder, {{"circuit.severity", "0"}});
  const auto c = characterize(s, folder / "artifacts", jobs(1));
  const auto levels = s.numbers("circuit.weight.levels");
  for (std::size_t chip = 0; chip < 2; ++chip) {
    double conductance = 0;
    for (const auto level : c.columns.design(chip, 0).plus) conductance += 1 / (levels[level] + 10e3);
    // ngspice makes 1 mOhm of a clamp without resistance: 1e-3 Ohm · 1e-3 S.
    EXPECT_NEAR(c.columns.value(chip, 0, 0, 0) / (0.2 * conductance), 1, 1e-6);
  }
}

class OddProjects : public ::testing::TestWithParam<std::vector<SettingOverride>> {};

TEST_P(OddProjects, AreCharacterised) {
  const TemporaryFolder folder;
  const Settings s = divider_project(folder, GetParam());
  const auto c = characterize(s, folder / "artifacts", jobs(2));
  EXPECT_EQ(c.failed_points, 0);
  for (const double i : c.columns.output) EXPECT_TRUE(std::isfinite(i));
  const auto again = Characterization::load(folder / "artifacts/characterization.h5");
  EXPECT_EQ(again.columns.output, c.columns.output);
  EXPECT_EQ(again.cell.mismatch_count(), c.cell.mismatch_count());
  EXPECT_EQ(again.provenance.fingerprint(), c.provenance.fingerprint());
}

const std::vector<SettingOverride> kEightLevels = {
    {"circuit.weight.levels",
     R"(["250 kOhm", "120 kOhm", "60 kOhm", "40 kOhm", "30 kOhm", "25 kOhm", "21 kOhm", "18 kOhm"])"},
    {"hardware.weight_bits", "4"},
    {"circuit.mismatch", "[]"}};
INSTANTIATE_TEST_SUITE_P(
    All, OddProjects,
    ::testing::Values(std::vector<SettingOverride>{{"array.rows", "1"}},
                      std::vector<SettingOverride>{{"array.rows", "256"}, {"circuit.design.columns", "1"}},
                      kEightLevels, std::vector<SettingOverride>{{"circuit.mismatch", "[]"}},
                      std::vector<SettingOverride>{{"circuit.noise_source", "[]"}},
                      std::vector<SettingOverride>{{"array.source_line_resistance", "2 Ohm"}},
                      std::vector<SettingOverride>{{"array.wire_resistance", "0 Ohm"},
                                                   {"array.clamp_resistance", "0 Ohm"}},
                      std::vector<SettingOverride>{{"circuit.weight.device", "RMEM"}, {"circuit.cell", "Cell"}}));

TEST(Characterize, ACellWithoutSourceLineOrWithBlanksInItsPath) {
  const TemporaryFolder folder;
  const std::string project =
      testing::with_line(testing::with_line(kExampleProject, 10, ""), 5, "netlist = \"my cells/a cell.cir\"");
  const Settings s =
      write_project(folder / "a project", project, "title\n.subckt cell bl wl\nrmem bl 0 10k\nrl wl 0 1meg\n.ends\n",
                    small_campaign({{"array.source_line_resistance", "2 Ohm"}}), "my cells/a cell.cir");
  const auto c = characterize(s, folder / "a project/arti facts", jobs(1));
  EXPECT_EQ(c.failed_points, 0);
  EXPECT_EQ(c.array.source_line_ohms, 0);  // there is no source line to have a resistance
}

TEST(Characterize, WorksInADecimalCommaLocale) {
  const TemporaryFolder folder;
  const Settings s = write_project(folder.path(), kExampleProject, kTransistorCell, small_campaign());
  characterize(s, folder / "c", jobs(1));
  const testing::GermanLocale german;
  if (!german.active()) GTEST_SKIP() << "no de_DE.UTF-8 and no localedef";
  const Settings g = read_project(folder.path(), small_campaign());
  characterize(g, folder / "de", jobs(1));
  EXPECT_TRUE(bytes_of(folder / "c/characterization.h5") == bytes_of(folder / "de/characterization.h5"));
}

TEST(Characterize, UserCircuitAndTemperatureReachNgspice) {
  const TemporaryFolder folder;
  const std::string hot =
      "title\n.param tc=0.01\n.subckt cell bl wl sl\nrmem bl sl 10k tc1={tc}\nrl wl 0 1meg\n.ends\n";
  const Settings cold =
      write_project(folder.path(), kExampleProject, hot, small_campaign({{"circuit.mismatch", "[]"}}));
  const double at_27 = simulate_nominal(cold, jobs(1)).cell;
  const Settings warm =
      read_project(folder.path(), small_campaign({{"circuit.mismatch", "[]"}, {"circuit.temperature", "127 degC"}}));
  EXPECT_NEAR(simulate_nominal(warm, jobs(1)).cell / at_27, 0.5, 1e-6);  // 1 + 0.01·100
}

TEST(SimulateNominal, RejectsWhatNgspiceRejects) {
  const TemporaryFolder folder;
  const Settings s =
      write_project(folder.path(), kExampleProject,
                    "title\n.subckt cell bl wl sl\nrmem bl sl 10k\nr1 bl wl 1k colour=3\n.ends\n", small_campaign());
  expect_error(ExitStatus::kInvalidProject, "E207", [&] { simulate_nominal(s, jobs(1)); });
}

std::vector<std::string> problems(const std::vector<SettingOverride>& overrides, const std::string& project,
                                  const std::string& netlist = kDividerCell) {
  const TemporaryFolder folder;
  const Settings s = write_project(folder.path(), project, netlist, small_campaign(overrides));
  return testing::places(diagnostics_of([&] { plan_campaign(s, RunContext{}); }));
}

TEST(PlanCampaign, NamesMismatchThatCannotBe) {
  using Places = std::vector<std::string>;
  const auto with = [](int line, const std::string& text) { return testing::with_line(kExampleProject, line, text); };
  EXPECT_EQ(problems({}, with(19, "device = \"m7\"")), (Places{"E208 19:10"}));
  // A threshold shift has nominal value 0, which no lognormal draw moves.
  EXPECT_EQ(
      problems({}, testing::with_line(with(19, "device = \"m1\""), 20, "parameter = \"delvto\""), kTransistorCell),
      (Places{"E208 20:13"}));
  EXPECT_EQ(problems({}, with(27, "parameter = \"colour\"")), (Places{"E208 27:13"}));
  EXPECT_EQ(problems({}, testing::with_line(with(27, "parameter = \"offset_current\"\ndistribution = \"lognormal\""),
                                            29, "sigma = \"2 %\"")),
            (Places{"E208 27:13"}));
  EXPECT_EQ(problems({}, with(26, "device = \"source_line\"")), (Places{"E208 27:13"}));
  EXPECT_EQ(problems({}, with(26, "device = \"precharge\"")), (Places{"E208 27:13"}));  // of a clamped line
}

TEST(PlanCampaign, AsksNgspiceForNominalValuesThatOnlyTheNetlistKnows) {
  const TemporaryFolder folder;
  const std::string project = testing::with_line(kExampleProject, 19, "device = \"rfix\"");
  const auto plan = plan_campaign(
      write_project(folder.path(), project, kDividerCell, small_campaign({{"circuit.strategy", "point_by_point"}})),
      RunContext{});
  const auto& cell = plan.skeleton.cell;
  ASSERT_EQ(plan.decks[0].slots[4].target, "@r.x1.rfix[resistance]");
  const std::size_t bits = cell.bit_line_volts.size();
  for (std::size_t m = 0; m < cell.mismatch_count(); ++m)  // of input 0 and level 0, whose sigma is 20 %
    EXPECT_NEAR(plan.points[m * bits].slots[4], 10e3 * std::exp(0.2 * cell.mismatch_points[m]), 1e-8) << m;
  const std::string colour = testing::with_line(project, 20, "parameter = \"colour\"");
  const auto message = expect_error(ExitStatus::kInvalidProject, "E208", [&] {
    plan_campaign(write_project(folder.path(), colour, kDividerCell, small_campaign()), RunContext{});
  });
  EXPECT_NE(message.find("@r.x1.rfix[colour]"), std::string::npos) << message;
}

TEST(PlanCampaign, WarnsOfSourcesWithoutNoise) {
  const TemporaryFolder folder;
  const std::string netlist =
      "title\n.subckt cell bl wl sl\nrmem bl sl 10k\nrl wl 0 1meg\nb1 bl sl "
      "i=v(bl,sl)^3*1e-9\n.ends\n.control\nop\n.endc\n";
  std::vector<std::string> codes;
  RunContext context;
  context.warn = [&](const Diagnostic& d) { codes.push_back(d.code); };
  plan_campaign(write_project(folder.path(), kExampleProject, netlist, small_campaign()), context);
  EXPECT_EQ(codes, (std::vector<std::string>{"W210"}));  // its noise is declared
  codes.clear();
  plan_campaign(read_project(folder.path(), small_campaign({{"circuit.noise_source", "[]"}})), context);
  EXPECT_EQ(codes, (std::vector<std::string>{"W210", "W211"}));
}

TEST(PlanCampaign, WarnsOfPowersInHspiceMode) {
  const TemporaryFolder folder;
  for (const auto& [power, mode, warns] : {std::tuple{"v(bl,sl)^3", "hs", true},
                                           {"v(bl,sl)**3", "hsa", true},
                                           {"pow(v(bl,sl),3)", "hs", false},
                                           {"v(bl,sl)^3", "ps", false}}) {
    const std::string netlist = std::string("title\n.subckt cell bl wl sl\nrmem bl sl 10k\nrl wl 0 1meg\nb1 bl sl i=") +
                                power + "*1e-9\n.ends\n";
    std::vector<std::string> codes;
    RunContext context;
    context.warn = [&](const Diagnostic& d) { codes.push_back(d.code); };
    plan_campaign(
        write_project(folder.path(), kExampleProject, netlist, small_campaign({{"circuit.compatibility", mode}})),
        context);
    EXPECT_EQ(codes, warns ? std::vector<std::string>{"W213"} : std::vector<std::string>{}) << power << " " << mode;
  }
}

TEST(PlanCampaign, IsPure) {
  const TemporaryFolder folder;
  const Settings s = divider_project(folder);
  const auto a = plan_campaign(s, RunContext{}), b = plan_campaign(s, RunContext{});
  ASSERT_EQ(a.points.size(), b.points.size());
  for (std::size_t i = 0; i < a.points.size(); ++i) {
    ASSERT_EQ(a.points[i].slots, b.points[i].slots);
    ASSERT_EQ(a.points[i].slots.size(), a.decks[a.points[i].deck].slots.size()) << i;
  }
  EXPECT_EQ(a.skeleton.provenance.fingerprint(), b.skeleton.provenance.fingerprint());
}

// --- Transient reads --------------------------------------------------------------------------------------------

using testing::kCapacitorCell;
using testing::kConstantCurrentCell;
using testing::kDischargeProject;
using testing::kOhmicCell;

constexpr double kActiveSeconds = 0.52e-9;  // pulse and one edge: the area below the word-line pulse

Settings discharge_project(const TemporaryFolder& folder, const char* cell, std::vector<SettingOverride> more = {}) {
  more.insert(more.begin(), {{"array.rows", "8"}, {"circuit.design.columns", "1"}, {"circuit.design.operands", "8"}});
  return write_project(folder.path(), kDischargeProject, cell, small_campaign(more));
}

/// Checks every charge of a discharge: charge of a cell of `siemens` (times 1 V) on a line that ends at `volts`.
void expect_charges(const Characterization& c, const std::function<double(double siemens, double volts)>& expected) {
  const auto& q = c.charge;
  const std::size_t levels = 4, samples = c.cell.mismatch_count(), ends = q.final_volts.size();
  ASSERT_EQ(q.charge_coulombs.size(), 2 * levels * samples * ends);
  const double largest = expected(2e-6, 1.0);
  for (std::size_t x = 0; x < 2; ++x)
    for (std::size_t level = 0; level < levels; ++level)
      for (std::size_t m = 0; m < samples; ++m)
        for (std::size_t f = 0; f < ends; ++f) {
          const double gain = 2e-6 * std::exp(0.05 * c.cell.mismatch_points[m]) * c.cell.weight_levels[level];
          EXPECT_NEAR(q.charge_coulombs[((x * levels + level) * samples + m) * ends + f],
                      expected(static_cast<double>(x) * gain, q.final_volts[f]), 1e-3 * largest)
              << x << " " << level << " " << m << " " << f;
        }
}

/// What the active cells of a column have together (S, or A at 1 V), the voltage that its line is released at, and its
/// sense amplifier's offset.
struct KnownColumn {
  double siemens = 0, precharge = 1, offset = 0;
};
KnownColumn known_column(const Characterization& c, std::size_t chip, std::size_t branch, std::size_t operand) {
  const auto& design = c.columns.design(chip, 0);
  const auto& stored = branch == 0 ? design.plus : design.minus;
  const LineId line{chip, branch};
  KnownColumn known;
  for (std::size_t j = 0; j < design.rows; ++j)
    if (design.input(operand)[j] != 0)
      known.siemens +=
          2e-6 * std::exp(0.05 * unit_draw(7, c.mismatch[0], 0, line, j)) * c.cell.weight_levels[stored[j]];
  known.offset = 5e-3 * unit_draw(7, c.mismatch[1], 1, line, 0);
  known.precharge += 10e-3 * unit_draw(7, c.mismatch[2], 2, line, 0);
  return known;
}

void expect_columns(const Characterization& c, const std::function<double(const KnownColumn&)>& expected) {
  double lowest = 1;
  for (std::size_t chip = 0; chip < c.columns.chips; ++chip)
    for (std::size_t branch = 0; branch < 2; ++branch)
      for (std::size_t o = 0; o < c.columns.operands; ++o) {
        const KnownColumn known = known_column(c, chip, branch, o);
        const double volts = c.columns.value(chip, 0, branch, o) - known.offset;
        EXPECT_NEAR(known.precharge - volts, known.precharge - expected(known), 1e-3 * (known.precharge - volts) + 1e-6)
            << chip << " " << branch << " " << o;
        lowest = std::min(lowest, volts);
      }
  EXPECT_LT(lowest, 0.9);  // the design moves the line
}

TEST(CharacterizeDischarge, ConstantCurrentsTakeTheirTimesTheirCharge) {
  const TemporaryFolder folder;
  const Settings s = discharge_project(folder, kConstantCurrentCell);
  const auto c = characterize(s, folder / "artifacts", jobs(2));
  EXPECT_EQ(c.failed_points, 0);
  EXPECT_EQ(c.array.read, ReadMode::kDischarge);
  EXPECT_NEAR(c.array.line_farads, 22e-15, 1e-21);
  EXPECT_EQ(c.array.precharge_volts, 1);
  EXPECT_NEAR(c.array.bandwidth_hertz * c.array.pulse_seconds, 0.5, 1e-12);
  EXPECT_TRUE(c.cell.current_amperes.empty());
  EXPECT_EQ(c.columns.noise_chips, 2u);
  // Loads of up to 1.15 times all rows, three halves power: N cells behave as one on a line of C / N.
  ASSERT_EQ(c.charge.final_volts.size(), 4u);
  for (std::size_t f = 0; f < 4; ++f) {
    const double n = 1.15 * 8 * std::pow(static_cast<double>(f) / 3, 1.5);
    EXPECT_NEAR(c.charge.final_volts[f], 1 - n * 2e-6 * kActiveSeconds / 22e-15, 1e-3 * n * 0.05 + 1e-6);
  }
  expect_charges(c, [](double amperes, double) { return amperes * kActiveSeconds; });
  expect_columns(c, [](const KnownColumn& k) { return k.precharge - k.siemens * kActiveSeconds / 22e-15; });
}

TEST(CharacterizeDischarge, ConductancesLetTheLineDecay) {
  const TemporaryFolder folder;
  const Settings s = discharge_project(folder, kOhmicCell);
  const auto c = characterize(s, folder / "artifacts", jobs(2));
  EXPECT_EQ(c.failed_points, 0);
  // The line of the reference falls exponentially: the cell's charge is g·T times the mean voltage on the way.
  expect_charges(c, [](double siemens, double volts) {
    const double decay = -std::log(volts);
    return siemens * kActiveSeconds * (decay < 1e-6 ? 1.0 : (1 - volts) / decay);
  });
  expect_columns(c, [](const KnownColumn& k) { return k.precharge * std::exp(-k.siemens * kActiveSeconds / 22e-15); });
}

TEST(CharacterizeDischarge, SavedReplayedAndCheckedAlike) {
  const TemporaryFolder folder;
  const Settings s = discharge_project(folder, kOhmicCell, {{"array.wire_resistance", "20 Ohm"}});
  const auto c = characterize(s, folder / "artifacts", jobs(2));
  const auto back = Characterization::load(folder / "artifacts/characterization.h5");
  EXPECT_EQ(back.charge.final_volts, c.charge.final_volts);
  EXPECT_EQ(back.charge.charge_coulombs, c.charge.charge_coulombs);
  EXPECT_EQ(back.columns.output, c.columns.output);
  EXPECT_EQ(back.array.read, ReadMode::kDischarge);
  characterize(s, folder / "once more", jobs(1));
  EXPECT_TRUE(bytes_of(folder / "artifacts/characterization.h5") == bytes_of(folder / "once more/characterization.h5"));
  const auto& d = c.columns.design(1, 0);
  std::vector<ColumnRequest> requests;
  for (std::size_t o = 0; o < d.count(); ++o)
    requests.push_back({{1, 1}, d.minus, std::vector<std::uint8_t>(d.input(o), d.input(o) + d.rows)});
  const auto replayed = simulate_columns(s, s.seed(), requests, jobs(1));
  for (std::size_t o = 0; o < d.count(); ++o) EXPECT_EQ(replayed[o], c.columns.value(1, 0, 1, o));
  const NominalPoint nominal = simulate_nominal(s, jobs(1));
  EXPECT_EQ(nominal.read, ReadMode::kDischarge);
  EXPECT_EQ(nominal.cell, c.charge.charge_coulombs[0]);
  EXPECT_EQ(nominal.column, c.columns.value(0, 0, 0, 0));
}

TEST(CharacterizeCharge, CapacitorsShareTheirCharge) {
  const TemporaryFolder folder;
  std::string project = kDischargeProject;
  for (const auto& [from, to] : {std::pair{"\"gread\"", "\"cmom\""},
                                 {"parameter = \"gain\"", "parameter = \"capacitance\""},
                                 {"read = \"discharge\"", "read = \"charge\""},
                                 {"pulse = \"0.5 ns\"", "pulse = \"1 ns\""}})
    project.replace(project.find(from), std::string_view(from).size(), to);
  const Settings s = write_project(
      folder.path(), project, kCapacitorCell,
      small_campaign({{"array.rows", "8"}, {"circuit.design.columns", "1"}, {"circuit.design.operands", "8"}}));
  const auto c = characterize(s, folder / "artifacts", jobs(2));
  EXPECT_EQ(c.failed_points, 0);
  EXPECT_EQ(c.array.read, ReadMode::kCharge);
  const std::size_t samples = c.cell.mismatch_count(), ends = c.charge.final_volts.size();
  for (std::size_t f = 0; f < ends; ++f) {
    const double n = 1.15 * 8 * std::pow(static_cast<double>(f) / 3, 1.5);
    const double rise = n * 2e-15 / (22e-15 + n * 2e-15);
    EXPECT_NEAR(c.charge.final_volts[f], 1 + rise, 1e-3 * rise + 1e-6);
  }
  for (std::size_t x = 0; x < 2; ++x)
    for (std::size_t level = 0; level < 4; ++level)
      for (std::size_t m = 0; m < samples; ++m)
        for (std::size_t f = 0; f < ends; ++f) {
          const double farads = 2e-15 * std::exp(0.05 * c.cell.mismatch_points[m]);
          const double pushed = static_cast<double>(x) * c.cell.weight_levels[level];
          EXPECT_NEAR(c.charge.charge_coulombs[((x * 4 + level) * samples + m) * ends + f],
                      farads * (c.charge.final_volts[f] - 1 - pushed), 2e-18);  // 1e-3 of 2 fF times 1 V
        }
  double highest = 0;
  for (std::size_t chip = 0; chip < 2; ++chip)
    for (std::size_t branch = 0; branch < 2; ++branch)
      for (std::size_t o = 0; o < c.columns.operands; ++o) {
        const auto& design = c.columns.design(chip, 0);
        const auto& stored = branch == 0 ? design.plus : design.minus;
        double farads = 22e-15, pushed = 0;
        for (std::size_t j = 0; j < design.rows; ++j) {
          const double cell = 2e-15 * std::exp(0.05 * unit_draw(7, c.mismatch[0], 0, {chip, branch}, j));
          farads += cell;
          if (design.input(o)[j] != 0) pushed += cell * c.cell.weight_levels[stored[j]];
        }
        const KnownColumn known = known_column(c, chip, branch, o);
        const double rise = c.columns.value(chip, 0, branch, o) - known.offset - known.precharge;
        EXPECT_NEAR(rise, pushed / farads, 1e-3 * rise + 1e-6) << chip << " " << branch << " " << o;
        highest = std::max(highest, rise);
      }
  EXPECT_GT(highest, 0.1);
}

TEST(CharacterizeDischarge, AResetSwitchLeavesWhatItInjects) {
  const TemporaryFolder folder;
  const std::string netlist = std::string(kConstantCurrentCell) + testing::kInjectingSwitch;
  const std::string term =
      "[[circuit.mismatch]]\nname = \"injector\"\nscope = \"column\"\ndevice = \"switch.cinj\"\n"
      "parameter = \"capacitance\"\ndistribution = \"lognormal\"\nsigma = \"10 %\"\n";
  const Settings s = write_project(folder.path(), kDischargeProject + term, netlist,
                                   small_campaign({{"array.rows", "8"},
                                                   {"array.reset_switch", "reset"},
                                                   {"circuit.design.columns", "1"},
                                                   {"circuit.design.operands", "8"}}));
  const auto c = characterize(s, folder / "artifacts", jobs(2));
  EXPECT_EQ(c.failed_points, 0);
  ASSERT_EQ(c.charge.switch_terms, std::vector<std::size_t>{3});
  ASSERT_EQ(c.charge.switch_farads.size(), 4u);
  const std::size_t samples = c.charge.switch_count();
  ASSERT_EQ(c.charge.switch_volts.size(), 4 * samples);
  // Of what the switch takes back while it opens, less than 1e-3: 10 ps of 22 ns.
  for (std::size_t k = 0; k < 4; ++k)
    for (std::size_t m = 0; m < samples; ++m) {
      const double injector = 1e-15 * std::exp(0.1 * c.charge.switch_points[m]), load = c.charge.switch_farads[k];
      const double step = injector / (load + injector);
      EXPECT_NEAR(c.charge.switch_volts[k * samples + m], 1 - step, 1e-3 * step + 1e-6) << k << " " << m;
    }
  // A step behind a tenth of the load is divided by the load and the injector.
  ASSERT_EQ(c.charge.switch_probe_volts.size(), 4u);
  for (std::size_t k = 0; k < 4; ++k) {
    const double load = c.charge.switch_farads[k], step = 0.5 * 0.1 * load / (load + 1e-15);
    EXPECT_NEAR(c.charge.switch_probe_volts[k] - c.charge.switch_volts[k * samples], step, 1e-3 * step) << k;
  }
  for (std::size_t chip = 0; chip < 2; ++chip)
    for (std::size_t branch = 0; branch < 2; ++branch)
      for (std::size_t o = 0; o < c.columns.operands; ++o) {
        const KnownColumn known = known_column(c, chip, branch, o);
        const double injector = 1e-15 * std::exp(0.1 * unit_draw(7, c.mismatch[3], 3, {chip, branch}, 0));
        const double drop = (injector + known.siemens * kActiveSeconds) / (22e-15 + injector);
        EXPECT_NEAR(known.precharge + known.offset - c.columns.value(chip, 0, branch, o), drop, 1e-3 * drop + 1e-6);
      }
  const auto back = Characterization::load(folder / "artifacts/characterization.h5");
  EXPECT_EQ(back.charge.switch_volts, c.charge.switch_volts);
  EXPECT_EQ(back.charge.switch_probe_volts, c.charge.switch_probe_volts);
  EXPECT_EQ(back.charge.switch_terms, c.charge.switch_terms);
}

TEST(DischargeProject, NamesWhatDoesNotFitTheWayToRead) {
  using Places = std::vector<std::string>;
  const auto with = [](int line, const std::string& text) {
    return problems({}, testing::with_line(kDischargeProject, line, text), kConstantCurrentCell);
  };
  EXPECT_EQ(with(31, "device = \"clamp\""), (Places{"E208 32:13"}));
  EXPECT_EQ(with(32, "parameter = \"voltage\""), (Places{"E208 32:13"}));  // of the sense amplifier
  const auto parsed = [](const std::string& text) {
    return testing::places(diagnostics_of([&] { parse_project(text, "errata.toml", "/tmp", {}); }));
  };
  const std::string node = testing::with_line(kDischargeProject, 14, "store = \"node_voltage\"");
  EXPECT_EQ(parsed(testing::with_line(node, 15, "")), (Places{"E106 16:10"}));
  EXPECT_EQ(parsed(node), (Places{"E107 15:7", "E106 16:10"}));  // and a pin does nothing
  EXPECT_EQ(parsed(std::string(kDischargeProject) + "[behavioral]\nmodel = \"current_mode\"\n"), (Places{"E107 51:9"}));
  const std::string noise = testing::with_line(kDischargeProject, 42, "kind = \"output_current\"");
  EXPECT_EQ(parsed(testing::with_line(noise, 43, "sigma = \"2 uA\"")), (Places{"E107 42:8", "E104 43:9"}));
  EXPECT_EQ(parsed(testing::with_line(kDischargeProject, 21, "sample = \"0.1 ns\"")), (Places{"E107 21:10"}));
  EXPECT_EQ(parsed(std::string(kExampleProject) + "[behavioral]\nmodel = \"floating_line\"\n").size(), 1u);
}

}  // namespace
}  // namespace errata::circuit
