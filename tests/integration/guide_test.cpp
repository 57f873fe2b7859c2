// The guide's blocks run as they stand.
#include <gtest/gtest.h>

#include "tests/support/program.h"
#include "tests/support/shell_blocks.h"
#include "tests/support/temporary_folder.h"
#include "verification/verdict.h"

namespace errata {
namespace {

/// Runs a page's blocks in a folder.
testing::ProgramResult run_page(const testing::TemporaryFolder& folder, const std::string& page) {
  const auto script = folder.write(
      "blocks.sh", "set -e\nexport PATH=" + std::filesystem::path(ERRATA_PROGRAM).parent_path().string() + ":$PATH\n" +
                       testing::shell_blocks(std::filesystem::path(ERRATA_SOURCE_DIR) / "docs/guide" / page));
  const testing::ProgramResult r = testing::run_shell("cd " + folder.path().string() + " && bash " + script.string());
  EXPECT_EQ(r.status, 0) << r.output;
  return r;
}

TEST(Guide, ItsSecondPageRuns) {
  const testing::TemporaryFolder folder;
  const testing::ProgramResult r = run_page(folder, "2-model.md");
  // What the page promises of the fit report and of a project with three temperatures.
  for (const char* part : {"parameters: ", "curve of a conversion", "trainer  polynomial", "column model black_box",
                           "interpolated from the other operating points, without this one",
                           "operating point -20 degC, 1 V", "operating point 85 degC, 1 V"})
    EXPECT_NE(r.output.find(part), std::string::npos) << part << "\n" << r.output;
}

TEST(Guide, ItsFourthPageRuns) {
  const testing::TemporaryFolder folder;
  const testing::ProgramResult r = run_page(folder, "4-verify.md");
  const auto v = verification::Verification::load(folder / "my-chip/artifacts/verification.h5");
  // What the page promises: every check names its dataset, every check that is not green says what to do, and the
  // specifications that the page adds are checked.
  std::size_t specifications = 0;
  for (const auto& c : v.checks) {
    EXPECT_FALSE(c.data.empty()) << c.name;
    EXPECT_EQ(c.advice.empty(), c.color == verification::Color::kGreen) << c.name;
    specifications += c.level == 5;
  }
  EXPECT_EQ(specifications, 3u);
  EXPECT_NE(r.output.find("verdict: "), std::string::npos) << r.output;
}

}  // namespace
}  // namespace errata
