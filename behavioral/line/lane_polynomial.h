#pragma once

#include <vector>

#include "behavioral/black_box/column_surface.h"
#include "behavioral/line/packed_inputs.h"

namespace errata::behavioral {

/// States of a block of input vectors side by side.
struct Lanes {
  double u[PackedInputs::kLanes], a[PackedInputs::kLanes], p[PackedInputs::kLanes];
};

/// A surface written out in powers of (u, a, P), for many states at once. Within 1e-13 of ColumnSurface::at, relative
/// to the sum of the coefficients' magnitudes.
class LanePolynomial {
 public:
  explicit LanePolynomial(const ColumnSurface& surface);
  /// Values [kLanes], without regard to any support.
  void evaluate(const Lanes& x, double* value) const;

 private:
  double u_center_, u_scale_, p_center_, p_scale_;
  int degree_ = 0, p_degree_ = 0;
  std::vector<double> powers_;  ///< coefficients in the order of the nested Horner scheme, highest first
};

}  // namespace errata::behavioral
