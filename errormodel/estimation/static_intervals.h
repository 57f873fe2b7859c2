#pragma once

#include <vector>

#include "errormodel/error_table.h"
#include "errormodel/estimation/covariates.h"
#include "errormodel/estimation/static_components.h"
#include "errormodel/estimation/variance_interval.h"

namespace errata::errormodel {

/// Σ_C and Σ_K over the table's three covariates.
struct StaticIntervals {
  std::vector<Interval> chip, column;             ///< raw estimates of the 6 distinct entries with 95 % intervals
  Covariance chip_covariance, column_covariance;  ///< their positive semi-definite part
};

/// Intervals of an estimate (docs/methods/error-model.md). Σ_C has as many degrees of freedom as there are chips, less
/// one, and is taken to be normal; the variances of Σ_K are those of the model or of the chips' scatter, the larger.
/// Entries of covariates that were dropped are 0.
StaticIntervals static_intervals(const StaticEstimate& estimate, const CovariateBasis& basis);

}  // namespace errata::errormodel
