#include "core/mismatch.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "tests/support/example_project.h"
#include "tests/support/statistical.h"

namespace errata {
namespace {

MismatchTerm term_of(MismatchScope scope) {
  return {.name = "t", .scope = scope, .device = "m1", .parameter = "delvto", .sigma = {1.0}};
}

TEST(UnitDraw, OfACellIsItsOwn) {
  const auto cell = term_of(MismatchScope::kCell);
  std::set<double> draws;
  for (std::uint64_t chip : {0, 1})
    for (std::uint64_t line : {0, 1})
      for (std::size_t row : {0, 1})
        for (std::size_t term : {0, 1}) draws.insert(unit_draw(1, cell, term, {chip, line}, row));
  EXPECT_EQ(draws.size(), 16u);
  EXPECT_EQ(unit_draw(1, cell, 0, {3, 4}, 5), unit_draw(1, cell, 0, {3, 4}, 5));
  EXPECT_NE(unit_draw(1, cell, 0, {3, 4}, 5), unit_draw(2, cell, 0, {3, 4}, 5));
}

TEST(UnitDraw, OfAColumnIsSharedByItsRows) {
  const auto column = term_of(MismatchScope::kColumn);
  EXPECT_EQ(unit_draw(1, column, 0, {3, 4}, 0), unit_draw(1, column, 0, {3, 4}, 77));
  EXPECT_NE(unit_draw(1, column, 0, {3, 4}, 0), unit_draw(1, column, 0, {3, 5}, 0));
  EXPECT_NE(unit_draw(1, column, 0, {3, 4}, 0), unit_draw(1, column, 0, {4, 4}, 0));
}

TEST(UnitDraw, OfAChipIsSharedByItsLines) {
  const auto chip = term_of(MismatchScope::kChip);
  EXPECT_EQ(unit_draw(1, chip, 0, {3, 4}, 0), unit_draw(1, chip, 0, {3, 99}, 5));
  EXPECT_NE(unit_draw(1, chip, 0, {3, 4}, 0), unit_draw(1, chip, 0, {4, 4}, 0));
  EXPECT_NE(unit_draw(1, chip, 0, {3, 4}, 0), unit_draw(1, chip, 1, {3, 4}, 0));
}

TEST(UnitDraw, OfAllRowsAtOnceHasTheSameBits) {
  for (const auto scope : {MismatchScope::kCell, MismatchScope::kColumn, MismatchScope::kChip})
    for (const bool uniform : {false, true})
      for (const std::vector<double>& mix : {std::vector<double>{}, std::vector<double>{0.6, 0.0, 0.8}}) {
        MismatchTerm term = term_of(scope);
        term.uniform = uniform;
        term.mix = mix;
        std::vector<double> rows(67);
        unit_draws(4, term, 2, {3, 5}, rows);
        for (std::size_t j = 0; j < rows.size(); ++j) EXPECT_EQ(rows[j], unit_draw(4, term, 2, {3, 5}, j)) << j;
      }
}

TEST(UnitDraw, IsStandardNormalAndUncorrelatedBetweenNeighbours) {
  const auto cell = term_of(MismatchScope::kCell);
  constexpr int n = 40000;
  double m1 = 0, m2 = 0, m11 = 0, last = 0;
  for (int i = 0; i < n; ++i) {
    const double z = unit_draw(1, cell, 0, {static_cast<std::uint64_t>(i / 256), 0}, static_cast<std::size_t>(i % 256));
    m1 += z / n;
    m2 += z * z / n;
    m11 += z * last / n;
    last = z;
  }
  EXPECT_TRUE(testing::agrees(m1, 0, std::sqrt(1.0 / n), 1e-5));  // false-alarm probability 1e-5 each
  EXPECT_TRUE(testing::agrees(m2, 1, std::sqrt(2.0 / n), 1e-5));
  EXPECT_TRUE(testing::agrees(m11, 0, std::sqrt(1.0 / n), 1e-5));
}

TEST(MovedValue, AddsNormalsAndMultipliesLognormals) {
  EXPECT_DOUBLE_EQ(moved_value(2, 0.5, 0), 2.5);
  EXPECT_DOUBLE_EQ(moved_value(2, 0, std::log(3)), 6);
  EXPECT_DOUBLE_EQ(moved_value(2, 1, std::log(3)), 9);
}

TEST(MismatchTerms, AreReadAndScaledBySeverity) {
  const std::string text =
      testing::with_line(testing::kExampleProject, 28,
                         "sigma = \"2 mV\"\n[[circuit.mismatch]]\nname = \"vt\"\n"
                         "device = \"M1\"\nparameter = \"DELVTO\"\npelgrom_coefficient = \"2.5 mV um\"\n"
                         "width = \"0.4 um\"\nlength = \"45 nm\"");
  for (const double severity : {0.0, 1.0, 2.0}) {
    const std::vector<SettingOverride> overrides = {{"circuit.severity", std::to_string(severity)}};
    const Settings s = parse_project(text, "errata.toml", "/tmp", overrides);
    const auto terms = mismatch_terms(s, 4);
    ASSERT_EQ(terms.size(), 3u);
    EXPECT_TRUE(terms[0].lognormal);
    EXPECT_EQ(terms[0].scope, MismatchScope::kCell);
    EXPECT_FALSE(terms[0].in_periphery());
    EXPECT_DOUBLE_EQ(terms[0].sigma_at(1), 0.09 * severity);
    EXPECT_EQ(terms[1].scope, MismatchScope::kColumn);
    EXPECT_TRUE(terms[1].in_periphery());
    EXPECT_DOUBLE_EQ(terms[1].sigma_at(3), 2e-3 * severity);
    EXPECT_EQ(terms[2].device, "m1");  // SPICE knows no case
    EXPECT_EQ(terms[2].parameter, "delvto");
    EXPECT_NEAR(terms[2].sigma_at(0), severity * 2.5e-9 / std::sqrt(0.4e-6 * 45e-9), 1e-15);
    const auto noise = noise_sources(s);
    ASSERT_EQ(noise.size(), 1u);
    EXPECT_TRUE(noise[0].cell_relative);
    EXPECT_DOUBLE_EQ(noise[0].sigma_at(2), 0.02 * severity);
  }
}

TEST(MismatchTerms, MayBeAbsent) {
  const std::vector<SettingOverride> none = {{"circuit.mismatch", "[]"}, {"circuit.noise_source", "[]"}};
  const Settings s = parse_project(testing::kExampleProject, "errata.toml", "/tmp", none);
  EXPECT_TRUE(mismatch_terms(s, 4).empty());
  EXPECT_TRUE(noise_sources(s).empty());
}

TEST(Chips, OfDifferentUsesNeverMeet) {
  // Each use may have a million chips but training, which counts up from a billion.
  std::vector<std::uint64_t> starts = {chips::kCharacterization, chips::kTable, chips::kTableCheck, chips::kEvaluation,
                                       chips::kReplay};
  std::sort(starts.begin(), starts.end());
  for (std::size_t i = 1; i < starts.size(); ++i) EXPECT_GE(starts[i] - starts[i - 1], 1'000'000u);
  EXPECT_GT(chips::kTraining, starts.back() + 1'000'000u);
}

}  // namespace
}  // namespace errata
