#pragma once

#include <span>
#include <vector>

#include "behavioral/crossbar/crossbar.h"

namespace errata::behavioral {

/// A cell's current at a voltage, A, and its slope, S.
struct CellPoint {
  double amperes = 0.0, siemens = 0.0;
};

/// Cells whose current depends on the voltage across them only. Called from one thread.
class CrossbarCells {
 public:
  virtual ~CrossbarCells() = default;
  /// Current from word line to bit line at v(word line) − v(bit line) = volts.
  virtual CellPoint at(std::size_t row, std::size_t column, double volts) const = 0;
};

struct CrossbarNewtonOptions {
  std::size_t most_steps = 100;
  /// Converged when no cell's current differs from the one that the wires' equations hold by more than this share of
  /// the largest cell current.
  double relative_error = 1e-12;
};

/// What Newton's iteration ended with; the arrays hold the last step also without convergence.
struct CrossbarOperatingPoint {
  bool converged = false;
  std::size_t steps = 0;               ///< factorisations
  double error_amperes = 0.0;          ///< largest difference between a cell's current and the wires'
  std::vector<double> output_amperes;  ///< [columns]
  CrossbarVoltages voltages;
  std::vector<double> cell_amperes;  ///< [rows][columns]
  std::vector<double> cell_siemens;  ///< slopes, [rows][columns]: factor them for gains and noise at this point
};

/// Solves an array of non-linear cells (methods.md §5.3) by damped Newton steps on the pattern of the linear array.
/// With currents that rise with voltage there is one solution and every step lowers the co-content, so the iteration
/// converges from anywhere; a cell whose slope is not positive is replaced in the step by its chord. A cell current
/// that is no number ends the iteration without convergence.
CrossbarOperatingPoint solve_crossbar(const Crossbar& crossbar, const CrossbarCells& cells,
                                      std::span<const double> input_volts, const CrossbarNewtonOptions& options = {});

}  // namespace errata::behavioral
