// The guide's blocks run as they stand.
#include <gtest/gtest.h>

#include "tests/support/program.h"
#include "tests/support/shell_blocks.h"
#include "tests/support/temporary_folder.h"
#include "verification/verdict.h"

namespace errata {
namespace {

TEST(Guide, ItsFourthPageRuns) {
  const testing::TemporaryFolder folder;
  const auto script = folder.write(
      "blocks.sh", "set -e\nexport PATH=" + std::filesystem::path(ERRATA_PROGRAM).parent_path().string() + ":$PATH\n" +
                       testing::shell_blocks(std::filesystem::path(ERRATA_SOURCE_DIR) / "docs/guide/4-verify.md"));
  const testing::ProgramResult r = testing::run_shell("cd " + folder.path().string() + " && bash " + script.string());
  EXPECT_EQ(r.status, 0) << r.output;
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
