#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/training/gradient_check.h"
#include "training/layers/matrix_layer.h"
#include "training/layers/quantizer.h"

namespace errata::training {
namespace {

TEST(Quantizer, RoundsHalfToEvenAndClamps) {
  const std::vector<float> values{-9.0f, -0.75f, -0.25f, 0.0f, 0.25f, 0.75f, 1.25f, 3.3f, 99.0f};
  std::vector<float> codes(values.size());
  quantize(values, 0.5f, QuantizerRange::of_weights(4), codes);
  EXPECT_EQ(codes, (std::vector<float>{-7, -2, 0, 0, 0, 2, 2, 7, 7}));
  quantize(values, 0.5f, QuantizerRange::of_inputs(2), codes);
  EXPECT_EQ(codes, (std::vector<float>{0, 0, 0, 0, 0, 2, 2, 3, 3}));
}

TEST(Quantizer, MatchesNearbyintForEveryWidth) {
  RandomStream stream(1, StreamPurpose::kTest);
  for (int bits = 2; bits <= 16; ++bits) {
    const auto range = QuantizerRange::of_weights(bits);
    std::vector<float> values(999), codes(999);
    for (float& value : values) value = static_cast<float>((2.4 * stream.uniform() - 1.2) * range.high);
    quantize(values, 1.0f, range, codes);
    for (std::size_t i = 0; i < values.size(); ++i)
      ASSERT_EQ(codes[i], std::nearbyint(std::clamp(values[i], range.low, range.high)));
  }
}

TEST(Quantizer, InitialStepAndScaleFollowThePaper) {
  const std::vector<float> values{1.0f, -2.0f, 3.0f, -4.0f};
  EXPECT_FLOAT_EQ(initial_step(values, QuantizerRange::of_weights(4)), static_cast<float>(2.0 * 2.5 / std::sqrt(7.0)));
  EXPECT_FLOAT_EQ(initial_step(std::vector<float>(4, 0.0f), QuantizerRange::of_inputs(4)), kMinimumStep);
  EXPECT_DOUBLE_EQ(step_gradient_scale(100, QuantizerRange::of_inputs(4)), 1.0 / std::sqrt(1500.0));
}

/// LSQ by its definition, element by element in double: v̂ = code · s, ∂v̂/∂s = code − v/s inside and code
/// outside.
struct Reference {
  double step_gradient = 0.0;
  std::vector<double> value_gradient;

  Reference(std::span<const float> values, double step, QuantizerRange range, std::span<const double> outer) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double ratio = static_cast<double>(values[i]) / step, low = static_cast<double>(range.low),
                   high = static_cast<double>(range.high);
      const double code = std::nearbyint(std::clamp(ratio, low, high));
      const bool inside = ratio > low && ratio < high;
      step_gradient += outer[i] * (code - (inside ? ratio : 0.0));
      value_gradient.push_back(inside ? outer[i] : 0.0);
    }
  }
};

struct QuantizedCase {
  const char* label;
  MatrixGeometry geometry;
  QuantizationOptions bits;
};

class QuantizedMatrix : public testing::TestWithParam<QuantizedCase> {};

