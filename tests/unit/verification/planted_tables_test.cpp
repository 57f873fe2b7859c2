// Mistakes in a table itself (methods.md §6), each caught by the check that is meant for it. The truth is synthetic and
// the right table estimated from simulated measurements. How often is measured by tests/bench/verdict_bench.cpp; here
// one seed.
#include <gtest/gtest.h>

#include <map>

#include "tests/support/synthetic_verification.h"

namespace errata::verification {
namespace {

constexpr std::uint64_t kSeed = 5;
constexpr testing::SyntheticSize kSize{.chips = 100, .columns = 12, .operands = 32};

struct Example {
  testing::SyntheticTruth truth = testing::verification_truth();
  errormodel::ErrorTable right = testing::estimated_table(truth, kSize, kSeed);
  errormodel::ErrorTable y_only =
      testing::estimated_table(truth, kSize, kSeed, errormodel::EstimateOptions::Surfaces::kMac);
  RunContext context = [] {
    RunContext c;
    c.jobs = 2;
    return c;
  }();
  LevelTwoReference reference = level_two_reference(testing::converter_of(truth, kSeed + 1000), right,
                                                    testing::network_columns(truth, 24, kSeed), kSeed, 80, context);
};

const Example& example() {
  static const Example e;
  return e;
}

std::string report_of(const LevelTwoResult& r) {
  std::string text;
  for (const auto& c : r.checks)
    text += c.name + ": " + std::string(to_string(c.color)) + " " + std::to_string(c.value.low) + " ... " +
            std::to_string(c.value.high) + "\n";
  return text;
}

/// The named check's colour.
Color color_of(const LevelTwoResult& r, const std::string& name) {
  for (const auto& c : r.checks)
    if (c.name.starts_with(name)) return c.color;
  ADD_FAILURE() << "no check " << name;
  return Color::kGreen;
}

TEST(PlantedTables, TheRightOneIsGreen) {
  const LevelTwoResult r = compare_table(example().reference, example().right, example().context);
  EXPECT_EQ(overall(r.checks), Color::kGreen) << report_of(r);
  for (const auto& c : r.checks) {
    EXPECT_FALSE(c.data.empty()) << c.name;
    EXPECT_TRUE(c.advice.empty()) << c.advice;
  }
}

TEST(PlantedTables, EachMistakeIsCaughtByItsCheck) {
  const std::map<std::string, std::string> check = {
      {"half of the read noise", "dynamic sigma"},
      {"no read noise", "dynamic sigma"},
      {"no static part", "column static sigma"},
      {"no mean shift", "share of conversions"},
      {"mean shift of another corner", "share of conversions"},
      {"built on y only", "share of conversions"},
      {"mean error counted as noise", "dynamic sigma"},
      {"zeros in sparse bins", "nodes without support"},
      {"static part as fresh noise", "rms error of the mean of 16 reads"},
  };
  const auto wrong = testing::wrong_tables(example().right, example().y_only);
  EXPECT_EQ(wrong.size(), check.size());
  for (const auto& w : wrong) {
    const LevelTwoResult r = compare_table(example().reference, w.table, example().context);
    EXPECT_EQ(color_of(r, check.at(w.what)), Color::kRed) << w.what << "\n" << report_of(r);
    for (const auto& c : r.checks)
      if (c.color == Color::kRed) {
        EXPECT_TRUE(c.advice.starts_with("level 2 breaks here: ")) << c.advice;
      }
  }
}

/// A periphery without mismatch, and read noise beside which 40 × 30 columns can show that it has none.
struct NoColumnTerm {
  testing::SyntheticTruth truth = [] {
    auto t = testing::verification_truth();
    t.column.fill(0.0);
    t.read_sigma = [](double, double) { return 2.0; };
    return t;
  }();
  errormodel::ErrorTable right = testing::estimated_table(truth, {.chips = 40, .columns = 30, .operands = 16}, kSeed);
  LevelTwoReference reference = level_two_reference(testing::converter_of(truth, kSeed + 1000), right,
                                                    testing::network_columns(truth, 4, kSeed), kSeed, 40, {});
};

TEST(PlantedTables, AColumnTermThatIsAbsentOnBothSidesAgrees) {
  const NoColumnTerm none;
  const LevelTwoResult r = compare_table(none.reference, none.right, {});
  EXPECT_EQ(color_of(r, "column static sigma"), Color::kGreen) << report_of(r);
  auto claims = none.right;
  claims.column[0] = 0.2;  // a twentieth of the errors' variance
  EXPECT_EQ(color_of(compare_table(none.reference, claims, {}), "column static sigma"), Color::kRed);
}

}  // namespace
}  // namespace errata::verification
