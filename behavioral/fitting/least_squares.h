#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/statistics.h"

namespace errata::behavioral {

/// A non-linear least-squares problem: minimise Σ r_i² over the parameters within bounds (methods.md §5.4).
struct LeastSquaresProblem {
  using Function = std::function<std::vector<double>(std::span<const double> parameters)>;

  std::size_t parameters = 0;
  /// Model minus measurement, weighted as the fit shall weigh them, [residuals]. Outside of the model's domain: empty,
  /// or values that are no numbers; the fit then takes a shorter step.
  Function residuals;
  /// Their derivatives, [residuals][parameters]. Empty: numeric.
  Function jacobian;
  std::vector<double> lower, upper;  ///< bounds of the parameters; empty: none; ±infinity: none for this one
  std::vector<double> measured;      ///< what the residuals were taken from; for R² only
};

/// What a residual r adds to the cost, twice over: r² up to about `loss_scale`, less beyond.
enum class RobustLoss {
  kNone,    ///< r²
  kHuber,   ///< linear beyond the scale; for a few outliers
  kSoftL1,  ///< the same without a corner
  kCauchy,  ///< logarithmic: far outliers hardly count; may have several minima
};

enum class Derivatives {
  kAnalytic,  ///< the problem's jacobian where it has one
  kNumeric,   ///< central differences: 2 · parameters evaluations for each step
};

struct LeastSquaresOptions {
  Derivatives derivatives = Derivatives::kAnalytic;
  RobustLoss loss = RobustLoss::kNone;
  double loss_scale = 1.0;        ///< in the unit of the residuals
  std::size_t most_steps = 2000;  ///< for each start
  /// The search ends when a step changes the cost or the parameters by less than this share. The default is about as
  /// far as doubles go; a larger value saves the last steps.
  double tolerance = 1e-14;
  double confidence = 0.95;  ///< of the intervals
  /// Further starts, spread evenly (Halton) over the bounds, which must then be finite. For problems with several
  /// minima.
  std::size_t further_starts = 0;
};

struct ParameterEstimate {
  double value = 0.0;
  double standard_error = 0.0;  ///< infinite when the data do not determine it, 0 when it is held at a bound
  Interval interval;            ///< Student-t
  bool at_bound = false;        ///< ends at a bound that the cost pushes against; taken as known in all errors
  bool identifiable = true;     ///< whether the data determine it
};

/// What a fit found. "Did not converge" is a result like any other.
struct LeastSquaresFit {
  bool converged = false;
  std::string message;  ///< why the search ended
  std::vector<ParameterEstimate> parameters;
  std::vector<double> residuals;  ///< at the solution, without the loss
  double sum_of_squares = 0.0;
  double rms = 0.0, maximum = 0.0, bias = 0.0;  ///< of the residuals; bias is their mean
  std::optional<double> r_squared;              ///< with `measured` only
  std::size_t degrees_of_freedom = 0;           ///< residuals minus free parameters
  double residual_sigma = 0.0;                  ///< sqrt(sum of squares / degrees of freedom)
  std::vector<double> covariance;               ///< [parameters][parameters]; 0 where one is at a bound or undetermined
  double condition_number = 0.0;  ///< of the Jacobian, its columns scaled to length 1: above 1e6 parameters blur
  std::size_t rank = 0;           ///< directions in parameter space that the data determine
  /// How far from the minimum, as a share of the confidence region's radius (Bates and Watts 1981).
  double relative_offset = 0.0;
  std::size_t steps = 0;            ///< of the best start
  std::size_t best_start = 0;       ///< given starts first, then the further ones
  std::size_t agreeing_starts = 0;  ///< how many converged to the same cost

  bool identifiable() const { return rank == parameters.size(); }
  std::vector<double> values() const;
  /// One line: how the search ended, RMS, maximum, bias, R².
  std::string brief() const;
  /// brief() and a line for each parameter with its interval; `names` may be empty.
  std::string full(std::span<const std::string> names = {}) const;
};

/// Fits from each of the starts [starts][parameters] and keeps the best: Ceres' trust region of Levenberg and
/// Marquardt, dense QR. A fit counts as converged when the search says so and the residuals stand at right angles to
/// what the parameters can change (relative offset below 1e-3), so that wrong derivatives do not pass for convergence.
/// Same bytes on one kind of processor. Throws Error (E522) when the problem contradicts itself.
LeastSquaresFit fit_least_squares(const LeastSquaresProblem& problem, std::span<const std::vector<double>> starts,
                                  const LeastSquaresOptions& options = {});

/// From one start.
LeastSquaresFit fit_least_squares(const LeastSquaresProblem& problem, const std::vector<double>& start,
                                  const LeastSquaresOptions& options = {});

}  // namespace errata::behavioral
