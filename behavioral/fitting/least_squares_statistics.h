#pragma once

#include <span>

#include "behavioral/fitting/least_squares.h"

namespace errata::behavioral {

double lower_bound(const LeastSquaresProblem& problem, std::size_t parameter);
double upper_bound(const LeastSquaresProblem& problem, std::size_t parameter);

/// A residual with the loss worked in: value² is its cost, slope = d value / d r.
struct LossyResidual {
  double value = 0.0, slope = 1.0;
};
LossyResidual lossy(const LeastSquaresOptions& options, double residual);

/// Fills everything but the search's own fields of a fit from its parameters, residuals and the Jacobian there
/// [residuals][parameters]; takes `converged` back when the solution is not stationary.
void add_statistics(const LeastSquaresProblem& problem, const LeastSquaresOptions& options,
                    std::span<const double> jacobian, LeastSquaresFit& fit);

}  // namespace errata::behavioral
