// The crossbar solver against ngspice's operating point (methods.md §5.3).
#include <gtest/gtest.h>

#include "behavioral/crossbar/crossbar.h"
#include "behavioral/crossbar/crossbar_newton.h"
#include "tests/support/dense_crossbar.h"
#include "tests/support/spice_crossbar.h"

namespace errata::behavioral {
namespace {

/// Largest relative difference of the output currents of ten random arrays; NaN when ngspice gave none.
double worst_difference(CrossbarOptions o, std::uint64_t first_seed) {
  double worst = 0;
  for (std::uint64_t seed = first_seed; seed < first_seed + 10; ++seed) {
    const auto cells = testing::random_cells(o.rows * o.columns, seed);
    std::vector<double> input = testing::random_volts(o.rows, seed);
    for (double& v : input) v += 0.25;  // currents of one sign, so that a relative difference means something
    const auto spice = testing::run_spice_crossbar(o, cells, input);
    if (spice.amperes.empty()) {
      ADD_FAILURE() << spice.log;
      return NAN;
    }
    const auto own = Crossbar(o).factor(cells).output_amperes(input);
    for (std::size_t c = 0; c < o.columns; ++c) worst = std::max(worst, std::fabs(own[c] / spice.amperes[c] - 1));
  }
  return worst;
}

constexpr double kCellOhms = 2e4;

// 1e-6 is what the design asks for; ngspice itself solves a linear array to about 1e-10.
TEST(CrossbarAgainstSpice, EightByEight) {
  std::uint64_t seed = 100;
  for (const double ratio : {1e-4, 1e-2, 1.0})
    for (const auto& [drive, sense] : {std::pair{WordLineDrive::kLeft, BitLineSense::kBottom},
                                       {WordLineDrive::kRight, BitLineSense::kTop},
                                       {WordLineDrive::kBothEnds, BitLineSense::kBothEnds}}) {
      CrossbarOptions o{.rows = 8, .columns = 8, .driver_ohms = 300, .sense_ohms = 100, .drive = drive, .sense = sense};
      o.word_wire_ohms = ratio * kCellOhms;
      o.bit_wire_ohms = ratio * kCellOhms / 2;
      EXPECT_LT(worst_difference(o, seed += 10), 1e-6);
    }
}

TEST(CrossbarAgainstSpice, ThirtyTwoByThirtyTwo) {
  CrossbarOptions o{.rows = 32, .columns = 32, .driver_ohms = 300, .sense_ohms = 100};
  o.word_wire_ohms = o.bit_wire_ohms = 1e-2 * kCellOhms;
  EXPECT_LT(worst_difference(o, 500), 1e-6);
}

TEST(CrossbarAgainstSpice, LinesWithoutResistance) {
  CrossbarOptions o{.rows = 6, .columns = 7, .word_wire_ohms = 0, .bit_wire_ohms = 50, .driver_ohms = 500};
  EXPECT_LT(worst_difference(o, 600), 1e-6);
}

class SinhCells final : public CrossbarCells {
 public:
  SinhCells(std::vector<double> siemens, std::size_t columns, double scale)
      : siemens_(std::move(siemens)), columns_(columns), scale_(scale) {}
  CellPoint at(std::size_t row, std::size_t column, double volts) const override {
    const double g = siemens_[row * columns_ + column];
    return {g * scale_ * std::sinh(volts / scale_), g * std::cosh(volts / scale_)};
  }

 private:
  std::vector<double> siemens_;
  std::size_t columns_;
  double scale_;
};

TEST(CrossbarAgainstSpice, NonLinearCells) {
  CrossbarOptions o{.rows = 8, .columns = 8, .word_wire_ohms = 50, .bit_wire_ohms = 50, .driver_ohms = 300};
  o.sense_ohms = 100;
  for (std::uint64_t seed = 700; seed < 703; ++seed) {
    const auto cells = testing::random_cells(64, seed);
    std::vector<double> input = testing::random_volts(8, seed);
    for (double& v : input) v += 0.3;
    const auto spice = testing::run_spice_crossbar(o, cells, input, 0.1);
    ASSERT_FALSE(spice.amperes.empty()) << spice.log;
    const auto own = solve_crossbar(Crossbar(o), SinhCells(cells, 8, 0.1), input);
    ASSERT_TRUE(own.converged);
    for (std::size_t c = 0; c < 8; ++c) EXPECT_NEAR(own.output_amperes[c] / spice.amperes[c], 1, 1e-6);
  }
}

}  // namespace
}  // namespace errata::behavioral
