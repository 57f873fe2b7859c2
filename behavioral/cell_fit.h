#pragma once

#include <string>
#include <vector>

#include "behavioral/cell_model.h"
#include "circuit/characterization.h"

namespace errata::behavioral {

/// Quality of one candidate family on the cell's surface; errors relative to the cell's current.
struct CellFitQuality {
  int degree = 0;
  double rms = 0.0;  ///< on the fitted points
  double maximum = 0.0;
  double held_out_rms = 0.0;  ///< on mismatch samples that the fit has not seen
  double held_out_maximum = 0.0;
  double condition_number = 0.0;             ///< largest of the normal equations: identifiability
  double widest_parameter_half_width = 0.0;  ///< largest 95 % half-width of a coefficient
  bool converged = false;
};

struct CellFit {
  CellModel model;
  std::vector<CellFitQuality> tried;  ///< every degree that was tried, in order
  std::size_t chosen = 0;             ///< index of the one with the smallest held-out error
};

/// Fits the cell's surface with Ceres: relative residuals, analytic derivatives, degree chosen on held-out mismatch
/// samples (every fourth one). Throws Error (E502) when the surface is not positive: this family needs a current
/// that flows from bit line to source line.
CellFit fit_cell(const circuit::CellSurface& surface, double mismatch_range);

}  // namespace errata::behavioral
