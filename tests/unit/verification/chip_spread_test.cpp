#include "verification/chip_spread.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/random_stream.h"

namespace errata::verification {
namespace {

struct Chips {
  std::vector<double> first, second;
  TwoPasses passes() const { return {first, second}; }
};

/// Chips whose accuracy spreads by `spread`, each read with noise of its own size about `read`.
Chips chips_of(double spread, double read, std::size_t count, std::uint64_t which) {
  Chips c;
  for (std::size_t k = 0; k < count; ++k) {
    RandomStream stream(31, StreamPurpose::kTest, which, k);
    const double chip = 98.0 + spread * stream.normal(), own = read * (0.5 + stream.uniform());
    c.first.push_back(chip + own * stream.normal());
    c.second.push_back(chip + own * stream.normal());
  }
  return c;
}

TEST(ChipSpread, IsFreeOfReadNoise) {
  // The relative standard error of the variance from n chips is about sqrt(2/n) (1 + (read/spread)²).
  EXPECT_NEAR(chip_spread(chips_of(0.4, 0.4, 20000, 1).passes()), 0.4, 0.01);
  EXPECT_NEAR(chip_spread(chips_of(0.4, 0.0, 20000, 2).passes()), 0.4, 0.01);
  EXPECT_LT(chip_spread(chips_of(0.0, 0.4, 20000, 3).passes()), 0.07);
}

TEST(ChipSpreadRatio, CoversTheTruthAsOftenAsItSays) {
  constexpr int kRepetitions = 60;
  int covered = 0;
  for (int r = 0; r < kRepetitions; ++r) {
    const auto which = static_cast<std::uint64_t>(10 + 2 * r);
    const Chips a = chips_of(0.6, 0.3, 100, which), b = chips_of(0.5, 0.3, 100, which + 1);
    const Interval i = chip_spread_ratio(a.passes(), b.passes(), 0.9, 400, 5);
    covered += i.low <= 1.2 && 1.2 <= i.high;
  }
  EXPECT_GE(covered, 48);  // 54 expected; fewer than 48 happens once in a hundred times
}

TEST(ChipSpreadRatio, TellsNothingWhenReadNoiseHidesTheChips) {
  // What six passes of one chip used to call red: spreads far below the read noise.
  for (std::uint64_t which = 0; which < 20; ++which) {
    const Chips a = chips_of(0.05, 0.4, 100, 300 + 2 * which), b = chips_of(0.05, 0.4, 100, 301 + 2 * which);
    const Interval i = chip_spread_ratio(a.passes(), b.passes(), 0.9, 400, 5);
    EXPECT_LE(i.low, 1.4) << which;
    EXPECT_GE(i.high, 0.7) << which;
    EXPECT_GT(i.high - i.low, 0.7) << which;
  }
}

TEST(ChipSpreadRatio, IsRedForATableThatHasNoStaticErrors) {
  const Chips table = chips_of(0.0, 0.3, 100, 500), model = chips_of(0.6, 0.3, 100, 501);
  EXPECT_LT(chip_spread_ratio(table.passes(), model.passes(), 0.9, 400, 5).high, 0.7);
}

}  // namespace
}  // namespace errata::verification
