#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace errata::behavioral {

/// Values [outputs] at these parameters. Where the function is not defined: empty, or values that are no numbers.
using VectorFunction = std::function<std::vector<double>(std::span<const double> parameters)>;

/// Derivatives [outputs][parameters] with an estimate of each one's own error, in the unit of output over parameter.
struct NumericJacobian {
  std::size_t outputs = 0, parameters = 0;
  std::vector<double> values, errors;
};

/// Extrapolated central differences (Ridders 1982): steps shrink from a hundredth of `scales` (typical sizes of the
/// parameters; empty: their magnitudes, 1 for 0) and each derivative is taken where its error estimate is smallest. The
/// outputs should be of one unit: each is granted the rounding errors of the largest.
/// Throws Error (E522) when the function has no values at the parameters or anywhere near them.
NumericJacobian numeric_jacobian(const VectorFunction& function, std::span<const double> parameters,
                                 std::span<const double> scales = {});

struct DerivativeCheckOptions {
  double relative_tolerance = 1e-6;  ///< of the larger of the two derivatives
  /// A derivative below this share of the largest one by the same parameter is held to that share instead.
  double negligible = 1e-4;
  std::vector<double> scales;  ///< as in numeric_jacobian
};

/// One derivative, analytic against numeric.
struct DerivativeEntry {
  std::size_t output = 0, parameter = 0;
  double analytic = 0.0, numeric = 0.0;
  double numeric_error = 0.0;  ///< estimate
  double deviation = 0.0;      ///< |analytic − numeric| over what is allowed: above 1 it fails
};

struct DerivativeCheck {
  bool passed = false;
  std::size_t checked = 0;
  std::size_t failed = 0;      ///< differ by more than tolerance and numeric error together
  std::size_t unresolved = 0;  ///< numeric error above the tolerance: nothing can be said; these do not pass either
  DerivativeEntry worst;
  /// One line: how many were checked, and the worst one with its output and parameter.
  std::string brief() const;
};

/// Compares `analytic` [outputs][parameters] with numeric derivatives of the function at these parameters (methods.md
/// §5.4). Throws Error (E522) when the sizes do not fit or the function has no values here.
DerivativeCheck check_derivatives(const VectorFunction& function, std::span<const double> analytic,
                                  std::span<const double> parameters, const DerivativeCheckOptions& options = {});

}  // namespace errata::behavioral
