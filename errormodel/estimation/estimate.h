#pragma once

#include <vector>

#include "core/operand_design.h"
#include "core/run_context.h"
#include "errormodel/error_table.h"
#include "errormodel/estimation/covariates.h"

namespace errata::errormodel {

/// What the nested design chips × columns × operands has measured, by simulation or on silicon (methods.md §3.3).
/// Mismatch is frozen over all operands of a chip.
struct Observations {
  std::size_t chips = 0, columns = 0;
  std::size_t levels = 4;  ///< stored
  std::size_t inputs = 2;  ///< input levels
  double minimum_conductance = 0.0;
  std::vector<ColumnOperands> designs;  ///< [chips][columns]
  /// v in MAC units, [chips][columns][operands]: noise-free where it is simulated, the mean of the reads where there
  /// are.
  std::vector<double> value;
  std::vector<std::string> source_names;  ///< named dynamic sources
  std::vector<double> source_variance;    ///< [sources][chips][columns][operands], MAC unit²
  /// Repeated reads, [chips][columns][operands][reads], from silicon or transient noise; empty where noise is known by
  /// its sources. Each operand's in the order in which they were taken.
  std::vector<double> reads;
  std::size_t reads_per_operand = 0;  ///< 2 or more where there are reads
  std::size_t extrapolated = 0;       ///< reads of bit lines where the column model has no data

  std::size_t operands() const { return designs.empty() ? 0 : designs[0].count(); }
  std::size_t size() const { return chips * columns * operands(); }
};

struct EstimateOptions {
  std::size_t y_points = 33, a_points = 13;
  double y_limit = 40.0;  ///< the surfaces cover y_low … y_limit
  double y_low = -40.0;
  /// What static terms may depend on, in the enumeration's order; the table holds 1, y and a. One whose variance
  /// inflation factor exceeds 20 is dropped.
  std::vector<CovariateKind> covariates{CovariateKind::kOne, CovariateKind::kMac, CovariateKind::kAxis};
  /// Whether μ and σ_D may depend on the second axis; off only for baselines: tables on y alone do not transfer to
  /// other operands (methods.md §3.2).
  enum class Surfaces { kMacAndAxis, kMac } surfaces = Surfaces::kMacAndAxis;
  /// Rough: one pass without the generalised least squares of g, several times faster; as unbiased, less efficient. For
  /// comparisons.
  enum class Effort { kFull, kRough } effort = Effort::kFull;
  int threads = 0;  ///< 0: as many as OpenMP likes; results are the same
};

/// What the estimation knows beyond the table: static terms over all offered covariates.
struct TermEstimates {
  CovariateBasis basis;
  std::vector<double> chip, column;  ///< Σ_C, Σ_K [kept][kept], positive semi-definite part
  std::vector<double> residual;      ///< e of every observation after g and μ, MAC units; NaN beyond the axes
  std::vector<double> slope;         ///< 1 + ∂μ/∂y of every observation
};

/// Estimates every term of the generative form from observations and fills the table's /det, /static, /dynamic and
/// /support and its record, with 95 % intervals (docs/methods/error-model.md). s² by REML after φ is projected out of
/// every column; Σ_K and Σ_C by REML of each column's generalised least-squares coefficients; g by generalised least
/// squares; σ_D² from named sources, from repeated reads, or both.
/// Throws Error (E504) with too few chips or columns.
TermEstimates estimate_terms(const Observations& observations, const EstimateOptions& options, ErrorTable& table);

}  // namespace errata::errormodel
