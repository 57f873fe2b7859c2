#pragma once

#include <span>
#include <vector>

#include "behavioral/line/column_solver.h"

namespace errata::behavioral {

/// A bit line whose far end is nearly at the voltage of its near end, solved by shooting: one unknown T, the current
/// that enters row 1. With S the current that is left before a row,
///     d_1 = −R (T + I_offset),   d_{j+1} = d_j − r S_{j+1},   s_{j+1} = s_j + r_s S_{j+1},   S_{j+1} = S_j − I_j(d_j,
///     s_j)
/// and T is right when nothing is left behind the last row. The remainder is nearly a straight line in T: two walks
/// along the line and a secant, and a third walk where curvature says that these were not enough.
class LineShooting {
 public:
  explicit LineShooting(const PreparedLine& line);

  /// Whether errors do not grow along the ladder: n² (r + r_s) g below about 6, with g the largest slope of a cell.
  bool suits() const { return suits_; }
  /// Currents in ampere; NaN where three walks were not enough.
  void solve(const PackedInputs& inputs, std::span<double> current_amperes) const;

  /// What a walk along the line needs.
  struct Walk {
    const float* cells = nullptr;  ///< [all rows][levels][6]: level 0, then what each further level adds to it
    const float* masks = nullptr;  ///< [levels − 1][rows][lanes]
    std::size_t rows = 0, all_rows = 0, levels = 2, lanes = 0;
    float clamp_ohms = 0, wire_ohms = 0, source_ohms = 0, offset = 0;
    float loading = 0;    ///< relative fall of a current for each ampere of it
    float curvature = 0;  ///< bound of the remainder's second derivative over twice the current, 1/A²
  };

 private:
  Walk walk_;  ///< without pointers
  bool suits_ = false;
  std::vector<float> cells_;
};

}  // namespace errata::behavioral
