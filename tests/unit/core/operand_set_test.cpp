#include "core/operand_set.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/expect_error.h"
#include "tests/support/temporary_folder.h"

namespace errata {
namespace {

using testing::expect_error;
using testing::TemporaryFolder;

OperandSet example(bool pairs) {
  OperandSet s;
  s.provenance = {.format = OperandSet::kFormat, .config = "x = 1\n", .seed = 3};
  s.rows = 12;
  s.levels = 4;
  s.inputs = 2;
  for (std::uint64_t k = 0; k < 3; ++k) {
    s.layer.push_back(k / 2);
    s.columns.push_back(make_operands({.rows = 12, .levels = 4, .operands = 20, .differential = pairs}, 5, 1, k));
  }
  return s;
}

TEST(OperandSet, SurvivesItsFile) {
  const TemporaryFolder folder;
  for (const bool pairs : {true, false}) {
    const OperandSet s = example(pairs);
    s.save(folder / "o.h5");
    const OperandSet t = OperandSet::load(folder / "o.h5");
    EXPECT_EQ(t.rows, 12u);
    EXPECT_EQ(t.layer, s.layer);
    ASSERT_EQ(t.columns.size(), 3u);
    for (std::size_t k = 0; k < 3; ++k) {
      EXPECT_EQ(t.columns[k].plus, s.columns[k].plus);
      EXPECT_EQ(t.columns[k].minus, s.columns[k].minus);
      EXPECT_EQ(t.columns[k].inputs, s.columns[k].inputs);
      EXPECT_EQ(t.columns[k].differential(), pairs);
    }
  }
}

TEST(OperandSet, ColumnsStandOnALargerArrayWithADrawOfTheirOperands) {
  const OperandSet s = example(true);
  const ColumnOperands c = s.column(4, 20, 8, 9, 2);
  const ColumnOperands& from = s.columns[1];
  EXPECT_EQ(c.rows, 20u);
  ASSERT_EQ(c.count(), 8u);
  for (std::size_t j = 0; j < 20; ++j) EXPECT_EQ(c.plus[j], j < 12 ? from.plus[j] : 0);
  std::set<std::string> known;
  for (std::size_t p = 0; p < from.count(); ++p) known.insert({from.input(p), from.input(p) + 12});
  for (std::size_t p = 0; p < 8; ++p) {
    EXPECT_TRUE(known.contains({c.input(p), c.input(p) + 12}));
    for (std::size_t j = 12; j < 20; ++j) EXPECT_EQ(c.input(p)[j], 0);
  }
  EXPECT_EQ(s.column(4, 20, 8, 9, 2).inputs, c.inputs);
  EXPECT_NE(s.column(4, 20, 8, 9, 3).inputs, c.inputs);
  EXPECT_EQ(s.column(0, 12, 100, 9, 2).count(), 20u);
}

TEST(OperandSet, RefusesLevelsThatItsHardwareDoesNotHave) {
  const TemporaryFolder folder;
  OperandSet s = example(true);
  s.levels = 2;
  s.save(folder / "o.h5");
  expect_error(ExitStatus::kArtifact, "E403", [&] { OperandSet::load(folder / "o.h5"); });
  s = example(true);
  s.columns[2].inputs[7] = 2;
  s.save(folder / "o.h5");
  expect_error(ExitStatus::kArtifact, "E403", [&] { OperandSet::load(folder / "o.h5"); });
  expect_error(ExitStatus::kArtifact, "E401", [&] { OperandSet::load(folder / "none.h5"); });
}

}  // namespace
}  // namespace errata
