#pragma once

#include "errormodel/estimation/estimate.h"

namespace errata::errormodel {

/// What the error may depend on, chosen by transfer.
struct CovariateChoice {
  std::vector<CovariateTrial> trials;
  EstimateOptions options;  ///< those given, with the covariates and surfaces that were kept
};

/// Builds tables on `own` with and without each covariate and looks how well they predict mean and spread of the error
/// on `other` operands of the same chips and columns, in cells of (y, a) of equal share (methods.md §3.3: by transfer,
/// not by variance explained). A covariate is dropped where it makes the transfer worse by more than two standard
/// errors, or is all but a copy of those before it. Covariates that the table cannot hold are tried for the record.
CovariateChoice choose_covariates(const Observations& own, const Observations& other, const EstimateOptions& options);

/// The first chips of observations.
Observations first_chips(const Observations& observations, std::size_t chips);

}  // namespace errata::errormodel
