// Analytic derivatives of the behavioural models against numeric ones (methods.md §5.4).
#include <gtest/gtest.h>

#include <cmath>

#include "behavioral/crossbar/crossbar.h"
#include "behavioral/fitting/cell_fit.h"
#include "behavioral/fitting/derivative_check.h"
#include "behavioral/line/column_solver.h"
#include "tests/support/dense_crossbar.h"
#include "tests/support/random_line.h"

namespace errata::behavioral {
namespace {

TEST(Derivatives, OfTheCellFit) {
  circuit::CellSurface surface{.input_levels_volts = {0, 1}, .weight_levels = {1e5}};
  for (int i = 0; i < 5; ++i) surface.bit_line_volts.push_back(0.1 + 0.02 * i);
  surface.source_line_volts = {0, 0.02, 0.04};
  surface.cell_terms = {0};
  surface.mismatch_points = {0.0, -2.0, 1.0, 3.0};
  for (int x = 0; x < 2; ++x)
    for (const double z : surface.mismatch_points)
      for (const double source : surface.source_line_volts)
        for (const double bit : surface.bit_line_volts)
          surface.current_amperes.push_back((bit - source) * std::exp(-11 + x + 0.1 * z + 3 * bit - source * z));
  CellModel model{.inputs = 2, .levels = 1, .terms = 1, .source_axis = true, .center_volts = 0.14, .scale_volts = 0.04};
  model.degree = 2;
  model.exponents = CellModel::full_basis(model.variables(), 2);
  for (std::size_t x = 0; x < 2; ++x) {
    const auto problem = cell_fit_problem(surface, model, x, 0);
    ASSERT_EQ(problem.parameters, model.monomials());
    std::vector<double> at(problem.parameters);
    for (std::size_t k = 0; k < at.size(); ++k) at[k] = (k == 0 ? -10.5 : 0.02 * static_cast<double>(k));
    const auto check = check_derivatives(problem.residuals, problem.jacobian(at), at);
    EXPECT_TRUE(check.passed) << check.brief();
  }
}

TEST(Derivatives, OfTheColumnSolver) {
  // Gains of currents injected across the cells, of a line with wire, clamp and source-line resistance.
  const PreparedLine line = testing::random_line({.rows = 24, .source_line_ohms = 2}, 7);
  const auto inputs = testing::random_inputs(24, 1, 7);
  LineSensitivity s;
  solve_line(line, inputs.data(), s);
  const auto current = [&](std::span<const double> injected) {
    PreparedLine moved = line;
    for (std::size_t j = 0; j < injected.size(); ++j) {
      for (std::size_t x = 0; x < moved.inputs; ++x) moved.cells[x * moved.all_rows() + j].a += injected[j];
    }
    return std::vector{solve_line_dense(moved, inputs.data())};
  };
  // The gains are those of the last Newton step, within 1 µV of 0.2 V of the solution.
  const auto check = check_derivatives(current, s.injection_gain, std::vector(24, 0.0),
                                       {.relative_tolerance = 2e-5, .scales = std::vector(24, 1e-6)});
  EXPECT_TRUE(check.passed) << check.brief();
}

CrossbarOptions array() {
  CrossbarOptions o{.rows = 4, .columns = 3, .word_wire_ohms = 200, .bit_wire_ohms = 100, .driver_ohms = 400};
  o.sense_ohms = 700;
  return o;
}

TEST(Derivatives, OfTheCrossbarByConductance) {
  const Crossbar crossbar(array());
  const auto cells = testing::random_cells(12, 5, 0);
  const auto input = testing::random_volts(4, 6);
  const auto factored = crossbar.factor(cells);
  std::vector<double> analytic;
  for (std::size_t output = 0; output < 3; ++output) {
    const auto row = factored.conductance_sensitivity(input, output);
    analytic.insert(analytic.end(), row.begin(), row.end());
  }
  const auto check = check_derivatives(
      [&](std::span<const double> g) { return crossbar.factor(g).output_amperes(input); }, analytic, cells);
  EXPECT_TRUE(check.passed) << check.brief();
}

TEST(Derivatives, OfTheCrossbarByInput) {
  const auto factored = Crossbar(array()).factor(testing::random_cells(12, 7, 0));
  std::vector<double> analytic;
  for (std::size_t output = 0; output < 3; ++output)
    for (std::size_t input = 0; input < 4; ++input)
      analytic.push_back(factored.effective_siemens()[input * 3 + output]);
  const auto check = check_derivatives([&](std::span<const double> v) { return factored.output_amperes(v); }, analytic,
                                       testing::random_volts(4, 8));
  EXPECT_TRUE(check.passed) << check.brief();
}

}  // namespace
}  // namespace errata::behavioral