TEST_P(QuantizedMatrix, GradientsMatchLsq) {
  const auto& [label, g, bits] = GetParam();
  constexpr std::size_t kImages = 19;
  MatrixLayer layer("m", 0, g, bits);
  RandomStream stream(5, StreamPurpose::kTest);
  for (float& weight : layer.weight().value) weight = static_cast<float>(stream.normal());
  layer.update_codes();
  LayerProbe probe(layer, random_tensor(kImages, g.input(), -0.2, 1.0, 1), 2);
  for (float& value : probe.input.values()) value = std::max(value, 0.0f);
  probe.backward();
  const double s_w = static_cast<double>(layer.weight_step()), s_x = static_cast<double>(layer.input_step());
  const auto range_w = QuantizerRange::of_weights(std::max(bits.weight_bits, 2));
  const auto range_x = QuantizerRange::of_inputs(std::max(bits.input_bits, 1));

  // Gradients of the dequantised operands of a plain layer, in double, by naive loops.
  std::vector<double> dw(layer.weight().value.size()), dx(probe.input.size());
  Tensor dequantised = probe.input;
  if (bits.input_bits > 0) {
    quantize(probe.input.values(), layer.input_step(), range_x, dequantised.values());
    for (float& value : dequantised.values()) value *= layer.input_step();
  }
  Tensor places(1, g.input());  // where a patch entry lies in its image; 0 is outside
  for (std::size_t k = 0; k < places.size(); ++k) places.data()[k] = static_cast<float>(k + 1);
  std::vector<float> patch(g.rows()), place(g.rows());
  for (std::size_t position = 0; position < kImages * g.positions(); ++position) {
    im2col_rows(g, dequantised, position, 1, 0, g.rows(), patch.data());
    im2col_rows(g, places, position % g.positions(), 1, 0, g.rows(), place.data());
    const std::size_t image = position / g.positions();
    for (std::size_t r = 0; r < g.rows(); ++r)
      for (std::size_t c = 0; c < g.out_c; ++c) {
        const auto dy = static_cast<double>(probe.weights.values()[position * g.out_c + c]);
        const double w = static_cast<double>(layer.weight_codes()[r * g.out_c + c]) * s_w;
        dw[r * g.out_c + c] += dy * static_cast<double>(patch[r]);
        if (place[r] > 0.0f) dx[image * g.input().size() + static_cast<std::size_t>(place[r]) - 1] += dy * w;
      }
  }
  // fp32 sums of up to a few thousand terms; 1e-4 of the largest gradient is ten times their error.
  const auto expect_all = [](std::span<const float> found, std::span<const double> expected) {
    double largest = 0.0;
    for (const double value : expected) largest = std::max(largest, std::fabs(value));
    for (std::size_t i = 0; i < found.size(); ++i) ASSERT_NEAR(found[i], expected[i], 1e-4 * largest) << i;
  };
  const auto parameters = layer.parameters();
  std::size_t next = 2;
  if (bits.weight_bits > 0) {
    const Reference reference(layer.weight().value, s_w, range_w, dw);
    expect_all(layer.weight().gradient, reference.value_gradient);
    const double expected = reference.step_gradient * step_gradient_scale(dw.size(), range_w);
    EXPECT_NEAR(parameters[next++]->gradient[0], expected, 1e-3 * std::fabs(expected) + 1e-3);
  } else {
    expect_all(layer.weight().gradient, dw);
  }
  if (bits.input_bits == 0) {
    expect_all(std::as_const(probe.gradient).values(), dx);
    return;
  }
  const Reference reference(probe.input.values(), s_x, range_x, dx);
  expect_all(std::as_const(probe.gradient).values(), reference.value_gradient);
  const double expected = reference.step_gradient * step_gradient_scale(g.input().size(), range_x);
  EXPECT_NEAR(parameters[next]->gradient[0], expected, 1e-3 * std::fabs(expected) + 1e-3);

  // A first layer has no input gradient and takes another way to the same step gradient.
  const float with_input = parameters[next]->gradient[0];
  probe.pass.input_gradient = false;
  probe.backward();
  EXPECT_NEAR(parameters[next]->gradient[0], with_input, 1e-4 * std::fabs(with_input) + 1e-4);
}

INSTANTIATE_TEST_SUITE_P(
    Layers, QuantizedMatrix,
    testing::Values(QuantizedCase{"linear_4_4", linear_geometry(40, 7), {4, 4}},
                    QuantizedCase{"conv_4_4", convolution_geometry({8, 7, 3}, {3, 1, 1, 5}), {4, 4}},
                    QuantizedCase{"conv_2_1", convolution_geometry({8, 7, 3}, {3, 2, 0, 5}), {2, 1}},
                    QuantizedCase{"conv_8_8", convolution_geometry({6, 6, 2}, {5, 1, 2, 5}), {8, 8}},
                    QuantizedCase{"weights_only", linear_geometry(40, 7), {3, 0}},
                    QuantizedCase{"inputs_only", linear_geometry(40, 7), {0, 3}}),
    [](const auto& tested) { return tested.param.label; });

