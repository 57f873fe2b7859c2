#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "behavioral/line/packed_inputs.h"

namespace errata::behavioral {

class LineShooting;

/// Current of one cell near its line's clamp voltage, second order in the bit line's sag d and the source line's
/// rise s (both in volt): a + b d + c d² + p s + q s d + r s².
struct CellExpansion {
  double a = 0, b = 0, c = 0, p = 0, q = 0, r = 0;
};

/// One bit line on one chip with its stored levels, ready for many inputs. Made by CurrentMode::expand.
struct PreparedLine {
  std::size_t rows = 0;       ///< that inputs select
  std::size_t idle_rows = 0;  ///< further rows, at input level 0 always
  std::size_t inputs = 2;     ///< input levels
  double clamp_volts = 0, clamp_ohms = 0, offset_amperes = 0;
  double wire_ohms = 0, source_line_ohms = 0;
  std::vector<CellExpansion> cells;  ///< [inputs][all_rows()]
  std::vector<std::uint8_t> levels;  ///< stored levels [all_rows()]

  std::size_t all_rows() const { return rows + idle_rows; }
  const CellExpansion& cell(std::size_t input, std::size_t row) const { return cells[input * all_rows() + row]; }
};

/// What a read of a bit line yields besides its current.
struct LineSensitivity {
  double transfer_conductance = 0.0;   ///< dI/dV_clamp, S
  std::vector<double> injection_gain;  ///< [all rows] dI_out / d(current injected across the cell)
  std::vector<double> cell_amperes;    ///< [all rows]
};

/// Currents of a prepared line for many input vectors, in ampere (methods.md §5.1), in fp32. Lines whose wires do not
/// shift their voltages by more than they are themselves are solved by shooting: the line's current is guessed, the
/// ladder is walked once from the clamp, and what is left at the far end corrects the guess (three walks). Others, and
/// what has not converged, take Newton on the ladder. Each result depends on its own input alone. Thread safe. Agrees
/// with solve_line_dense to 5e-6 relative to the sum of the magnitudes of the cells' currents (tests/unit/behavioral).
void solve_lines(const PreparedLine& line, const PackedInputs& inputs, std::span<double> current_amperes);
/// The same with the line's own shooting solver at hand.
void solve_lines(const PreparedLine& line, const LineShooting& shooting, const PackedInputs& inputs,
                 std::span<double> current_amperes);

/// The same for one input vector [rows] in fp64, to 1e-9 relative, with sensitivities (adjoint of the last Newton
/// step).
double solve_line(const PreparedLine& line, const std::uint8_t* inputs, LineSensitivity& sensitivity);

/// Plain reference: nodal equations as a dense matrix, Newton to convergence.
double solve_line_dense(const PreparedLine& line, const std::uint8_t* inputs);

}  // namespace errata::behavioral
