#include "training/hardware/nonlinear_quantizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "core/random_stream.h"
#include "core/readout.h"

namespace errata::training {
namespace {

struct Tested {
  const char* label;
  NonlinearCurve curve;
};

class Curves : public testing::TestWithParam<Tested> {};

double central(const std::function<double(double)>& f, double x, double h) { return (f(x + h) - f(x - h)) / (2.0 * h); }

// Central differences with h = 1e-5: truncation h² f'''/6 and rounding 1e-16/h stay below 1e-8 for these curves.
constexpr double kStep = 1e-5, kTolerance = 1e-8;

TEST_P(Curves, DerivativesAreThoseOfDifferences) {
  const NonlinearCurve& curve = GetParam().curve;
  for (double s = -1.33; s < 1.4; s += 0.08) {
    const CurvePoint at = curve.at(s);
    EXPECT_NEAR(at.slope, central([&](double x) { return curve.value(x); }, s, kStep), kTolerance) << s;
    for (std::size_t p = 0; p < curve.parameter_count(); ++p) {
      const auto moved = [&](double value) {
        NonlinearCurve other = curve;
        other.parameters[p] = value;
        return other.value(s);
      };
      EXPECT_NEAR(at.by_parameter[p], central(moved, curve.parameters[p], kStep), kTolerance) << s << " " << p;
    }
    for (std::size_t p = curve.parameter_count(); p < kMostCurveParameters; ++p) EXPECT_EQ(at.by_parameter[p], 0.0);
  }
}

/// The straight-through estimator by its definition: derivatives of y_fs · clip(f(y / y_fs)).
TEST_P(Curves, HardQuantiserPassesTheRoundStraightThrough) {
  const NonlinearQuantizer q{GetParam().curve, 20.0, 5};
  int clipped = 0;
  for (double y = -31.03; y < 31.0; y += 0.61) {
    const QuantizedPoint at = q.at(y);
    const auto clip_only = [&](const NonlinearCurve& curve, double input) {
      return q.full_scale * std::clamp(curve.value(input / q.full_scale), q.low(), q.high());
    };
    EXPECT_NEAR(at.slope, central([&](double x) { return clip_only(q.curve, x); }, y, kStep), kTolerance) << y;
    for (std::size_t p = 0; p < q.curve.parameter_count(); ++p) {
      const auto moved = [&](double value) {
        NonlinearCurve other = q.curve;
        other.parameters[p] = value;
        return clip_only(other, y);
      };
      // y_fs multiplies value and error
      EXPECT_NEAR(at.by_parameter[p], central(moved, q.curve.parameters[p], kStep), 20.0 * kTolerance) << y;
    }
    const double steps = at.value / (q.full_scale * q.step());
    EXPECT_NEAR(steps, std::round(steps), 1e-12);
    EXPECT_LE(std::fabs(at.value - clip_only(q.curve, y)), 0.5 * q.full_scale * q.step() + 1e-12);
    clipped += at.slope == 0.0;
  }
  EXPECT_EQ(clipped > 0, GetParam().curve.form != CurveForm::kTanh);  // tanh ends at ±c, inside the range
}

TEST_P(Curves, SoftQuantiserHasItsOwnDerivatives) {
  const NonlinearQuantizer q{GetParam().curve, 20.0, 4};
  for (const double temperature : {0.3, 0.05})
    for (double y = -30.0; y < 30.0; y += 0.83) {
      const QuantizedPoint at = q.soft_at(y, temperature);
      // σ'' of width T Δ: truncation h² / (T Δ y_fs)² stays below 2e-7 with h = 1e-5.
      EXPECT_NEAR(at.slope, central([&](double x) { return q.soft_at(x, temperature).value; }, y, kStep), 1e-6);
      for (std::size_t p = 0; p < q.curve.parameter_count(); ++p) {
        const auto moved = [&](double value) {
          NonlinearQuantizer other = q;
          other.curve.parameters[p] = value;
          return other.soft_at(y, temperature).value;
        };
        // θ moves s itself, y_fs times as much as y does: h is smaller by that.
        EXPECT_NEAR(at.by_parameter[p], central(moved, q.curve.parameters[p], kStep / q.full_scale), 2e-5) << y;
      }
    }
}

TEST_P(Curves, SoftBecomesHardAsTheTemperatureFalls) {
  for (const bool bipolar : {true, false}) {
    const NonlinearQuantizer q{GetParam().curve, 20.0, 5, bipolar};
    int compared = 0;
    for (double y = -30.0; y < 30.0; y += 0.137) {
      const double steps = q.curve.value(y / q.full_scale) / q.step();
      if (std::fabs(steps - std::floor(steps) - 0.5) < 0.05) continue;  // at a transition
      EXPECT_NEAR(q.soft_at(y, 1e-3).value, q.at(y).value, 1e-12) << y;
      ++compared;
    }
    EXPECT_GT(compared, 300);
  }
}

TEST_P(Curves, FastLoopIsTheQuantiser) {
  RandomStream random(3, StreamPurpose::kTest);
  for (const bool bipolar : {true, false}) {
    const NonlinearQuantizer q{GetParam().curve, 24.0, 6, bipolar};
    std::vector<float> inputs(997), slopes(997);
    for (float& y : inputs) y = static_cast<float>(60.0 * random.uniform() - 30.0);
    std::vector<float> values = inputs, without = inputs;
    apply(q, values, slopes);
    apply(q, without, {});
    EXPECT_EQ(values, without);
    int compared = 0;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const double f = q.curve.value(static_cast<double>(inputs[i]) / q.full_scale), steps = f / q.step();
      // fp32 may round to the other side of a transition or clip: 1e-4 steps is ten times its error.
      if (std::fabs(steps - std::floor(steps) - 0.5) < 1e-4 || std::fabs(f - q.low()) < 1e-5 ||
          std::fabs(f - q.high()) < 1e-5)
        continue;
      const QuantizedPoint expected = q.at(static_cast<double>(inputs[i]));
      EXPECT_NEAR(values[i], expected.value, 1e-5);
      EXPECT_NEAR(slopes[i], expected.slope, 1e-5);
      ++compared;
    }
    EXPECT_GT(compared, 950);
  }
}

TEST_P(Curves, ParameterGradientIsTheSumOverInputs) {
  const NonlinearQuantizer q{GetParam().curve, 24.0, 6};
  const std::vector<float> inputs{-30.0f, -7.5f, 0.0f, 3.0f, 11.0f, 29.0f}, gradient{1, -2, 3, 0.5f, 1, -1};
  const CurveParameters found = parameter_gradient(q, inputs, gradient);
  for (std::size_t p = 0; p < kMostCurveParameters; ++p) {
    double expected = 0.0;
    for (std::size_t i = 0; i < inputs.size(); ++i)
      expected += static_cast<double>(gradient[i]) * q.at(static_cast<double>(inputs[i])).by_parameter[p];
    EXPECT_DOUBLE_EQ(found[p], expected);
  }
}

INSTANTIATE_TEST_SUITE_P(Forms, Curves,
                         testing::Values(Tested{"polynomial", {CurveForm::kPolynomial, {0.02, 0.1, -0.05, -0.2, 0.03}}},
                                         Tested{"rational", {CurveForm::kRational, {0.35}}},
                                         Tested{"tanh", {CurveForm::kTanh, {0.9}}}),
                         [](const auto& tested) { return tested.param.label; });

TEST(NonlinearQuantizer, WithoutNonlinearityItIsTheAdc) {
  for (const bool bipolar : {true, false}) {
    AdcOptions adc;
    adc.bits = 5;
    adc.range = 32.0;
    adc.bipolar = bipolar;
    const NonlinearQuantizer q{NonlinearCurve::start(CurveForm::kPolynomial), adc.range, adc.bits, bipolar};
    std::vector<float> values;
    for (int mac = -50; mac <= 50; ++mac) values.push_back(static_cast<float>(mac));  // half of them are ties
    std::vector<float> fast = values;
    apply(q, fast, {});
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double expected = adc.step() * adc_code(adc, static_cast<double>(values[i]));
      EXPECT_EQ(q.at(static_cast<double>(values[i])).value, expected) << values[i];
      EXPECT_EQ(fast[i], expected) << values[i];
    }
  }
}

