#pragma once

#include <span>
#include <vector>

#include "behavioral/line/column_solver.h"

namespace errata::behavioral {

/// Noise of a current-mode line, source by source, for many inputs side by side. In fp64: with the current T that
/// enters row 1 known nearly (LineShooting), Newton on T by walks along the line and back. The way back gives for each
/// row the derivative g_j of the current that is left at the far end after what is left behind row j:
///     g_j = α_{j+1} − r β_{j+1} + r_s γ_{j+1},   α_j = g_j,  β_j = β_{j+1} − g_j ∂I_j/∂d,  γ_j = γ_{j+1} − g_j ∂I_j/∂s
/// from (1, 0, 0) behind the last row. With f' = α_1 − R β_1 a current injected across cell j reaches the output with
/// the gain g_j / f', a change of the clamp voltage with −β_1 / f': what solve_line gets from its tridiagonal matrix.
class LineVariances {
 public:
  /// `thermal` [inputs][all rows] A²; `relative_sigma` [sources][all rows], of the active cells' currents.
  LineVariances(const PreparedLine& line, std::span<const double> thermal, std::span<const double> relative_sigma);

  /// Results of the sums over the rows, each for all inputs: [kSums + sources][count].
  static constexpr std::size_t kConductance = 0;  ///< dI/dV_clamp, S
  static constexpr std::size_t kThermal = 1;      ///< variance by the cells' thermal noise, A²
  static constexpr std::size_t kSums = 2;         ///< from here on: variance by each relative source, A²
  /// `amperes` are the outputs of solve_lines. NaN where the walks do not converge to 1e-9 of the current.
  std::vector<double> sums(const PackedInputs& inputs, std::span<const double> amperes) const;

  /// What the walks of a block need.
  struct Walk {
    const double* cells = nullptr;  ///< [all rows][levels][7]: expansion and thermal; level 0, then what each adds
    const double* square_sigma = nullptr;  ///< [sources][all rows]
    const float* masks = nullptr;          ///< [levels − 1][rows][lanes]
    std::size_t rows = 0, all_rows = 0, levels = 2, lanes = 0, sources = 0;
    double clamp_ohms = 0, wire_ohms = 0, source_ohms = 0, offset = 0;
  };

 private:
  Walk walk_;  ///< without pointers
  std::vector<double> cells_, square_sigma_;
};

}  // namespace errata::behavioral
