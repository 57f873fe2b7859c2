#include "cli/report/ticks.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace errata::report {
namespace {

TEST(NiceTicks, AreRoundAndInside) {
  const Ticks t = nice_ticks(-40, 40, 5);
  EXPECT_EQ(t.value, (std::vector<double>{-40, -20, 0, 20, 40}));
  EXPECT_EQ(t.label, (std::vector<std::string>{"−40", "−20", "0", "20", "40"}));
}

TEST(NiceTicks, LabelsShareTheirDecimals) {
  EXPECT_EQ(nice_ticks(0, 0.21, 5).label, (std::vector<std::string>{"0", "0.05", "0.10", "0.15", "0.20"}));
}

TEST(NiceTicks, AtLeastTwoEverywhereAndNeverMany) {
  for (int exponent = -14; exponent <= 14; ++exponent)
    for (const double low : {-3.0, 0.0, 0.3, 96.97})
      for (const double width : {0.11, 0.37, 1.0, 2.9, 6.0, 9.9}) {
        const double scale = std::pow(10.0, exponent);
        const Ticks t = nice_ticks(low * scale, (low + width) * scale, 5);
        ASSERT_GE(t.value.size(), 2u) << low << " + " << width << " e" << exponent;
        ASSERT_LE(t.value.size(), 11u) << low << " + " << width << " e" << exponent;
        ASSERT_EQ(t.value.size(), t.label.size());
        EXPECT_EQ(std::set<std::string>(t.label.begin(), t.label.end()).size(), t.label.size())
            << "labels repeat, e" << exponent;
        EXPECT_GE(t.value.front(), (low - 1e-6) * scale);
        EXPECT_LE(t.value.back(), (low + width + 1e-6) * scale);
      }
}

TEST(NiceTicks, NoneForAnEmptyRange) {
  EXPECT_TRUE(nice_ticks(1, 1, 5).value.empty());
  EXPECT_TRUE(nice_ticks(2, 1, 5).value.empty());
  EXPECT_TRUE(nice_ticks(0, std::nan(""), 5).value.empty());
  EXPECT_TRUE(nice_ticks(-INFINITY, INFINITY, 5).value.empty());
  EXPECT_TRUE(nice_ticks(1e15, 1e15 + 1, 5).value.empty());  // closer than labels could tell
}

TEST(AxisRange, IgnoresWhatIsNotFiniteAndNeverHasZeroWidth) {
  Range r;
  r.include(std::nan(""));
  r.include(INFINITY);
  EXPECT_TRUE(r.empty);
  EXPECT_GT(r.padded(0.1).width(), 0);
  r.include(5);
  EXPECT_GT(r.padded(0.1).width(), 0);
  r.include(7);
  EXPECT_DOUBLE_EQ(r.padded(0.1).low, 4.8);
  EXPECT_DOUBLE_EQ(r.padded(0.1).high, 7.2);
}

}  // namespace
}  // namespace errata::report
