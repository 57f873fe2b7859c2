// Every shipped macro, and a cell that errata has never seen, by the same code path as a full run; and the decks that
// errata writes out, run by the ngspice program.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "circuit/campaign/campaign.h"
#include "circuit/campaign/campaign_decks.h"
#include "circuit/deck/reproduce.h"
#include "core/random_stream.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace errata {
namespace {

using testing::ProgramResult;
using testing::run_shell;
using testing::TemporaryFolder;

const char* const kReduced =
    " --jobs 2 --set circuit.design.chips=2 --set circuit.design.columns=1 --set circuit.design.operands=8 --set "
    "circuit.design.bit_line_points=7 --set array.rows=16 --set hardware.adc_range=8 --set errormodel.chips=20 --set "
    "errormodel.columns=4 --set errormodel.operands_per_column=16";

class Macro : public ::testing::TestWithParam<const char*> {
 protected:
  TemporaryFolder folder_;
  std::string project() const { return (folder_.path() / "chip").string(); }
  void make() const { testing::errata("init " + project() + " --template " + GetParam()); }
};

TEST_P(Macro, IsFittedWithinItsSpecificationAndCompiled) {
  make();
  const ProgramResult r = testing::errata("run " + project() + kReduced + " --to compile");
  EXPECT_EQ(r.status, 0) << r.output;
  EXPECT_NE(r.output.find("meets its specification"), std::string::npos) << r.output;
  EXPECT_TRUE(std::filesystem::exists(project() + "/artifacts/error_table.h5"));
}

/// Numbers that `print NAME` wrote: "NAME = 1.2e-06".
std::vector<double> printed(const std::string& output) {
  std::vector<double> numbers;
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    const auto at = line.find(" = ");
    if (at != std::string::npos && !line.starts_with("Doing analysis"))
      numbers.push_back(std::strtod(line.c_str() + at + 3, nullptr));
  }
  return numbers;
}

