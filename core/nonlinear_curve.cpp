#include "core/nonlinear_curve.h"

#include <algorithm>
#include <cmath>

namespace errata {

namespace {

constexpr std::array<std::string_view, 3> kFormNames{"polynomial", "rational", "tanh"};
constexpr std::array<std::string_view, 5> kPolynomialNames{"a0", "a1", "a2", "a3", "a5"};
constexpr std::array<std::string_view, 1> kRationalNames{"n"}, kTanhNames{"c"};
constexpr double kStartOfTanh = 4.0, kSmallestOfTanh = 0.05;

/// Beyond the full scale along the tangent.
CurvePoint polynomial_at(const CurveParameters& a, double s) {
  const double e = std::clamp(s, -1.0, 1.0), beyond = s - e;
  const double e2 = e * e, e3 = e2 * e, e4 = e2 * e2;
  const CurveParameters power{1.0, e, e2, e3, e4 * e}, slope{0.0, 1.0, 2.0 * e, 3.0 * e2, 5.0 * e4};
  CurvePoint p{e + beyond, 1.0, {}};
  for (std::size_t k = 0; k < a.size(); ++k) {
    p.by_parameter[k] = power[k] + beyond * slope[k];
    p.value += a[k] * p.by_parameter[k];
    p.slope += a[k] * slope[k];
  }
  return p;
}

CurvePoint rational_at(double n, double s) {
  const double magnitude = std::fabs(s), below = 1.0 + n * magnitude;
  return {s / below, 1.0 / (below * below), {-s * magnitude / (below * below)}};
}

CurvePoint tanh_at(double c, double s) {
  const double t = std::tanh(s / c), slope = 1.0 - t * t;
  return {c * t, slope, {t - (s / c) * slope}};
}

}  // namespace

std::string_view form_name(CurveForm form) { return kFormNames[static_cast<std::size_t>(form)]; }

std::span<const std::string_view> curve_parameter_names(CurveForm form) {
  switch (form) {
    case CurveForm::kPolynomial:
      return kPolynomialNames;
    case CurveForm::kRational:
      return kRationalNames;
    case CurveForm::kTanh:
      return kTanhNames;
  }
  return {};
}

NonlinearCurve NonlinearCurve::start(CurveForm form) {
  NonlinearCurve curve{form, {}};
  if (form == CurveForm::kTanh) curve.parameters[0] = kStartOfTanh;
  return curve;
}

NonlinearCurve NonlinearCurve::bounded() const {
  NonlinearCurve curve = *this;
  if (form == CurveForm::kRational) curve.parameters[0] = std::max(0.0, parameters[0]);
  if (form == CurveForm::kTanh) curve.parameters[0] = std::max(kSmallestOfTanh, parameters[0]);
  return curve;
}

CurvePoint NonlinearCurve::at(double s) const {
  switch (form) {
    case CurveForm::kPolynomial:
      return polynomial_at(parameters, s);
    case CurveForm::kRational:
      return rational_at(parameters[0], s);
    case CurveForm::kTanh:
      return tanh_at(parameters[0], s);
  }
  return {};
}

}  // namespace errata
