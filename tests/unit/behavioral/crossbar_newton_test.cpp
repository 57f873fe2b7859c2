#include "behavioral/crossbar/crossbar_newton.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "tests/support/dense_crossbar.h"
#include "tests/support/expect_error.h"

namespace errata::behavioral {
namespace {

using testing::random_cells;
using testing::random_volts;

/// Cells of one characteristic, each scaled by its own conductance.
class Scaled final : public CrossbarCells {
 public:
  Scaled(std::vector<double> siemens, std::size_t columns, std::function<CellPoint(double)> characteristic)
      : siemens_(std::move(siemens)), columns_(columns), characteristic_(std::move(characteristic)) {}
  CellPoint at(std::size_t row, std::size_t column, double volts) const override {
    const double g = siemens_[row * columns_ + column];
    const CellPoint p = characteristic_(volts);
    return {g * p.amperes, g * p.siemens};
  }

 private:
  std::vector<double> siemens_;
  std::size_t columns_;
  std::function<CellPoint(double)> characteristic_;
};

CellPoint resistor(double v) { return {v, 1}; }
std::function<CellPoint(double)> sinh_cell(double scale) {
  return [scale](double v) { return CellPoint{scale * std::sinh(v / scale), std::cosh(v / scale)}; };
}
/// A diode with a saturation current far below what the array drives.
CellPoint diode(double v) { return {1e-9 * std::expm1(v / 0.0259), 1e-9 / 0.0259 * std::exp(v / 0.0259)}; }

CrossbarOptions array(std::size_t rows, std::size_t columns, double wire_ohms) {
  CrossbarOptions o{.rows = rows, .columns = columns, .word_wire_ohms = wire_ohms, .bit_wire_ohms = wire_ohms};
  o.driver_ohms = 300;
  o.sense_ohms = 200;
  return o;
}

/// Kirchhoff's current law at every node, from the voltages alone, relative to the largest cell current.
double kirchhoff_error(const CrossbarOptions& o, const CrossbarCells& cells, const std::vector<double>& input,
                       const CrossbarOperatingPoint& point) {
  const std::size_t rows = o.rows, columns = o.columns;
  double largest = 0, worst = 0;
  for (std::size_t r = 0; r < rows; ++r)
    for (std::size_t c = 0; c < columns; ++c) {
      const std::size_t k = r * columns + c;
      const auto &w = point.voltages.word, &b = point.voltages.bit;
      const double i = cells.at(r, c, w[k] - b[k]).amperes;
      largest = std::max(largest, std::fabs(i));
      double word = -i, bit = i;
      if (c > 0) word += (w[k - 1] - w[k]) / o.word_wire_ohms;
      if (c + 1 < columns) word += (w[k + 1] - w[k]) / o.word_wire_ohms;
      if (c == 0) word += (input[r] - w[k]) / o.driver_ohms;
      if (r > 0) bit += (b[k - columns] - b[k]) / o.bit_wire_ohms;
      if (r + 1 < rows) bit += (b[k + columns] - b[k]) / o.bit_wire_ohms;
      if (r + 1 == rows) bit -= b[k] / o.sense_ohms;
      worst = std::max({worst, std::fabs(word), std::fabs(bit)});
    }
  return worst / largest;
}

TEST(CrossbarNewton, LinearCellsNeedOneStep) {
  const auto o = array(6, 5, 40);
  const auto g = random_cells(30, 1);
  const auto input = random_volts(6, 2);
  const Crossbar crossbar(o);
  const auto point = solve_crossbar(crossbar, Scaled(g, 5, resistor), input);
  EXPECT_TRUE(point.converged);
  EXPECT_EQ(point.steps, 1u);
  const auto factored = crossbar.factor(g);
  const auto expected = factored.output_amperes(input);
  for (std::size_t c = 0; c < 5; ++c) EXPECT_NEAR(point.output_amperes[c], expected[c], 1e-12 * 2e-5);
  const auto volts = factored.voltages(input);
  for (std::size_t k = 0; k < 30; ++k) EXPECT_NEAR(point.voltages.word[k], volts.word[k], 1e-15);
  EXPECT_EQ(point.cell_siemens, g);
}

TEST(CrossbarNewton, OneCellSolvesItsScalarEquation) {
  CrossbarOptions o{.rows = 1, .columns = 1, .driver_ohms = 1e4, .sense_ohms = 2e4};
  const auto cell = sinh_cell(0.1);
  const auto point = solve_crossbar(Crossbar(o), Scaled({1e-4}, 1, cell), std::vector{1.0});
  ASSERT_TRUE(point.converged);
  double low = 0, high = 1;  // 1 V = v + 30 kΩ · i(v) by bisection
  for (int i = 0; i < 200; ++i) {
    const double v = (low + high) / 2;
    (v + 3e4 * 1e-4 * cell(v).amperes > 1 ? high : low) = v;
  }
  EXPECT_NEAR(point.voltages.across()[0], low, 1e-14);
  EXPECT_NEAR(point.output_amperes[0], 1e-4 * cell(low).amperes, 1e-12 * point.output_amperes[0]);
}

TEST(CrossbarNewton, SteepCellsObeyKirchhoff) {
  for (const double wire : {0.5, 50.0, 5e3}) {
    const auto o = array(7, 9, wire);
    const auto input = random_volts(7, 4);
    for (const double scale : {0.3, 0.05, 0.01}) {
      const Scaled cells(random_cells(63, 3), 9, sinh_cell(scale));
      const auto point = solve_crossbar(Crossbar(o), cells, input);
      ASSERT_TRUE(point.converged) << wire << " " << scale;
      EXPECT_LT(point.steps, 60u);
      // Voltage differences over 0.5 Ω lose 1e-16 · 0.2 V / 0.5 Ω against currents of 1e-5 A.
      EXPECT_LT(kirchhoff_error(o, cells, input, point), 1e-10);
    }
  }
}

TEST(CrossbarNewton, DiodesConvergeInEitherDirection) {
  const auto o = array(8, 8, 10);
  for (const double volts : {1.0, -1.0, 3.0}) {
    const Scaled cells(std::vector(64, 1.0), 8, diode);
    const std::vector<double> input(8, volts);
    const auto point = solve_crossbar(Crossbar(o), cells, input);
    ASSERT_TRUE(point.converged) << volts << ": " << point.error_amperes << " A after " << point.steps;
    // Blocked cells leak 1e-9 A; voltage differences over 10 Ω lose 1e-16 · 1 V / 10 Ω.
    EXPECT_LT(kirchhoff_error(o, cells, input, point), volts < 0 ? 1e-6 : 1e-10);
    EXPECT_EQ(std::signbit(point.output_amperes[3]), volts < 0);
  }
}

TEST(CrossbarNewton, AnExponentialBeyondAnyNumberIsNoObstacle) {
  // At the voltage of the source alone the current would be infinite.
  const auto o = array(4, 4, 10);
  const auto steep = [](double v) { return CellPoint{1e-12 * std::expm1(v / 1e-3), 1e-9 * std::exp(v / 1e-3)}; };
  const Scaled cells(std::vector(16, 1.0), 4, steep);
  const std::vector<double> input(4, 2.0);
  const auto point = solve_crossbar(Crossbar(o), cells, input);
  ASSERT_TRUE(point.converged) << point.error_amperes << " A after " << point.steps;
  EXPECT_LT(kirchhoff_error(o, cells, input, point), 1e-9);
}

TEST(CrossbarNewton, WithoutWiresEveryCellSeesItsInput) {
  const auto cell = sinh_cell(0.1);
  const auto g = random_cells(12, 7);
  const auto input = random_volts(3, 8);
  const auto point = solve_crossbar(Crossbar({.rows = 3, .columns = 4}), Scaled(g, 4, cell), input);
  ASSERT_TRUE(point.converged);
  for (std::size_t c = 0; c < 4; ++c) {
    double sum = 0;
    for (std::size_t r = 0; r < 3; ++r) sum += g[r * 4 + c] * cell(input[r]).amperes;
    EXPECT_NEAR(point.output_amperes[c], sum, 1e-18);
  }
}

TEST(CrossbarNewton, SlopesGiveTheSmallSignalResponse) {
  const auto o = array(4, 5, 200);
  const Crossbar crossbar(o);
  const Scaled cells(random_cells(20, 9), 5, sinh_cell(0.08));
  auto input = random_volts(4, 10);
  const auto point = solve_crossbar(crossbar, cells, input);
  const auto linear = crossbar.factor(point.cell_siemens);
  constexpr double h = 1e-5;  // volt; the error is of the order of (h / 0.08 V)²
  input[2] += h;
  const auto up = solve_crossbar(crossbar, cells, input);
  input[2] -= 2 * h;
  const auto down = solve_crossbar(crossbar, cells, input);
  for (std::size_t c = 0; c < 5; ++c) {
    const double slope = (up.output_amperes[c] - down.output_amperes[c]) / (2 * h);
    EXPECT_NEAR(linear.effective_siemens()[2 * 5 + c], slope, 1e-6 * 1e-4);
  }
}

TEST(CrossbarNewton, ABackwardSlopeStillEndsAtASolution) {
  // Current falls between 0.05 and 0.15 V, as in a tunnel diode.
  const auto tunnel = [](double v) {
    const double s = v / 0.05;
    return CellPoint{
        v / (1 + s * s * s * s / 16) + 0.2 * v,
        1 / (1 + s * s * s * s / 16) - v * (s * s * s / 4 / 0.05) / std::pow(1 + s * s * s * s / 16, 2) + 0.2};
  };
  const auto o = array(5, 5, 20);
  const Scaled cells(random_cells(25, 11, 0), 5, tunnel);
  const std::vector<double> input{0.02, 0.1, 0.13, 0.2, 0.3};
  const auto point = solve_crossbar(Crossbar(o), cells, input, {.most_steps = 500});
  ASSERT_TRUE(point.converged) << point.error_amperes;
  EXPECT_LT(kirchhoff_error(o, cells, input, point), 1e-9);
}

TEST(CrossbarNewton, SaysWhenItDoesNotConverge) {
  const auto o = array(3, 3, 10);
  const auto broken = [](double v) { return CellPoint{v == 0 ? 0 : std::nan(""), 1}; };
  const std::vector<double> input(3, 0.1);
  EXPECT_FALSE(solve_crossbar(Crossbar(o), Scaled(std::vector(9, 1e-4), 3, broken), input).converged);
  const auto impatient =
      solve_crossbar(Crossbar(o), Scaled(std::vector(9, 1.0), 3, diode), std::vector(3, 1.0), {.most_steps = 5});
  EXPECT_FALSE(impatient.converged);
  EXPECT_EQ(impatient.steps, 5u);
  EXPECT_GT(impatient.error_amperes, 0);
  testing::expect_error(ExitStatus::kComputation, "E520", [&] {
    solve_crossbar(Crossbar(o), Scaled(std::vector(9, 1e-4), 3, resistor), std::vector(2, 0.1));
  });
}

TEST(CrossbarNewton, BothBackEndsEndAtTheSamePoint) {
  if (!crossbar_has_cholmod()) GTEST_SKIP() << "built without CHOLMOD";
  auto o = array(6, 6, 30);
  const Scaled cells(random_cells(36, 13), 6, sinh_cell(0.05));
  const auto input = random_volts(6, 14);
  const auto own = solve_crossbar(Crossbar(o), cells, input);
  o.backend = CrossbarBackend::kCholmod;
  const auto other = solve_crossbar(Crossbar(o), cells, input);
  ASSERT_TRUE(own.converged && other.converged);
  for (std::size_t c = 0; c < 6; ++c) EXPECT_NEAR(own.output_amperes[c], other.output_amperes[c], 1e-12 * 1e-4);
}

}  // namespace
}  // namespace errata::behavioral