TEST_P(Macro, WrittenDeckGivesTheSameBitsInTheNgspiceProgram) {
  make();
  const std::vector<SettingOverride> small = {{"circuit.design.chips", "2"},    {"circuit.design.columns", "1"},
                                              {"circuit.design.operands", "4"}, {"circuit.design.bit_line_points", "5"},
                                              {"hardware.adc_range", "8"},      {"array.rows", "16"}};
  const auto plan = circuit::plan_campaign(read_project(project(), small), RunContext{});
  const char* wanted = std::getenv("ERRATA_REPRODUCE_POINTS");  // 40 for the long run over 200 points of five macros
  const int count = wanted != nullptr ? std::atoi(wanted) : 6;
  RandomStream stream(41, StreamPurpose::kTest);
  std::vector<std::size_t> chosen;
  std::vector<circuit::SimulationPoint> points;
  while (static_cast<int>(chosen.size()) < count) {
    // Half of them columns. Not those with probes: `meas` prints their hundreds of samples with fewer digits.
    const std::size_t p = stream.below(plan.points.size());
    const bool column = plan.points[p].deck == circuit::kColumnDeck;
    if (plan.points[p].analysis == circuit::Analysis::kNoise || plan.points[p].deck == circuit::kNoiseDeck) continue;
    if (chosen.size() % 2 == 1 && !column) continue;
    chosen.push_back(p);
    points.push_back(plan.points[p]);
  }
  const auto result = circuit::run_campaign(plan.decks, points, {}, {}, {}, RunContext{});
  for (std::size_t k = 0; k < chosen.size(); ++k) {
    SCOPED_TRACE(circuit::describe_point(plan, chosen[k]));
    const auto folder = folder_.path() / std::to_string(k);
    circuit::write_reproduction(plan, chosen[k], folder);
    const ProgramResult r = run_shell("cd " + folder.string() + " && ngspice -b point.cir");
    const auto numbers = printed(r.output);
    const circuit::Deck& deck = plan.decks[points[k].deck];
    const bool sweep = points[k].analysis == circuit::Analysis::kSweep;
    const std::size_t numbers_due = deck.outputs.size() * (sweep ? deck.sweep.count() : 1);
    ASSERT_EQ(numbers.size(), numbers_due) << r.output;
    ASSERT_EQ(result.points[k].values.size(), numbers_due);
    for (std::size_t o = 0; o < numbers_due; ++o) {
      const double by_hand = deck.outputs[o % deck.outputs.size()].factor * numbers[o],
                   ours = result.points[k].values[o];
      if (sweep)  // operating points by hand against one dc analysis with external sources; 1 aA is far below gmin
        EXPECT_NEAR(by_hand, ours, 1e-9 * std::fabs(ours) + 1e-18) << o;
      else
        EXPECT_EQ(by_hand, ours) << o;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, Macro, ::testing::Values("rram_1t1r", "fefet_1t", "sram_6t", "sram_8t", "cap_charge"),
                         [](const auto& test) { return std::string(test.param); });

/// The blocks of a page that begin with `mark`, in order.
std::string blocks(const std::filesystem::path& page, const std::string& mark) {
  std::ifstream file(page);
  std::string text, line;
  for (bool inside = false; std::getline(file, line);) {
    if (line.starts_with("```")) {
      inside = line == mark;
      continue;
    }
    if (inside) text += line + "\n";
  }
  return text;
}

/// Runs the blocks of a page of the guide in a folder.
ProgramResult run_page(const TemporaryFolder& folder, const std::string& page, const std::string& more = "") {
  const auto script = folder.write(
      "blocks.sh", "set -e\nexport PATH=" + std::filesystem::path(ERRATA_PROGRAM).parent_path().string() + ":$PATH\n" +
                       blocks(std::filesystem::path(ERRATA_SOURCE_DIR) / "docs/guide" / page, "```sh") + more);
  return run_shell("cd " + folder.path().string() + " && bash " + script.string());
}

TEST(Guide, ItsFirstPageRuns) {
  const TemporaryFolder folder;
  const ProgramResult r = run_page(folder, "1-characterize.md");
  EXPECT_EQ(r.status, 0) << r.output;
  EXPECT_TRUE(std::filesystem::exists(folder / "gain-cell/artifacts/behavioral.h5")) << r.output;
  EXPECT_NE(r.output.find("meets its specification"), std::string::npos) << r.output;
}

TEST(Guide, ItsSecondPageRunsAndTheFormatsSnippetReadsItsTable) {
  const TemporaryFolder folder;
  folder.write("snippet.py",
               blocks(std::filesystem::path(ERRATA_SOURCE_DIR) / "docs/formats/error-table.md", "```python"));
  const ProgramResult r =
      run_page(folder, "2-model.md", "/usr/bin/python3 snippet.py my-chip/artifacts/error_table.h5\n");
  EXPECT_EQ(r.status, 0) << r.output;
  EXPECT_NE(r.output.find("column model current_mode"), std::string::npos) << r.output;
  EXPECT_NE(r.output.find("column model black_box"), std::string::npos) << r.output;
  EXPECT_NE(r.output.find("both.h5: 2 tables, 120 chips, 960 columns"), std::string::npos) << r.output;
  // Chips of the same truth: each of five terms differs by chance in one of 1000 runs, σ_D by 5 % never.
  EXPECT_NE(r.output.find("the tables agree within their errors"), std::string::npos) << r.output;
  EXPECT_NE(r.output.find("ideal -18, static state"), std::string::npos) << r.output;
  // The fit report and a project with three temperatures.
  for (const char* part : {"parameters: ", "curve of a conversion", "trainer  polynomial",
                           "interpolated from the other operating points, without this one",
                           "operating point -20 degC, 1 V", "operating point 85 degC, 1 V"})
    EXPECT_NE(r.output.find(part), std::string::npos) << part << "\n" << r.output;
}

TEST(Guide, ItsThirdPageRuns) {
  const TemporaryFolder folder;
  const ProgramResult r = run_page(folder, "3-train.md");
  EXPECT_EQ(r.status, 0) << r.output;
  for (const char* line : {"error_aware on behavioral", "errors in linear1", "recalibrated on every chip: affine",
                           "adapted from 'ideal'", "nonlinear on nonlinear", "device on device"})
    EXPECT_NE(r.output.find(line), std::string::npos) << line << "\n" << r.output;
}

}  // namespace
}  // namespace errata
