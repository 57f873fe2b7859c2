#pragma once

#include <vector>

#include "core/operand_design.h"
#include "core/run_context.h"
#include "errormodel/error_table.h"

namespace errata::errormodel {

/// What the nested design chips × columns × operands has measured, by simulation or on silicon (methods.md §3.3).
/// Mismatch is frozen over all operands of a chip.
struct Observations {
  std::size_t chips = 0, columns = 0;
  std::size_t levels = 4;  ///< stored
  std::size_t inputs = 2;  ///< input levels
  double minimum_conductance = 0.0;
  std::vector<ColumnOperands> designs;    ///< [chips][columns]
  std::vector<double> value;              ///< noise-free v in MAC units, [chips][columns][operands]
  std::vector<std::string> source_names;  ///< named dynamic sources
  std::vector<double> source_variance;    ///< [sources][chips][columns][operands], MAC unit²
  std::size_t extrapolated = 0;           ///< reads of bit lines where the column model has no data

  std::size_t operands() const { return designs.empty() ? 0 : designs[0].count(); }
  std::size_t size() const { return chips * columns * operands(); }
};

struct EstimateOptions {
  std::size_t y_points = 33, a_points = 13;
  double y_limit = 40.0;  ///< the surfaces cover y_low … y_limit
  double y_low = -40.0;
};

/// Estimates every term of the generative form from observations and fills the table's /det, /static, /dynamic and
/// /support. s² by REML after φ is projected out of every column, Σ_K and Σ_C from the moments of each column's
/// generalised least-squares coefficients; delete-one-chip jackknife intervals (docs/design/decisions/0003).
/// Throws Error (E504) with too few chips or columns.
void estimate_terms(const Observations& observations, const EstimateOptions& options, ErrorTable& table);

}  // namespace errata::errormodel
