#pragma once

#include <vector>

#include "core/run_context.h"
#include "errormodel/estimation/estimate.h"
#include "errormodel/exchange/import_campaign.h"

namespace errata::errormodel {

/// The affine line output = offset + unit · y of a campaign (methods.md §2): least squares over the means of the reads,
/// all y counting alike however often they were measured.
struct TransferLine {
  double offset = 0.0, unit = 1.0;
};
TransferLine fit_transfer(const Campaign& campaign);

/// Variance of analog values behind repeated codes whose variance, averaged over many positions between two
/// transitions, is `variance`, in steps²: the inverse of σ² + 1/12 − Σ_k exp(−4π²k²σ²)/(2π²k²). For σ above 0.4 steps
/// that is Sheppard's correction; far below, noise shows only where a transition is near.
double variance_behind_codes(double variance);

/// Operands whose mean, noise and clipping have been judged: in MAC units, by chip and column.
struct MeasuredPoint {
  double y = 0.0, a = 0.0;
  double value = 0.0;     ///< mean of the reads, MAC units
  double variance = 0.0;  ///< sample variance of the reads, MAC unit²
  const MeasuredOperand* operand = nullptr;
};
struct MeasuredLine {
  std::size_t chip = 0;
  const MeasuredColumn* column = nullptr;
  std::vector<MeasuredPoint> points;
};

/// Every usable operand. Where more than 1 % of the operands of a MAC value met an end code, all of that value are left
/// out: to drop only those that were clipped would bend the mean.
std::vector<MeasuredLine> usable_points(const Campaign& campaign, const AdcOptions& adc, const TransferLine& line,
                                        const RunContext& context);

/// The largest design of equally many columns for each chip, operands for each column and reads for each operand among
/// what was measured, in MAC units. Columns must have patterns. What it leaves out is told through `context`.
Observations rectangular_design(const Campaign& campaign, const std::vector<MeasuredLine>& lines,
                                const TransferLine& transfer, const RunContext& context);

/// Replaces the one source of noise of a table by a fresh one and those with the memory that its record has found: one
/// AR(1), or one for each octave of a 1/f part.
void split_by_memory(ErrorTable& table);

/// Terms from (y, a) alone: μ, φ, Σ_C, Σ_K and σ_D; levels are their numbers, cells have no spread of their own.
/// residual_sigma holds what frozen error φ does not explain.
void estimate_without_patterns(const std::vector<MeasuredLine>& lines, const EstimateOptions& options,
                               ErrorTable& table);

}  // namespace errata::errormodel