/// product = gain · ideal + offset, with the matching slope.
class GainHook : public ProductHook {
 public:
  GainHook(float gain, float offset) : gain_(gain), offset_(offset) {}
  void begin_batch(Network&, const BatchContext&) override {}
  void product(const MatrixLayer& layer, std::size_t, const BatchContext&, const Tensor& codes, Tensor& product,
               Tensor* slope) override {
    layer.ideal_product(codes, product);
    for (float& value : product.values()) value = gain_ * value + offset_;
    if (slope != nullptr) slope->fill(gain_);
  }

 private:
  float gain_, offset_;
};

TEST(ProductHook, GainReachesOutputAndEveryGradient) {
  const auto g = convolution_geometry({8, 7, 3}, {3, 1, 1, 5});
  MatrixLayer layer("m", 0, g, {4, 4});
  RandomStream stream(5, StreamPurpose::kTest);
  for (float& weight : layer.weight().value) weight = static_cast<float>(stream.normal());
  layer.update_codes();
  LayerProbe probe(layer, random_tensor(19, g.input(), 0.0, 1.0, 1), 2);
  probe.backward();
  const Tensor output = probe.output, gradient = probe.gradient;
  std::vector<std::vector<float>> gradients;
  for (const auto* parameter : layer.parameters()) gradients.push_back(parameter->gradient);

  GainHook hook(2.0f, 0.0f);
  probe.pass.hook = &hook;
  probe.backward();
  for (std::size_t i = 0; i < output.size(); ++i) ASSERT_EQ(probe.output.values()[i], 2.0f * output.values()[i]);
  for (std::size_t i = 0; i < gradient.size(); ++i) ASSERT_EQ(probe.gradient.values()[i], 2.0f * gradient.values()[i]);
  const auto parameters = layer.parameters();
  for (std::size_t p = 0; p < parameters.size(); ++p)
    for (std::size_t i = 0; i < gradients[p].size(); ++i)
      if (p == 1)  // the bias' gradient is the same, but summed in another order
        ASSERT_NEAR(parameters[p]->gradient[i], gradients[p][i], 1e-6 * std::fabs(gradients[p][i]) + 1e-5);
      else
        ASSERT_EQ(parameters[p]->gradient[i], 2.0f * gradients[p][i]) << parameters[p]->name;
}

TEST(ProductHook, StepGradientIsThatOfTheHardwareProduct) {
  // y = s_x s_w z + bias with z = ideal + 3: the offset adds 3 s_w Σ dy to ∂/∂s_x.
  const auto g = linear_geometry(20, 6);
  MatrixLayer layer("m", 0, g, {4, 4});
  RandomStream stream(5, StreamPurpose::kTest);
  for (float& weight : layer.weight().value) weight = static_cast<float>(stream.normal());
  layer.update_codes();
  LayerProbe probe(layer, random_tensor(19, g.input(), 0.0, 1.0, 1), 1);
  probe.backward();
  const double before = static_cast<double>(layer.parameters()[3]->gradient[0]);
  GainHook hook(1.0f, 3.0f);
  probe.pass.hook = &hook;
  probe.backward();
  double sum = 0.0;
  for (const float value : std::as_const(probe.weights).values()) sum += static_cast<double>(value);
  const double expected =
      3.0 * static_cast<double>(layer.weight_step()) * sum * step_gradient_scale(20, QuantizerRange::of_inputs(4));
  EXPECT_NEAR(static_cast<double>(layer.parameters()[3]->gradient[0]) - before, expected, 1e-4);
}

}  // namespace
}  // namespace errata::training