/// s − 0.3 s³ falls from s = 1.054 on; its tangent does not, and it leaves the curve smoothly.
TEST(NonlinearCurve, ACompressingPolynomialNeverTurnsBack) {
  const NonlinearCurve curve{CurveForm::kPolynomial, {0.0, 0.0, 0.0, -0.3}};
  EXPECT_NEAR(curve.value(1.0), 0.7, 1e-15);
  EXPECT_NEAR(curve.value(3.0), 0.7 + 2.0 * 0.1, 1e-15);
  EXPECT_NEAR(curve.value(-3.0), -0.9, 1e-15);
  for (double s = -3.0; s < 3.0; s += 0.05) EXPECT_GT(curve.at(s).slope, 0.0) << s;
  EXPECT_NEAR(curve.at(1.0 + 1e-9).slope, curve.at(1.0 - 1e-9).slope, 1e-8);
}

TEST(NonlinearQuantizer, StartsAndBounds) {
  for (const CurveForm form : {CurveForm::kPolynomial, CurveForm::kRational, CurveForm::kTanh}) {
    const NonlinearCurve start = NonlinearCurve::start(form);
    EXPECT_NEAR(start.value(1.0), 1.0, 0.021) << form_name(form);
    EXPECT_DOUBLE_EQ(start.at(0.0).slope, 1.0);
  }
  EXPECT_EQ((NonlinearCurve{CurveForm::kRational, {-0.5}}.bounded().parameters[0]), 0.0);
  EXPECT_GT((NonlinearCurve{CurveForm::kTanh, {-0.5}}.bounded().parameters[0]), 0.0);
  EXPECT_EQ((NonlinearCurve{CurveForm::kPolynomial, {-0.5}}.bounded().parameters[0]), -0.5);
}

}  // namespace
}  // namespace errata::training
