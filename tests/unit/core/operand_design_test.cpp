#include "core/operand_design.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/statistics.h"

namespace errata {
namespace {

TEST(MakeOperands, IsAPureFunction) {
  const OperandDesign design{.rows = 32, .levels = 4, .operands = 20};
  const auto a = make_operands(design, 1, 2, 3), b = make_operands(design, 1, 2, 3);
  EXPECT_EQ(a.plus, b.plus);
  EXPECT_EQ(a.minus, b.minus);
  EXPECT_EQ(a.inputs, b.inputs);
  EXPECT_NE(make_operands(design, 2, 2, 3).inputs, a.inputs);
  EXPECT_NE(make_operands(design, 1, 3, 3).inputs, a.inputs);
  EXPECT_NE(make_operands(design, 1, 2, 4).inputs, a.inputs);
  EXPECT_NE(make_operands(design, 1, 2, 4).plus, a.plus);
}

class OperandSizes : public ::testing::TestWithParam<OperandDesign> {};

TEST_P(OperandSizes, StayInsideTheirLimits) {
  const OperandDesign design = GetParam();
  for (std::uint64_t column = 0; column < 20; ++column) {
    const auto o = make_operands(design, 1, 0, column);
    ASSERT_EQ(o.plus.size(), design.rows);
    ASSERT_EQ(o.minus.size(), design.rows);
    ASSERT_EQ(o.count(), design.operands);
    for (std::size_t j = 0; j < design.rows; ++j) {
      ASSERT_LT(o.plus[j], design.levels);
      ASSERT_LT(o.minus[j], design.levels);
      ASSERT_TRUE(o.plus[j] == 0 || o.minus[j] == 0);  // one branch of a pair is at level 0
    }
    for (const auto x : o.inputs) ASSERT_LE(x, 1);
  }
}

TEST_P(OperandSizes, ActivityHasOneOperandInEachStratum) {
  OperandDesign design = GetParam();
  design.mac_limit = 0.0;  // which costs activity
  const auto o = make_operands(design, 1, 0, 0);
  std::vector<std::size_t> active;
  for (std::size_t p = 0; p < o.count(); ++p)
    active.push_back(static_cast<std::size_t>(std::accumulate(o.input(p), o.input(p) + o.rows, 0)));
  std::sort(active.begin(), active.end());
  for (std::size_t k = 0; k < active.size(); ++k) {  // rounding to whole rows moves an edge by half a row
    EXPECT_GE(active[k] + 0.5, static_cast<double>(k * design.rows) / design.operands);
    EXPECT_LE(active[k] - 0.5, static_cast<double>((k + 1) * design.rows) / design.operands);
  }
}

INSTANTIATE_TEST_SUITE_P(All, OperandSizes,
                         ::testing::Values(OperandDesign{.rows = 64, .levels = 4, .operands = 40},
                                           OperandDesign{.rows = 1, .levels = 4, .operands = 8},
                                           OperandDesign{.rows = 2, .levels = 2, .operands = 4},
                                           OperandDesign{.rows = 256, .levels = 8, .operands = 40},
                                           OperandDesign{.rows = 64, .levels = 256, .operands = 10, .mac_limit = 50}));

TEST(MakeOperands, CoversBothSignsAtEveryActivity) {
  // Over 200 columns every third of activity but the topmost (where all rows pull one way) sees both signs.
  const OperandDesign design{.rows = 64, .levels = 4, .operands = 40};
  int positive[3] = {}, negative[3] = {};
  for (std::uint64_t column = 0; column < 200; ++column) {
    const auto o = make_operands(design, 1, 0, column);
    for (std::size_t p = 0; p < o.count(); ++p) {
      const int active = std::accumulate(o.input(p), o.input(p) + o.rows, 0);
      const int third = std::min(2, active * 3 / 64);
      (o.mac(p) > 0 ? positive : negative)[third] += 1;
    }
  }
  for (int third = 0; third < 3; ++third) {
    EXPECT_GT(positive[third], 200) << third;  // 8000 operands: a fifth of a third at the least
    EXPECT_GT(negative[third], 200) << third;
  }
}

TEST(MakeOperands, KeepsADesignBelowItsMacLimit) {
  // A column whose weights lean one way gives up activity: operands beyond the axes are lost to the estimation.
  for (const bool differential : {true, false})
    for (const std::size_t inputs : {2u, 4u}) {
      const OperandDesign design{.rows = 64,
                                 .levels = 4,
                                 .operands = 40,
                                 .mac_limit = 16,
                                 .input_levels = inputs,
                                 .differential = differential};
      double activity = 0.0;
      for (std::uint64_t column = 0; column < 100; ++column) {
        const auto o = make_operands(design, 1, 0, column);
        for (std::size_t p = 0; p < o.count(); ++p) EXPECT_LE(std::fabs(o.mac(p)), 16.0);
        for (const auto x : o.inputs) activity += x > 0;
      }
      EXPECT_GT(activity / (100 * 40 * 64), differential ? 0.4 : 0.15) << inputs;  // no more than is needed
    }
}

TEST(ColumnOperands, MacAndDriveFollowTheirDefinitions) {
  const ColumnOperands o{.rows = 3, .plus = {2, 0, 1}, .minus = {0, 3, 0}, .inputs = {1, 1, 0, 0, 1, 1}};
  EXPECT_EQ(o.count(), 2u);
  EXPECT_EQ(o.mac(0), 2 - 3);
  EXPECT_EQ(o.mac(1), -3 + 1);
  EXPECT_DOUBLE_EQ(o.second_axis(0, 0.25), 2 + 3 + 2 * 0.25 * 2);
  EXPECT_DOUBLE_EQ(o.second_axis(1, 0.0), 3 + 1);
}

}  // namespace
}  // namespace errata
