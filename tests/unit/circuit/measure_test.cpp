#include "circuit/campaign/measure.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace errata::circuit {
namespace {

using Measure = Output::Measure;

/// 2 t on uneven points from 0 to 4.
const std::vector<double> kTime = {0, 0.5, 1, 2.5, 3, 4};
const std::vector<double> kRamp = {0, 1, 2, 5, 6, 8};

double of(Measure what, double from, double to) {
  return measure({.vector = "v", .measure = what, .from_seconds = from, .to_seconds = to}, kTime, kRamp);
}

TEST(Measure, SamplesAtATimeOrAtTheEnd) {
  EXPECT_EQ(of(Measure::kSample, 0, 0), 8);
  EXPECT_DOUBLE_EQ(of(Measure::kSample, 0, 1.7), 3.4);
  EXPECT_DOUBLE_EQ(of(Measure::kSample, 0, 2.5), 5);
  EXPECT_TRUE(std::isnan(of(Measure::kSample, 0, 4.1)));
}

TEST(Measure, IntegratesAndAveragesBetweenAnyTimes) {
  EXPECT_DOUBLE_EQ(of(Measure::kIntegral, 0, 0), 16);
  EXPECT_DOUBLE_EQ(of(Measure::kIntegral, 0.2, 3.3), 3.3 * 3.3 - 0.04);
  EXPECT_DOUBLE_EQ(of(Measure::kAverage, 0.2, 3.3), 3.5);
  EXPECT_NEAR(of(Measure::kIntegral, 1.1, 1.2), 1.44 - 1.21, 1e-14);
  EXPECT_TRUE(std::isnan(of(Measure::kIntegral, 2, 2)));
  EXPECT_TRUE(std::isnan(of(Measure::kAverage, 3, 5)));
}

}  // namespace
}  // namespace errata::circuit
