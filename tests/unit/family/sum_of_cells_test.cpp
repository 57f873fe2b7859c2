// A family that is not errata's, added by the four files that docs/guide/5-add-a-family.md shows.
#include "tests/unit/family/sum_of_cells.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "behavioral/fit.h"
#include "circuit/characterize.h"
#include "tests/support/temporary_folder.h"

namespace errata::behavioral {
namespace {

using testing::TemporaryFolder;

TEST(SumOfCells, IsFittedStoredAndReadLikeAnyOther) {
  const TemporaryFolder folder;
  const Settings s = read_project(std::filesystem::path(ERRATA_SOURCE_DIR) / "netlists/rram_1t1r",
                                  std::vector<SettingOverride>{{"behavioral.model", "sum_of_cells"},
                                                               {"circuit.mismatch", "[]"},
                                                               {"array.wire_resistance", "0 Ohm"},
                                                               {"array.clamp_resistance", "0 Ohm"},
                                                               {"array.rows", "16"},
                                                               {"circuit.design.chips", "2"},
                                                               {"circuit.design.columns", "1"},
                                                               {"circuit.design.operands", "8"}});
  const auto data = circuit::characterize(s, folder.path(), RunContext{});
  const auto model = fit_model(
      data, s, {.format = BehavioralModel::kFormat, .major_version = BehavioralModel::kMajor, .seed = s.seed()});
  EXPECT_EQ(model.family->name(), "sum_of_cells");
  EXPECT_TRUE(model.validation.passed) << fit_report(model);
  EXPECT_NE(fit_report(model).find("table of nominal currents"), std::string::npos);
  model.save(folder / "m.h5");
  const auto back = BehavioralModel::load(folder / "m.h5");
  const ColumnOperands operands = data.columns.design(0, 0);
  EXPECT_EQ(back.read_column(1, 5, 0, operands), model.read_column(1, 5, 0, operands));
  // Given a wire it misses the specification, and the pipeline would stop.
  const Settings wire = read_project(std::filesystem::path(ERRATA_SOURCE_DIR) / "netlists/rram_1t1r",
                                     std::vector<SettingOverride>{{"behavioral.model", "sum_of_cells"},
                                                                  {"array.rows", "32"},
                                                                  {"circuit.design.chips", "2"},
                                                                  {"circuit.design.columns", "1"},
                                                                  {"circuit.design.operands", "8"}});
  const auto missed =
      fit_model(circuit::characterize(wire, folder / "wire", RunContext{}), wire, {.seed = wire.seed()});
  EXPECT_FALSE(missed.validation.passed);
}

TEST(SumOfCells, TheGuideShowsItsFilesWordForWord) {
  const std::filesystem::path root = ERRATA_SOURCE_DIR;
  const auto text = [](const std::filesystem::path& path) {
    std::ostringstream all;
    all << std::ifstream(path).rdbuf();
    return all.str();
  };
  const std::string guide = text(root / "docs/guide/5-add-a-family.md");
  for (const char* file : {"sum_of_cells.h", "sum_of_cells.cpp", "families.cpp"})
    EXPECT_NE(guide.find("```cpp\n" + text(root / "tests/unit/family" / file) + "```"), std::string::npos) << file;
}

}  // namespace
}  // namespace errata::behavioral
