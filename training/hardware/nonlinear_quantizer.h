#pragma once

#include <span>

#include "core/nonlinear_curve.h"

namespace errata::training {

using errata::curve_parameter_names;
using errata::CurveForm;
using errata::CurveParameters;
using errata::CurvePoint;
using errata::form_name;
using errata::kMostCurveParameters;
using errata::NonlinearCurve;

/// Result of a quantiser with its derivatives; `value` has the unit of y, [MAC units] in networks.
struct QuantizedPoint {
  double value = 0.0, slope = 0.0;  ///< y_fs · q(y / y_fs) and d/dy
  CurveParameters by_parameter{};   ///< ∂/∂θ
};

/// The quantiser of a conversion with the circuit's nonlinearity inside (methods.md §4.1):
///
///     q(s) = Δ · round(clip(f(s), low, high) / Δ),   s = y / y_fs
///
/// Bipolar: Δ = 2^(1−bits), low = −1, high = 1 − Δ. Unipolar (single-ended columns): Δ = 2^(−bits), low = 0. It rounds
/// as adc_code() does, ties away from zero: with f(s) = s it is that ADC with range y_fs.
struct NonlinearQuantizer {
  NonlinearCurve curve;
  double full_scale = 1.0;  ///< y_fs [unit of y]
  int bits = 6;
  bool bipolar = true;

  double step() const;  ///< Δ, relative to y_fs
  double low() const { return bipolar ? -1.0 : 0.0; }
  double high() const { return 1.0 - step(); }

  /// Hard quantiser. Derivatives pass the round straight through and keep the true f' where f(s) lies strictly inside
  /// the clip range; 0 outside.
  QuantizedPoint at(double y) const;

  /// Soft quantiser, where samples are codes: the staircase Δ Σ_k σ((f(s) − t_k) / (T Δ)) + low over the transitions
  /// t_k. Derivatives are its own, exact. `temperature` T > 0, in steps; T → 0 gives at() off the transitions.
  QuantizedPoint soft_at(double y, double temperature) const;
};

/// The hot loop of networks: fp32, values[i] ← y_fs · q(values[i] / y_fs); slopes[i] as NonlinearQuantizer::at() has
/// it, unless `slopes` is empty.
void apply(const NonlinearQuantizer& quantizer, std::span<float> values, std::span<float> slopes);

/// Σ gradient[i] · ∂/∂θ of NonlinearQuantizer::at(inputs[i]), in double, in order.
CurveParameters parameter_gradient(const NonlinearQuantizer& quantizer, std::span<const float> inputs,
                                   std::span<const float> gradient);

}  // namespace errata::training
