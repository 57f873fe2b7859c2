#include "training/hardware/device_weight.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/random_stream.h"
#include "tests/support/expect_error.h"
#include "tests/unit/training/gradient_check.h"
#include "training/layers/matrix_layer.h"

namespace errata::training {
namespace {

DeviceOptions device(double ratio, double nonlinearity, double asymmetry) {
  DeviceOptions o;
  o.ratio = ratio;
  o.nonlinearity = nonlinearity;
  o.asymmetry = asymmetry;
  return o;
}

TEST(DeviceStaircase, ValuesAreThoseOfTheEquations) {
  const double r = 10.0, nu = 2.0, rho = 0.8;
  const int largest = 7;
  const DeviceStaircase s(device(r, nu, rho), largest);
  const auto g = [&](int k) {  // G_max − G_min = 1
    const double h = (1.0 - std::exp(-nu * k / 7.0)) / (1.0 - std::exp(-nu));
    return 1.0 / (r - 1.0) + h;
  };
  for (int k = -largest; k <= largest; ++k)
    EXPECT_NEAR(s.value(k), g(std::max(k, 0)) - rho * g(std::max(-k, 0)), 1e-14) << k;
  EXPECT_NEAR(s.value(0), (1.0 - rho) / (r - 1.0), 1e-14);  // what a finite ratio leaves at u = 0
}

TEST(DeviceStaircase, IdealDevicesHaveExactLevels) {
  const DeviceStaircase s(device(1e12, 0.0, 1.0), 3);
  for (int k = -3; k <= 3; ++k) EXPECT_NEAR(s.value(k), k / 3.0, 1e-12);
  DeviceOptions reference = device(1e12, 0.0, 1.0);
  reference.pair = DevicePair::kReference;
  const DeviceStaircase one(reference, 3);
  for (int k = -3; k <= 3; ++k) EXPECT_NEAR(one.value(k), k / 3.0, 1e-11);
}

TEST(DeviceStaircase, MeasuredLevelsTakeThePlaceOfTheEquation) {
  DeviceOptions o = device(0.0, 0.0, 0.9);
  o.levels = {1.0, 2.5, 3.0, 5.0};
  const DeviceStaircase s(o, 3);
  EXPECT_NEAR(s.value(2), (3.0 - 0.9 * 1.0) / 4.0, 1e-14);
  EXPECT_NEAR(s.value(-1), (1.0 - 0.9 * 2.5) / 4.0, 1e-14);
  o.levels = {1.0, 2.5, 3.0};
  errata::testing::expect_error(ExitStatus::kInvalidProject, "E508", [&] { DeviceStaircase(o, 3); });
  o.levels = {1.0, 2.5, 2.0, 5.0};
  errata::testing::expect_error(ExitStatus::kInvalidProject, "E508", [&] { DeviceStaircase(o, 3); });
  errata::testing::expect_error(ExitStatus::kInvalidProject, "E508", [&] { DeviceStaircase(device(1.0, 0, 1), 3); });
}

TEST(DeviceStaircase, SmoothBecomesHardAsTheTemperatureFalls) {
  for (const auto pair : {DevicePair::kPair, DevicePair::kReference}) {
    DeviceOptions o = device(3.0, 4.0, 0.8);
    o.pair = pair;
    const DeviceStaircase s(o, 7);
    int compared = 0;
    for (double u = -1.3; u < 1.3; u += 0.0037) {
      const double place = u * 7.0 + 0.5;
      if (std::fabs(place - std::round(place)) < 0.04) continue;  // on a riser
      const int code = static_cast<int>(std::lround(std::clamp(u * 7.0, -7.0, 7.0)));
      EXPECT_NEAR(s.smooth(u, 1e-3).value, s.value(code), 1e-12) << u;
      ++compared;
    }
    EXPECT_GT(compared, 500);
  }
}

TEST(DeviceStaircase, SmoothSlopeIsThatOfDifferences) {
  const DeviceStaircase s(device(10.0, 2.0, 0.9), 7);
  constexpr double kStep = 1e-6;  // truncation h² (K/T)² / 6 ≤ 4e-9 at T = 0.05; rounding 1e-16/h
  for (const double temperature : {0.5, 0.2, 0.05})
    for (double u = -1.2; u < 1.2; u += 0.013) {
      const double expected =
          (s.smooth(u + kStep, temperature).value - s.smooth(u - kStep, temperature).value) / (2.0 * kStep);
      EXPECT_NEAR(s.smooth(u, temperature).slope, expected, 1e-6) << u << " " << temperature;
    }
}

TEST(DeviceStaircase, FastLoopsAreTheStaircase) {
  const DeviceStaircase s(device(10.0, 2.0, 0.9), 15);
  RandomStream random(1, StreamPurpose::kTest);
  std::vector<float> weights(2000), out(2000), slopes(2000);
  for (float& w : weights) w = static_cast<float>(0.9 * random.normal());
  weights[0] = 1e6f;
  weights[1] = -1e6f;
  const float step = 0.07f;
  for (const double temperature : {1.0, 0.3, 0.05, 0.02, 1e-4}) {
    s.smooth(weights, step, temperature, out, slopes);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const auto expected = s.smooth(static_cast<double>(weights[i]) / static_cast<double>(step) / 15.0, temperature);
      ASSERT_NEAR(out[i], 15.0 * expected.value, 1e-5) << weights[i] << " " << temperature;
      // d(K w)/d(ratio) = dw/du; the slope of a riser is 1/T, its place is known to 1e-7 of 15
      ASSERT_NEAR(slopes[i], expected.slope, 1e-5 + 1e-5 / temperature) << weights[i] << " " << temperature;
    }
  }
  std::vector<float> codes{-15, -3, 0, 1, 15};
  s.hard(codes, codes);
  EXPECT_FLOAT_EQ(codes[1], static_cast<float>(15.0 * s.value(-3)));
  EXPECT_FLOAT_EQ(codes[4], static_cast<float>(15.0 * s.value(15)));
}

struct DeviceLayer {
  explicit DeviceLayer(DeviceGradient gradient, double temperature)
      : layer("m", 0, linear_geometry(30, 6), bits(gradient)),
        probe(layer, random_tensor(19, {1, 1, 30}, 0.0, 1.0, 1), 1) {
    RandomStream stream(5, StreamPurpose::kTest);
    for (float& weight : layer.weight().value) weight = static_cast<float>(stream.normal());
    layer.set_device_temperature(temperature);
    layer.update_codes(WeightUse::kTraining);
  }
  static QuantizationOptions bits(DeviceGradient gradient) {
    QuantizationOptions q{4, 0};
    q.device = device(10.0, 2.0, 0.8);
    q.device.gradient = gradient;
    return q;
  }
  double loss() {
    layer.update_codes(WeightUse::kTraining);
    return probe.loss();
  }
  MatrixLayer layer;
  LayerProbe probe;
};

/// The smooth map is differentiable: its gradients, the step's too, are those of differences.
TEST(DeviceLayer, SmoothGradientsAreThoseOfDifferences) {
  DeviceLayer d(DeviceGradient::kSmooth, 0.4);
  d.loss();
  d.probe.backward();
  const auto loss = [&] { return d.loss(); };
  // T is 0.4 of a level of about 0.3: a step of 2e-3 is 1/60 of it, truncation (1/60)² / 6.
  expect_gradient(d.layer.weight().value, std::as_const(d.layer).weight().gradient, 2e-3, 2e-3, 7, loss);
  Parameter& step = *d.layer.parameters()[2];
  const double scale = step_gradient_scale(d.layer.weight().value.size(), QuantizerRange::of_weights(4));
  const double expected = difference(step.value[0], 5e-4, loss) * scale;
  EXPECT_NEAR(static_cast<double>(step.gradient[0]), expected, 1e-2 * std::fabs(expected));
}

/// By definition: slope 1 inside the range, none outside, and ∂/∂s = device code − ratio inside, device code outside.
TEST(DeviceLayer, StraightThroughGradientsAreByDefinition) {
  DeviceLayer d(DeviceGradient::kStraightThrough, 0.0);
  d.layer.parameters()[2]->value[0] = 0.2f;  // so that some weights clip
  d.layer.update_codes(WeightUse::kTraining);
  d.probe.backward();
  const DeviceStaircase stairs(device(10.0, 2.0, 0.8), 7);
  const double s = static_cast<double>(d.layer.weight_step());
  double step_gradient = 0.0;
  int clipped = 0;
  for (std::size_t j = 0; j < 30; ++j)
    for (std::size_t c = 0; c < 6; ++c) {
      const std::size_t at = j * 6 + c;
      const double ratio = static_cast<double>(d.layer.weight().value[at]) / s;
      const int code = static_cast<int>(std::nearbyint(std::clamp(ratio, -7.0, 7.0)));
      EXPECT_EQ(d.layer.weight_levels()[at], static_cast<float>(code));
      EXPECT_NEAR(d.layer.weight_codes()[at], 7.0 * stairs.value(code), 1e-5);
      double outer = 0.0;
      for (std::size_t image = 0; image < 19; ++image)
        outer +=
            static_cast<double>(d.probe.weights.image(image)[c]) * static_cast<double>(d.probe.input.image(image)[j]);
      const bool inside = std::fabs(ratio) < 7.0;
      clipped += !inside;
      EXPECT_NEAR(d.layer.weight().gradient[at], inside ? outer : 0.0, 1e-4);
      step_gradient += outer * (7.0 * stairs.value(code) - (inside ? ratio : 0.0));
    }
  EXPECT_GT(clipped, 0);
  const double expected = step_gradient * step_gradient_scale(180, QuantizerRange::of_weights(4));
  EXPECT_NEAR(static_cast<double>(d.layer.parameters()[2]->gradient[0]), expected, 1e-3 * std::fabs(expected) + 1e-4);
}

TEST(DeviceLayer, EvaluationUsesTheHardStaircase) {
  DeviceLayer d(DeviceGradient::kSmooth, 0.5);
  const std::vector<float> smooth(d.layer.weight_codes().begin(), d.layer.weight_codes().end());
  d.layer.update_codes();
  const DeviceStaircase stairs(device(10.0, 2.0, 0.8), 7);
  for (std::size_t i = 0; i < smooth.size(); ++i)
    EXPECT_NEAR(d.layer.weight_codes()[i], 7.0 * stairs.value(static_cast<int>(d.layer.weight_levels()[i])), 1e-5);
  EXPECT_NE(smooth, std::vector<float>(d.layer.weight_codes().begin(), d.layer.weight_codes().end()));
  // Annealed to nothing, training sees the same weights.
  d.layer.set_device_temperature(0.0);
  const std::vector<float> hard(d.layer.weight_codes().begin(), d.layer.weight_codes().end());
  d.layer.update_codes(WeightUse::kTraining);
  EXPECT_EQ(hard, std::vector<float>(d.layer.weight_codes().begin(), d.layer.weight_codes().end()));
}

}  // namespace
}  // namespace errata::training
