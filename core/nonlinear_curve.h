#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace errata {

/// Families of a conversion's curve f(s), with s = y / y_fs (methods.md §4.1).
enum class CurveForm : std::uint8_t {
  kPolynomial,  ///< a0 + (1 + a1) s + a2 s² + a3 s³ + a5 s⁵
  kRational,    ///< s / (1 + n |s|), n ≥ 0
  kTanh,        ///< c · tanh(s / c), c > 0
};

inline constexpr std::size_t kMostCurveParameters = 5;
using CurveParameters = std::array<double, kMostCurveParameters>;

/// Name of a form in files: "polynomial", "rational", "tanh".
std::string_view form_name(CurveForm form);
/// Names of a form's parameters in their order: a0, a1, a2, a3, a5, or n, or c.
std::span<const std::string_view> curve_parameter_names(CurveForm form);

/// A curve's value with its derivatives.
struct CurvePoint {
  double value = 0.0, slope = 0.0;  ///< f(s), df/ds
  CurveParameters by_parameter{};   ///< ∂f/∂θ; zero beyond the form's parameters
};

/// The curve that a column puts between its sum and the ADC. Source: methods.md §4.1, after Conrad et al. 2021. Beyond
/// the full scale, |s| > 1, the polynomial goes on along its tangent: one that compresses would turn back there, and
/// training that meets a falling curve runs away.
struct NonlinearCurve {
  CurveForm form = CurveForm::kPolynomial;
  CurveParameters parameters{};  ///< θ, the form's own first; the polynomial of zeros is f(s) = s

  std::size_t parameter_count() const { return curve_parameter_names(form).size(); }
  /// The form nearest to f(s) = s from which a fit can start: zeros, n = 0, or c = 4 (tanh: 2 % off at full scale).
  static NonlinearCurve start(CurveForm form);
  /// θ inside the form's domain: n at least 0, c at least 0.05.
  NonlinearCurve bounded() const;

  double value(double s) const { return at(s).value; }
  CurvePoint at(double s) const;
};

}  // namespace errata
