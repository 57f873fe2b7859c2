#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "behavioral/fitting/least_squares.h"
#include "behavioral/line/line.h"

namespace errata::behavioral {

/// "1", "bit", "bit^2*z0" of powers of these variables; one of no variables is "1".
std::string monomial_name(std::span<const std::uint8_t> exponents, std::span<const std::string> variables);

/// Parameters of a fit, in the unit of its own times `unit`, under their names [parameters].
std::vector<FittedParameter> fitted_parameters(const LeastSquaresFit& fit, const std::string& regression,
                                               std::span<const std::string> names, double unit = 1.0);

/// A linear fit, solved elsewhere, with its statistics: rows of `basis` [residuals][coefficients].
LeastSquaresFit linear_fit(std::span<const double> coefficients, std::span<const double> residuals,
                           std::span<const double> basis);

}  // namespace errata::behavioral
