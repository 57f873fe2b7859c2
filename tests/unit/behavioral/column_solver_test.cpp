#include "behavioral/line/column_solver.h"

#include <gtest/gtest.h>

#include <cmath>

#include "behavioral/line/line_shooting.h"
#include "tests/support/random_line.h"
#include "tests/support/vector_targets.h"

namespace errata::behavioral {
namespace {

using testing::LineShape;
using testing::random_inputs;
using testing::random_line;

class Solvers : public ::testing::TestWithParam<LineShape> {};

TEST_P(Solvers, AgreeWithTheDenseReference) {
  const LineShape shape = GetParam();
  const std::size_t count = shape.rows > 100 ? 3 : 85;  // 85: one full block of lanes and a part of one
  for (std::uint64_t which = 0; which < (shape.rows > 100 ? 1 : 3); ++which) {
    const PreparedLine line = random_line(shape, which);
    const auto inputs = random_inputs(shape.rows, count, which, shape.inputs);
    std::vector<double> current(count);
    solve_lines(line, PackedInputs(inputs, shape.rows, shape.rows, shape.inputs), current);
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint8_t* x = inputs.data() + i * shape.rows;
      const double expected = solve_line_dense(line, x);
      // What the header promises: fp32 for many inputs, fp64 for one.
      LineSensitivity sensitivity;
      EXPECT_NEAR(solve_line(line, x, sensitivity), expected, 1e-9 * std::fabs(expected)) << "input " << i;
      double scale = std::fabs(line.offset_amperes);
      for (const double a : sensitivity.cell_amperes) scale += std::fabs(a);
      EXPECT_NEAR(current[i], expected, 5e-6 * scale) << "input " << i;
    }
  }
}

TEST_P(Solvers, SensitivitiesAreTheDerivatives) {
  const LineShape shape = GetParam();
  const PreparedLine line = random_line(shape, 7);
  const auto inputs = random_inputs(shape.rows, 1, 7, shape.inputs);
  LineSensitivity s;
  solve_line(line, inputs.data(), s);
  ASSERT_EQ(s.injection_gain.size(), line.all_rows());
  const auto with_injection = [&](std::size_t row, double amperes) {
    PreparedLine moved = line;
    for (std::size_t x = 0; x < moved.inputs; ++x) moved.cells[x * moved.all_rows() + row].a += amperes;
    return solve_line_dense(moved, inputs.data());
  };
  for (std::size_t row = 0; row < shape.rows;
       row += std::max<std::size_t>(1, shape.rows > 100 ? shape.rows - 1 : shape.rows / 5)) {
    constexpr double kStep = 1e-8;
    const double expected = (with_injection(row, kStep) - with_injection(row, -kStep)) / (2 * kStep);
    // The gains are those of the last Newton step, taken within 1 uV of 0.2 V; the difference quotient has
    // 1e-16/1e-8·I.
    EXPECT_NEAR(s.injection_gain[row], expected, 2e-5 * std::fabs(expected)) << row;
  }
  const auto with_clamp = [&](double volts) {  // the same cells, expanded around a moved clamp voltage
    PreparedLine moved = line;
    for (auto& e : moved.cells)
      e = {e.a + volts * (e.b + e.c * volts), e.b + 2 * e.c * volts, e.c, e.p + e.q * volts, e.q, e.r};
    return solve_line_dense(moved, inputs.data());
  };
  constexpr double kStep = 1e-4;
  const double expected = (with_clamp(kStep) - with_clamp(-kStep)) / (2 * kStep);
  EXPECT_NEAR(s.transfer_conductance, expected, 2e-5 * std::fabs(expected));
  double sum = line.offset_amperes;
  for (const double i : s.cell_amperes) sum += i;
  EXPECT_NEAR(sum, solve_line_dense(line, inputs.data()), 1e-8 * std::fabs(sum));
}

INSTANTIATE_TEST_SUITE_P(
    All, Solvers,
    ::testing::Values(LineShape{}, LineShape{.clamp_ohms = 0}, LineShape{.wire_ohms = 0},
                      LineShape{.wire_ohms = 0, .clamp_ohms = 0}, LineShape{.source_line_ohms = 2},
                      LineShape{.wire_ohms = 0, .source_line_ohms = 2, .clamp_ohms = 0}, LineShape{.rows = 1},
                      LineShape{.rows = 1, .source_line_ohms = 3, .clamp_ohms = 0}, LineShape{.rows = 2},
                      LineShape{.rows = 256, .wire_ohms = 0.2}, LineShape{.rows = 7, .wire_ohms = 500},
                      LineShape{.rows = 16, .wire_ohms = 2000, .clamp_ohms = 2000},
                      LineShape{.rows = 5, .offset_amperes = -1e-4},
                      LineShape{.rows = 3, .clamp_ohms = 1e6, .offset_amperes = 0}, LineShape{.inputs = 4},
                      LineShape{.source_line_ohms = 1, .inputs = 8, .idle_rows = 20},
                      LineShape{.rows = 12, .wire_ohms = 800, .inputs = 4, .idle_rows = 3}));

TEST(SolveLines, OfALinearLadderIsTheHandCalculation) {
  // Two cells of 10 uS behind 1 kOhm clamp and 5 kOhm wire: G2 = 1/(1/10u + 5k), I = V / (1k + 1/(10u + G2)).
  PreparedLine line{.rows = 2, .clamp_volts = 0.2, .clamp_ohms = 1e3, .offset_amperes = 0, .wire_ohms = 5e3};
  line.cells = {{}, {}, {.a = 2e-6, .b = 1e-5}, {.a = 2e-6, .b = 1e-5}};
  line.levels.assign(2, 0);
  const std::vector<std::uint8_t> inputs = {1, 1, 1, 0, 0, 1, 0, 0};
  const double g2 = 1 / (1 / 1e-5 + 5e3);
  const std::vector<double> expected = {0.2 / (1e3 + 1 / (1e-5 + g2)), 0.2 / (1e3 + 1e5), 0.2 / (1e3 + 1 / g2), 0};
  std::vector<double> current(4);
  solve_lines(line, PackedInputs(inputs, 2, 2, 2), current);
  for (std::size_t i = 0; i < 4; ++i) {
    LineSensitivity s;
    EXPECT_NEAR(current[i], expected[i], 1e-6 * expected[i]) << i;  // fp32 of a linear system: some roundings of 6e-8
    EXPECT_NEAR(solve_line(line, inputs.data() + 2 * i, s), expected[i], 1e-14 * expected[i]) << i;
    EXPECT_NEAR(solve_line_dense(line, inputs.data() + 2 * i), expected[i], 1e-14 * expected[i]) << i;
  }
}

TEST(SolveLines, HonoursTheStrideAndDoesNotMixInputs) {
  const PreparedLine line = random_line({.rows = 10}, 3);
  const auto inputs = random_inputs(16, 20, 3);  // stride 16, rows 10: the rest is another line's
  std::vector<double> all(20), one(1);
  solve_lines(line, PackedInputs(inputs, 16, 10, 2), all);
  for (std::size_t i = 0; i < 20; ++i) {
    solve_lines(line, PackedInputs(std::span(inputs).subspan(16 * i, 16), 16, 10, 2), one);
    EXPECT_EQ(one[0], all[i]) << i;
  }
}

TEST(SolveLines, SaysNothingAboutNoInputs) {
  const PreparedLine line = random_line({.rows = 4}, 1);
  solve_lines(line, PackedInputs({}, 4, 4, 2), {});
}

TEST(SolveLines, StaysFiniteWhenTheLineCollapses) {
  // Far outside the expansions' domain (a wire of 100 kOhm per cell) the number is worthless but a number.
  const PreparedLine line = random_line({.rows = 64, .wire_ohms = 1e5, .clamp_ohms = 1e5}, 1);
  const std::vector<std::uint8_t> inputs(64, 1);
  std::vector<double> current(1);
  solve_lines(line, PackedInputs(inputs, 64, 64, 2), current);
  EXPECT_TRUE(std::isfinite(current[0]));
}

TEST(LineShooting, TakesTheLinesOfShippedMacrosAndConvergesOnThem) {
  for (const LineShape& shape : {LineShape{.wire_ohms = 1.5, .clamp_ohms = 100}, LineShape{.source_line_ohms = 1}}) {
    const PreparedLine line = random_line(shape, 2);
    const LineShooting shooting(line);
    ASSERT_TRUE(shooting.suits());
    const auto inputs = random_inputs(64, 200, 2);
    std::vector<double> current(200);
    shooting.solve(PackedInputs(inputs, 64, 64, 2), current);
    for (const double i : current) EXPECT_TRUE(std::isfinite(i));
  }
  EXPECT_FALSE(LineShooting(random_line({.wire_ohms = 200}, 2)).suits());
}

TEST(LineShooting, IsTheSameInBlocksOfAnyWidthOnEveryProcessor) {
  for (const LineShape& shape :
       {LineShape{.wire_ohms = 1.5, .clamp_ohms = 100}, LineShape{.source_line_ohms = 1, .idle_rows = 5},
        LineShape{.inputs = 4, .idle_rows = 3}, LineShape{.wire_ohms = 10, .clamp_ohms = 2000}}) {
    const PreparedLine line = random_line(shape, 4);
    const LineShooting shooting(line);
    ASSERT_TRUE(shooting.suits());
    constexpr std::size_t kCount = 70;
    const auto inputs = random_inputs(64, kCount, 4, shape.inputs);
    testing::for_each_vector_target([&] {
      std::vector<double> wide(kCount), narrow(kCount);
      shooting.solve(PackedInputs(inputs, 64, 64, shape.inputs), wide);
      for (std::size_t i = 0; i < kCount; i += 7)  // blocks of eight
        shooting.solve(PackedInputs(std::span(inputs).subspan(64 * i, 7 * 64), 64, 64, shape.inputs),
                       std::span(narrow).subspan(i, 7));
      for (std::size_t i = 0; i < kCount; ++i) {
        EXPECT_EQ(std::isnan(wide[i]), std::isnan(narrow[i])) << i;
        if (std::isnan(wide[i])) continue;  // solve_lines takes Newton for these
        EXPECT_EQ(wide[i], narrow[i]) << i;
        const double expected = solve_line_dense(line, inputs.data() + 64 * i);
        double scale = 0.0;
        for (std::size_t j = 0; j < 64; ++j) scale += std::fabs(line.cell(inputs[64 * i + j], j).a);
        EXPECT_NEAR(wide[i], expected, 5e-6 * (scale + 1e-6)) << i;
      }
    });
  }
}

}  // namespace
}  // namespace errata::behavioral
