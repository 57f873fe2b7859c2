#pragma once

#include <vector>

#include "behavioral/black_box/black_box_design.h"
#include "behavioral/black_box/column_surface.h"
#include "behavioral/fitting/least_squares.h"

namespace errata::behavioral {

/// A black-box column fitted to reads of lines, in the design's scaled output.
struct Regression {
  double offset = 0.0;
  std::vector<double> contribution;  ///< [features]
  ColumnSurface surface;
  std::vector<double> periphery;  ///< [groups][3]
  ColumnSupport support;
  LeastSquaresFit fit;  ///< parameters in the order above: offset, contributions, surface, periphery
};

/// Whether the reads outnumber the parameters two to one.
bool enough(const LineDesign& design, int degree, ColumnSurface::Position position);

/// What `regress` minimises, over the parameters in the order of Regression; `axes` scales the surface. The residuals
/// of the reads come first, then those of a weak prior, one for each parameter but the nominal ones: what the reads do
/// not determine stays small instead of running off. It holds a reference to the design.
LeastSquaresProblem black_box_problem(const LineDesign& design, const ColumnSurface& axes, double row_contribution);

/// Least squares from a linear start: the same without surface and without gains of the periphery (methods.md §5.2,
/// §5.4). A surface of degree 1 is none.
Regression regress(const LineDesign& design, int degree, ColumnSurface::Position position);

/// u, a and P of a read.
ColumnState state_of(const Regression& regression, const LineDesign& design, std::size_t read);

/// Scaled outputs of all reads, the surface's tangents beyond its support.
std::vector<double> predict(const Regression& regression, const LineDesign& design);

}  // namespace errata::behavioral
