#include "verification/level_three.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "core/random_stream.h"
#include "tests/support/statistical.h"
#include "verification/advice.h"
#include "verification/yield.h"

namespace errata::verification {
namespace {

/// Chips whose accuracy spreads by `spread` about `mean`, each pass with read noise of its own.
AccuracySource chips_of(double mean, double spread, double read, std::uint64_t which) {
  return [=](std::uint64_t first, std::size_t chips, std::uint64_t pass) {
    std::vector<double> accuracy;
    for (std::uint64_t c = first; c < first + chips; ++c) {
      RandomStream chip(41, StreamPurpose::kTest, which, 0, c), noise(41, StreamPurpose::kTest, which, 1 + pass, c);
      accuracy.push_back(mean + spread * chip.normal() + read * noise.normal());
    }
    return accuracy;
  };
}

TEST(LevelThree, TakesMoreChipsOnlyWhereTheIntervalIsTooWide) {
  const LevelThreeOptions options{.chips = 100, .most_chips = 400};
  const auto clear = compare_accuracy({"a", chips_of(95, 0.6, 0.0, 1), chips_of(95, 0.6, 0.0, 2)}, options);
  EXPECT_LE(clear.model.size(), 150u);  // relative standard error 0.1: the half width is 0.16 against 0.15
  const auto noisy = compare_accuracy({"a", chips_of(95, 0.6, 0.5, 3), chips_of(95, 0.6, 0.5, 4)}, options);
  EXPECT_GT(noisy.model.size(), 150u);
  EXPECT_LE(noisy.model.size(), 400u);
  EXPECT_EQ(noisy.model.size(), noisy.model_again.size());
  EXPECT_EQ(noisy.model.size(), noisy.table.size());
  // Read noise hides the chips: 400 chips would not help, and none are spent.
  const auto hidden = compare_accuracy({"a", chips_of(95, 0.02, 0.5, 5), chips_of(95, 0.02, 0.5, 6)}, options);
  EXPECT_EQ(hidden.model.size(), 100u);
  EXPECT_EQ(hidden.checks[1].color, Color::kInconclusive);
  EXPECT_TRUE(hidden.checks[1].advice.starts_with("inconclusive: ")) << hidden.checks[1].advice;
}

TEST(LevelThree, ARightTableIsMostlyGreenAndAWrongOneNever) {
  // Of 40 right tables nine in ten should be green; fewer than 30 would happen once in 10⁴ at 0.9. With 100 chips
  // alone, about half of them were inconclusive.
  constexpr int kTables = 40;
  int green = 0, wrong_green = 0;
  for (std::uint64_t k = 0; k < kTables; ++k) {
    const LevelThreeOptions options{.chips = 100, .most_chips = 400, .seed = k};
    const auto model = chips_of(95, 0.6, 0.4, 100 + 3 * k);
    green +=
        overall(compare_accuracy({"a", chips_of(95, 0.6, 0.4, 101 + 3 * k), model}, options).checks) == Color::kGreen;
    wrong_green +=
        overall(compare_accuracy({"a", chips_of(95, 0.3, 0.5, 102 + 3 * k), model}, options).checks) == Color::kGreen;
  }
  EXPECT_GE(green, 30);
  EXPECT_EQ(wrong_green, 0);
}

TEST(LevelThree, FewChipsStayADemonstration) {
  const auto r = compare_accuracy({"a", chips_of(95, 2, 1, 7), chips_of(95, 2, 1, 8)}, {.chips = 4, .most_chips = 400});
  EXPECT_LE(r.model.size(), 16u);
  EXPECT_EQ(r.checks.size(), 1u);
}

TEST(Portability, IsPairedOverChips) {
  const std::vector<double> a{90, 95, 80, 92}, b{90.1, 95.2, 80.1, 92.2};
  EXPECT_EQ(portability_check("x", a, b, 1.0).color, Color::kGreen);
  EXPECT_EQ(portability_check("x", a, {93, 98.2, 83.1, 95.2}, 1.0).color, Color::kRed);
}

TEST(Advice, SaysHowManyWouldDecide) {
  const Remedy remedy{"chips", "verification.chips", 100, "the spread is wrong"};
  const auto with = [&](Interval i) {
    return judged({.level = 3, .name = "x", .value = i, .low = 0.7, .high = 1.4}, remedy);
  };
  EXPECT_EQ(with({1.0, 0.9, 1.1}).advice, "");
  // 1.14 [0.91, 1.44]: the upper half of 0.30 must shrink to 0.26, which takes (0.30/0.26)² = 1.33 times the chips.
  EXPECT_EQ(with({1.14, 0.91, 1.44}).advice, "inconclusive: about 140 chips would decide, 100 now: verification.chips");
  EXPECT_EQ(with({2.0, 1.5, 2.5}).advice, "level 3 breaks here: the spread is wrong");
  EXPECT_NE(with({1.4, 1.1, 1.7}).advice.find("edge"), std::string::npos);
}

TEST(Advice, TimesToDecide) {
  EXPECT_EQ(times_to_decide({0, -1, 1}, -2, 2), 1.0);
  EXPECT_NEAR(times_to_decide({0, -3, 3}, -1.5, 1.5), 4.0, 1e-12);
  EXPECT_NEAR(times_to_decide({3, 1, 5}, -2, 2), 4.0, 1e-12);  // outside: it takes four times as many to be red
  EXPECT_EQ(times_to_decide({2, 1, 3}, -2, 2), std::numeric_limits<double>::infinity());
}

TEST(Advice, AWideIntervalNearTheEdgeAsksForMore) {
  const Remedy remedy{.key = "verification.chips", .count = 24, .broken = "the table misses something"};
  const auto advice = [&](Interval value) { return judged({.value = value, .low = -0.5, .high = 0.5}, remedy).advice; };
  // Half-width 1.75 around the middle: (1.75 / 0.5)² · 24 = 294.
  EXPECT_EQ(advice({-0.375, -2.125, 1.375}),
            "inconclusive: the interval is wider than the tolerance; at least 300 chips are needed, 24 now: "
            "verification.chips");
  EXPECT_NE(advice({-0.499, -0.6, -0.398}).find("lies at the edge of the tolerance"), std::string::npos);
  EXPECT_NE(advice({-0.49, -0.95, -0.03}).find("lies at the edge of the tolerance"), std::string::npos);
}

TEST(Yield, CurveFallsAndHoldsTheTruth) {
  std::vector<double> accuracy;
  RandomStream stream(43, StreamPurpose::kTest);
  for (int k = 0; k < 200; ++k) accuracy.push_back(95 + stream.normal());
  const auto curve = yield_curve(accuracy);
  EXPECT_EQ(curve.front().fraction.estimate, 1.0);
  for (std::size_t k = 1; k < curve.size(); ++k) EXPECT_LT(curve[k].fraction.estimate, curve[k - 1].fraction.estimate);
  const Interval half = yield_at(accuracy, 95.0);  // the truth is 0.5, known to 0.035
  EXPECT_TRUE(testing::agrees(half.estimate, 0.5, std::sqrt(0.25 / 200), 1e-4));
  EXPECT_NEAR(half.high - half.low, 2 * 1.96 * std::sqrt(0.25 / 200), 0.01);
}

TEST(Quantile, IntervalCoversAsOftenAsItSays) {
  constexpr int kRepetitions = 600;
  int covered = 0;
  for (std::uint64_t r = 0; r < kRepetitions; ++r) {
    RandomStream stream(44, StreamPurpose::kTest, r);
    std::vector<double> v;
    for (int k = 0; k < 100; ++k) v.push_back(stream.normal());
    covered += quantile_interval(v, 0.1, 0.95).contains(normal_quantile(0.1));
  }
  // At least 0.95, by how binomial counts fall 0.955; below 0.92 happens once in 10³ at 0.95, above 0.985 hardly ever.
  EXPECT_GE(covered, 0.92 * kRepetitions);
  EXPECT_LE(covered, 0.99 * kRepetitions);
  const Interval few = quantile_interval(std::vector<double>{1, 2, 3}, 0.1, 0.95);
  EXPECT_EQ(few.low, 1.0);
}

}  // namespace
}  // namespace errata::verification
