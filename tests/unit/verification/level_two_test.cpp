// A table compiled from the model passes level 2; tables with a planted mistake do not (methods.md §6).
#include "verification/level_two.h"

#include <gtest/gtest.h>

#include "errormodel/compile.h"
#include "tests/support/small_macro.h"
#include "training/hardware/table_conversion.h"

namespace errata::verification {
namespace {

const errormodel::ErrorTable& right_table() {
  static const errormodel::ErrorTable table = [] {
    const Settings s = testing::small_settings(
        {{"errormodel.chips", "200"}, {"errormodel.columns", "12"}, {"errormodel.operands_per_column", "24"}});
    Provenance p;
    p.format = errormodel::ErrorTable::kFormat;
    p.seed = 1;
    RunContext context;
    context.jobs = 2;
    return errormodel::compile_table(testing::small_model(), s, p, context);
  }();
  return table;
}

std::vector<ColumnOperands> workload() {
  std::vector<ColumnOperands> all;
  for (std::uint64_t c = 0; c < 24; ++c)
    all.push_back(make_operands({.rows = 32, .levels = 4, .operands = 32, .mac_limit = 30}, 77, 5, c));
  return all;
}

/// The model's side, drawn once.
const LevelTwoReference& reference() {
  static const LevelTwoReference r = [] {
    RunContext context;
    context.jobs = 2;
    const Converter model = [](std::uint64_t chip, std::uint64_t column, const ColumnOperands& o) {
      return convert_by_model(testing::small_model(), 1, chip, column, o);
    };
    return level_two_reference(model, right_table(), workload(), 1, 80, context);
  }();
  return r;
}

Color verdict_of(const errormodel::ErrorTable& table, std::string* which = nullptr) {
  RunContext context;
  context.jobs = 2;
  const LevelTwoResult r = compare_table(reference(), table, context);
  Color worst = Color::kGreen;
  if (which != nullptr)
    for (const auto& b : r.bins)
      if (b.distance > b.allowed)
        *which += "bin " + std::to_string(b.y_low) + " ... " + std::to_string(b.y_high) + " mean " +
                  std::to_string(b.model_mean) + " by table " + std::to_string(b.table_mean) + " sigma " +
                  std::to_string(b.model_sigma) + " by table " + std::to_string(b.table_sigma) + " W1 " +
                  std::to_string(b.distance) + " > " + std::to_string(b.allowed) + "\n";
  for (const auto& c : r.checks) {
    if (c.color == Color::kRed && which != nullptr)
      *which += c.name + " " + std::to_string(c.value.low) + " ... " + std::to_string(c.value.high) + "; ";
    worst = std::max(worst, c.color);
  }
  return worst;
}

TEST(LevelTwo, ARightTableIsNotRed) {
  std::string which;
  EXPECT_NE(verdict_of(right_table(), &which), Color::kRed) << which;
}

TEST(LevelTwo, ATableWithoutNoiseIsRed) {
  auto t = right_table();
  std::fill(t.dynamic_sigma.begin(), t.dynamic_sigma.end(), 0.0);
  EXPECT_EQ(verdict_of(t), Color::kRed);
}

TEST(LevelTwo, ATableWithHalfTheNoiseIsRed) {
  auto t = right_table();
  for (double& s : t.dynamic_sigma) s *= 0.5;
  EXPECT_EQ(verdict_of(t), Color::kRed);
}

TEST(LevelTwo, ATableWithoutStaticTermsIsRed) {
  auto t = right_table();
  t.chip.fill(0);
  t.column.fill(0);
  std::fill(t.cell_sigma.begin(), t.cell_sigma.end(), 0.0);
  EXPECT_EQ(verdict_of(t), Color::kRed);
}

TEST(LevelTwo, ATableWithoutMeanShiftIsRed) {
  auto t = right_table();
  for (std::size_t k = 0; k < t.levels; ++k) t.level[k] = static_cast<double>(k);
  std::fill(t.mu.begin(), t.mu.end(), 0.0);
  std::string which;
  EXPECT_EQ(verdict_of(t, &which), Color::kRed) << which;
}

TEST(LevelTwo, MatchedGaussianIsRed) {
  // The right total variance as fresh noise: averaging reads would remove what is static.
  EXPECT_EQ(verdict_of(training::matched_gaussian(right_table())), Color::kRed);
}

}  // namespace
}  // namespace errata::verification
