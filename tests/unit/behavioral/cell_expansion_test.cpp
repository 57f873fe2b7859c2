#include "behavioral/line/cell_expansion.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/random_stream.h"
#include "tests/support/vector_targets.h"

namespace errata::behavioral {
namespace {

/// A cell with two draws, whose coefficients fall with the order; three input levels.
CellModel cell_of(bool source_axis) {
  CellModel m{.inputs = 3, .levels = 4, .terms = 2, .source_axis = source_axis, .center_volts = 0.15, .degree = 3};
  m.exponents = CellModel::full_basis(m.variables(), m.degree);
  RandomStream stream(4, StreamPurpose::kTest, source_axis);
  for (std::size_t set = 0; set < m.inputs * m.levels; ++set)
    for (std::size_t k = 0; k < m.monomials(); ++k) {
      int order = 0;
      for (std::size_t v = 0; v < m.variables(); ++v) order += m.exponents[k * m.variables() + v];
      m.coefficients.push_back(order == 0 ? -11.0 - static_cast<double>(set)
                                          : 0.4 * stream.normal() / (1 << 2 * order));
    }
  return m;
}

TEST(ExpandCells, GoesThroughTheModelsValuesAtItsBiases) {
  constexpr std::size_t kRows = 21;
  constexpr double kClamp = 0.21, kDrop = -0.14 * kClamp;
  for (const bool source_axis : {false, true}) {
    const CellModel cell = cell_of(source_axis);
    RandomStream stream(5, StreamPurpose::kTest, source_axis);
    std::vector<std::uint8_t> levels(kRows);
    for (auto& level : levels) level = static_cast<std::uint8_t>(stream.below(cell.levels));
    std::vector<double> draws(2 * kRows);
    for (double& z : draws) z = 2.0 * stream.normal();  // some of them beyond the fit's four
    testing::for_each_vector_target([&] {
      const auto cells = expand_cells(cell, kClamp, levels, draws);
      ASSERT_EQ(cells.size(), 3 * kRows);
      for (std::size_t x = 0; x < 3; ++x)
        for (std::size_t j = 0; j < kRows; ++j) {
          const CellExpansion& e = cells[x * kRows + j];
          const auto expect_at = [&](double d, double s) {
            const double expected = cell.current(x, levels[j], kClamp + d, s, std::span(draws).subspan(2 * j, 2));
            const double value = e.a + d * (e.b + e.c * d) + s * (e.p + e.q * d + e.r * s);
            EXPECT_NEAR(value / expected, 1, 1e-13) << x << " " << j << " " << d << " " << s;
          };
          for (const double d : {0.0, kDrop, 2 * kDrop}) expect_at(d, 0.0);
          if (!source_axis) continue;
          for (const double s : {-kDrop, -2 * kDrop}) expect_at(0.0, s);
          expect_at(kDrop, -kDrop);
        }
    });
  }
}

TEST(ExpandCells, HoldsTheExponentialOverItsRange) {
  // One coefficient and no draws: I = V·exp(c), far beyond any cell on both sides.
  CellModel cell{.inputs = 1, .levels = 1, .terms = 0, .degree = 0};
  cell.exponents = {0};
  for (const double c : {-650.0, -30.0, -0.4, 0.0, 1e-9, 0.7, 25.0, 650.0}) {
    cell.coefficients = {c};
    const std::vector<std::uint8_t> level = {0};
    EXPECT_NEAR(expand_cells(cell, 0.5, level, {})[0].a / (0.5 * std::exp(c)), 1, 1e-15) << c;
  }
}

}  // namespace
}  // namespace errata::behavioral
