#include "behavioral/fitting/fitted_parameters.h"

#include <fmt/format.h>

#include "behavioral/fitting/least_squares_statistics.h"

namespace errata::behavioral {

std::string monomial_name(std::span<const std::uint8_t> exponents, std::span<const std::string> variables) {
  std::string name;
  for (std::size_t v = 0; v < exponents.size(); ++v) {
    if (exponents[v] == 0) continue;
    if (!name.empty()) name += "*";
    name += exponents[v] == 1 ? variables[v] : fmt::format("{}^{}", variables[v], exponents[v]);
  }
  return name.empty() ? "1" : name;
}

std::vector<FittedParameter> fitted_parameters(const LeastSquaresFit& fit, const std::string& regression,
                                               std::span<const std::string> names, double unit) {
  std::vector<FittedParameter> all;
  for (std::size_t k = 0; k < fit.parameters.size(); ++k) {
    const Interval& i = fit.parameters[k].interval;
    all.push_back({.regression = regression,
                   .name = names[k],
                   .interval = {unit * i.estimate, unit * i.low, unit * i.high},
                   .condition_number = fit.condition_number,
                   .identifiable = fit.parameters[k].identifiable});
  }
  return all;
}

LeastSquaresFit linear_fit(std::span<const double> coefficients, std::span<const double> residuals,
                           std::span<const double> basis) {
  LeastSquaresFit fit;
  fit.converged = true;
  for (const double c : coefficients) fit.parameters.push_back({.value = c, .interval = {}});
  fit.residuals.assign(residuals.begin(), residuals.end());
  add_statistics({.parameters = coefficients.size()}, {}, basis, fit);
  return fit;
}

}  // namespace errata::behavioral
