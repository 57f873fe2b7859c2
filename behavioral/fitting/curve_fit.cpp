#include "behavioral/fitting/curve_fit.h"

#include <algorithm>
#include <cmath>

#include "behavioral/fitting/least_squares.h"

namespace errata::behavioral {

namespace {

constexpr std::size_t kMostSearched = 4;  // a5 does little that a3 does not

CurveFit fit_form(CurveForm form, std::span<const double> ideal, std::span<const double> output, double full_scale) {
  const NonlinearCurve start = NonlinearCurve::start(form);
  const std::size_t count = std::min(start.parameter_count(), kMostSearched);
  const auto curve = [&](std::span<const double> p) {
    NonlinearCurve c = start;
    std::ranges::copy(p, c.parameters.begin());
    return c;
  };
  LeastSquaresProblem problem{.parameters = count};
  problem.residuals = [&](std::span<const double> p) {
    std::vector<double> r;
    for (std::size_t i = 0; i < ideal.size(); ++i)
      r.push_back(full_scale * curve(p).value(ideal[i] / full_scale) - output[i]);
    return r;
  };
  problem.jacobian = [&](std::span<const double> p) {
    std::vector<double> j;
    for (const double y : ideal) {
      const auto by = curve(p).at(y / full_scale).by_parameter;
      for (std::size_t k = 0; k < count; ++k) j.push_back(full_scale * by[k]);
    }
    return j;
  };
  if (form != CurveForm::kPolynomial) {
    constexpr double kFar = 100.0;  // a tanh of that c is straight to 3e-5, and no column bends with such an n
    NonlinearCurve lowest = start;  // where the form's domain ends
    lowest.parameters.fill(-kFar);
    problem.lower = {lowest.bounded().parameters[0]};
    problem.upper = {kFar};
  }
  const LeastSquaresFit fit = fit_least_squares(
      problem,
      std::vector<double>(start.parameters.begin(), start.parameters.begin() + static_cast<std::ptrdiff_t>(count)));
  CurveFit found{.curve = curve(fit.values()),
                 .full_scale = full_scale,
                 .parameters = {},
                 .rms = fit.rms,
                 .maximum = fit.maximum,
                 .condition_number = fit.condition_number,
                 .converged = fit.converged};
  for (const auto& p : fit.parameters) found.parameters.push_back(p.interval);
  for (std::size_t k = count; k < start.parameter_count(); ++k) {
    const double held = start.parameters[k];
    found.parameters.push_back({held, held, held});
  }
  return found;
}

}  // namespace

std::vector<CurveFit> fit_curves(std::span<const double> ideal, std::span<const double> output, double full_scale) {
  std::vector<double> y, v;
  for (std::size_t i = 0; i < ideal.size(); ++i)
    if (std::isfinite(output[i]) && std::fabs(ideal[i]) <= full_scale) y.push_back(ideal[i]), v.push_back(output[i]);
  if (y.size() <= kMostSearched) return {};
  std::vector<CurveFit> fits;
  for (const CurveForm form : {CurveForm::kPolynomial, CurveForm::kRational, CurveForm::kTanh})
    fits.push_back(fit_form(form, y, v, full_scale));
  return fits;
}

}  // namespace errata::behavioral
