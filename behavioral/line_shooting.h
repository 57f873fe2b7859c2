#pragma once

#include <span>
#include <vector>

#include "behavioral/column_solver.h"

namespace errata::behavioral {

/// A bit line whose far end is nearly at the voltage of its near end, solved by shooting: one unknown T, the current
/// that enters row 1. With S the current that is left before a row and W its sum over the rows passed,
///     d_j = −R (T + I_offset) − r W_j,   I_j = I_j(d_j, r_s W_j),   S_{j+1} = S_j − I_j,   W_{j+1} = W_j + S_{j+1}
/// and T is right when nothing is left behind the last row. The remainder is nearly a straight line in T.
class LineShooting {
 public:
  explicit LineShooting(const PreparedLine& line);

  /// Whether errors do not grow along the ladder: n² (r + r_s) g below about 6, with g the largest slope of a cell.
  bool suits() const { return suits_; }
  /// Currents in ampere; NaN where three walks were not enough.
  void solve(const PackedInputs& inputs, std::span<double> current_amperes) const;

 private:
  std::size_t rows_, all_rows_, inputs_;
  float clamp_ohms_, wire_ohms_, source_ohms_, offset_, loading_;
  bool suits_ = false, has_source_wire_;
  std::vector<float> cells_;  ///< [all rows][6 at level 0, then 6 differences for each further level]
};

}  // namespace errata::behavioral
