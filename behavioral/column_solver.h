#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace errata::behavioral {

/// Current of one cell near its line's clamp voltage, second order in the bit line's sag d and the source line's
/// rise s (both in volt): a + b d + c d² + p s + q s d + r s².
struct CellExpansion {
  double a = 0, b = 0, c = 0, p = 0, q = 0, r = 0;
};

/// One bit line on one chip with its stored levels, ready for many inputs. Made by BehavioralModel::prepare.
struct PreparedLine {
  std::size_t rows = 0;
  double clamp_volts = 0, clamp_ohms = 0, offset_amperes = 0;
  double wire_ohms = 0, source_line_ohms = 0;
  std::vector<CellExpansion> off, on;  ///< [rows] for input level 0 and 1
  std::vector<std::uint8_t> levels;    ///< stored levels [rows]
};

/// What a read of a bit line yields besides its current.
struct LineSensitivity {
  double transfer_conductance = 0.0;   ///< dI/dV_clamp, S
  std::vector<double> injection_gain;  ///< [rows] dI_out / d(current injected across the cell)
  std::vector<double> cell_amperes;    ///< [rows]
};

/// Currents of a prepared line for many input vectors (methods.md §5.1): Newton on the ladder of wire segments with
/// the clamp, sixteen inputs at a time in fp32. `inputs` is [count][stride] with 0 or 1 in its first `rows` entries;
/// result in ampere. Thread safe. Agrees with solve_line_dense to 5e-6 relative (tests/unit/behavioral).
void solve_lines(const PreparedLine& line, std::span<const std::uint8_t> inputs, std::size_t stride,
                 std::span<double> current_amperes);

/// The same for one input vector in fp64, to 1e-9 relative, with sensitivities (adjoint of the last Newton step).
double solve_line(const PreparedLine& line, const std::uint8_t* inputs, LineSensitivity& sensitivity);

/// Plain reference: nodal equations as a dense matrix, Newton to convergence.
double solve_line_dense(const PreparedLine& line, const std::uint8_t* inputs);

}  // namespace errata::behavioral
