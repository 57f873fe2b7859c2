#pragma once

#include <string>
#include <vector>

#include "behavioral/cell_model.h"
#include "behavioral/fitting/least_squares.h"
#include "behavioral/line/line.h"
#include "circuit/characterization.h"

namespace errata::behavioral {

struct CellFit {
  CellModel model;
  std::vector<CellFitQuality> tried;        ///< every degree that was tried, in order
  std::size_t chosen = 0;                   ///< index of the one with the smallest held-out error
  std::vector<FittedParameter> parameters;  ///< of the chosen one: coefficients of ln(I / V)
};

/// Fits the cell's surface with Ceres: relative residuals, analytic derivatives, degree chosen on held-out mismatch
/// samples (every fourth one). Throws Error (E502) when the surface is not positive: this family needs a current
/// that flows from bit line to source line. `term_names` name the cell's mismatch terms in the parameters; without
/// them z0, z1, ….
CellFit fit_cell(const circuit::CellSurface& surface, double mismatch_range,
                 std::span<const std::string> term_names = {});

/// What fit_cell minimises for one input and stored level: relative errors of the current at the points that are not
/// held out, over the coefficients of the model's monomials.
LeastSquaresProblem cell_fit_problem(const circuit::CellSurface& surface, const CellModel& model, std::size_t input,
                                     std::size_t level);

}  // namespace errata::behavioral
