#include "training/hardware/nonlinear_quantizer.h"

#include <algorithm>
#include <cmath>

#include "training/layers/vector_clones.h"

namespace errata::training {

namespace {

/// The curve in fp32 with its slope, one type for each form so that the loop below has no branch.
struct Polynomial {
  float a0, a1, a2, a3, a5;
  explicit Polynomial(const CurveParameters& p)
      : a0(static_cast<float>(p[0])),
        a1(static_cast<float>(1.0 + p[1])),
        a2(static_cast<float>(p[2])),
        a3(static_cast<float>(p[3])),
        a5(static_cast<float>(p[4])) {}
  static float inside(float s) {
    const float above = s < -1.0f ? -1.0f : s;
    return above > 1.0f ? 1.0f : above;
  }
  float slope(float s) const {
    const float e = inside(s);
    return a1 + e * (2.0f * a2 + e * (3.0f * a3 + e * e * (5.0f * a5)));
  }
  float value(float s) const {
    const float e = inside(s);
    return a0 + e * (a1 + e * (a2 + e * (a3 + e * e * a5))) + (s - e) * slope(e);
  }
};
struct Rational {
  float n;
  explicit Rational(const CurveParameters& p) : n(static_cast<float>(p[0])) {}
  float value(float s) const { return s / (1.0f + n * std::fabs(s)); }
  float slope(float s) const {
    const float below = 1.0f + n * std::fabs(s);
    return 1.0f / (below * below);
  }
};
struct Tanh {
  float c;
  explicit Tanh(const CurveParameters& p) : c(static_cast<float>(p[0])) {}
  float value(float s) const { return c * std::tanh(s / c); }
  float slope(float s) const {
    const float t = std::tanh(s / c);
    return 1.0f - t * t;
  }
};

/// Nearest integer of |v| < 2³¹, ties away from zero, exactly.
inline float round_away(float v) {
  const auto whole = static_cast<float>(static_cast<int>(v));
  const float rest = v - whole;
  return whole + (rest >= 0.5f ? 1.0f : 0.0f) - (rest <= -0.5f ? 1.0f : 0.0f);
}

/// Inlined into functions that are compiled for several vector widths.
template <class Curve>
[[gnu::always_inline]] inline void apply_curve(const NonlinearQuantizer& q, std::span<float> values,
                                               std::span<float> slopes) {
  const Curve curve(q.curve.parameters);
  const auto scale = static_cast<float>(1.0 / q.full_scale), per_step = static_cast<float>(1.0 / q.step());
  const auto step = static_cast<float>(q.full_scale * q.step());
  const auto low = static_cast<float>(q.low()), high = static_cast<float>(q.high());
  float* __restrict value = values.data();
  float* __restrict passed = slopes.data();
  const std::size_t count = values.size();
  if (slopes.empty()) {
    for (std::size_t i = 0; i < count; ++i) {
      const float f = curve.value(value[i] * scale), above = f < low ? low : f;
      value[i] = step * round_away((above > high ? high : above) * per_step);
    }
    return;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const float s = value[i] * scale, f = curve.value(s), slope = curve.slope(s), above = f < low ? low : f;
    const float under = f > low ? slope : 0.0f;
    passed[i] = f < high ? under : 0.0f;
    value[i] = step * round_away((above > high ? high : above) * per_step);
  }
}

ERRATA_VECTOR_CLONES void apply_polynomial(const NonlinearQuantizer& q, std::span<float> values,
                                           std::span<float> slopes) {
  apply_curve<Polynomial>(q, values, slopes);
}
ERRATA_VECTOR_CLONES void apply_rational(const NonlinearQuantizer& q, std::span<float> values,
                                         std::span<float> slopes) {
  apply_curve<Rational>(q, values, slopes);
}

/// σ(x) with its derivative, safe for any x.
struct Sigmoid {
  double value, slope;
  explicit Sigmoid(double x) {
    const double e = std::exp(-std::fabs(x)), small = e / (1.0 + e);
    value = x >= 0.0 ? 1.0 - small : small;
    slope = e / ((1.0 + e) * (1.0 + e));
  }
};

}  // namespace

double NonlinearQuantizer::step() const { return std::ldexp(1.0, (bipolar ? 1 : 0) - bits); }

QuantizedPoint NonlinearQuantizer::at(double y) const {
  const CurvePoint f = curve.at(y / full_scale);
  QuantizedPoint q;
  q.value = full_scale * step() * std::round(std::clamp(f.value, low(), high()) / step());
  if (f.value <= low() || f.value >= high()) return q;
  q.slope = f.slope;  // y_fs · f'(s) · ds/dy
  for (std::size_t i = 0; i < curve.parameter_count(); ++i) q.by_parameter[i] = full_scale * f.by_parameter[i];
  return q;
}

QuantizedPoint NonlinearQuantizer::soft_at(double y, double temperature) const {
  const CurvePoint f = curve.at(y / full_scale);
  const double delta = step(), width = temperature * delta;
  const long transitions = (1L << bits) - 1;
  // Transitions farther than kReach widths away are 0 or 1 to the last bit.
  constexpr double kReach = 40.0;
  const double place = (f.value - low()) / delta - 0.5;  // transition number k lies at k
  const auto bounded = [&](double k) { return std::clamp(k, 0.0, static_cast<double>(transitions)); };
  const auto first = static_cast<long>(bounded(std::ceil(place - kReach * temperature)));
  const auto last = static_cast<long>(bounded(std::floor(place + kReach * temperature) + 1.0));
  double steps = static_cast<double>(first), slope = 0.0;
  for (long k = first; k < last; ++k) {
    const Sigmoid s((f.value - low() - (static_cast<double>(k) + 0.5) * delta) / width);
    steps += s.value;
    slope += s.slope / temperature;
  }
  QuantizedPoint q;
  q.value = full_scale * (low() + delta * steps);
  q.slope = slope * f.slope;
  for (std::size_t i = 0; i < curve.parameter_count(); ++i) q.by_parameter[i] = full_scale * slope * f.by_parameter[i];
  return q;
}

void apply(const NonlinearQuantizer& quantizer, std::span<float> values, std::span<float> slopes) {
  switch (quantizer.curve.form) {
    case CurveForm::kPolynomial:
      return apply_polynomial(quantizer, values, slopes);
    case CurveForm::kRational:
      return apply_rational(quantizer, values, slopes);
    case CurveForm::kTanh:
      return apply_curve<Tanh>(quantizer, values, slopes);
  }
}

CurveParameters parameter_gradient(const NonlinearQuantizer& quantizer, std::span<const float> inputs,
                                   std::span<const float> gradient) {
  CurveParameters sum{};
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const QuantizedPoint q = quantizer.at(static_cast<double>(inputs[i]));
    for (std::size_t p = 0; p < quantizer.curve.parameter_count(); ++p)
      sum[p] += static_cast<double>(gradient[i]) * q.by_parameter[p];
  }
  return sum;
}

}  // namespace errata::training
