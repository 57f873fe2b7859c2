#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "tests/unit/training/gradient_check.h"
#include "training/layers/batch_norm.h"
#include "training/layers/depthwise_layer.h"
#include "training/layers/dropout.h"
#include "training/layers/flatten.h"
#include "training/layers/matrix_layer.h"
#include "training/layers/pooling.h"
#include "training/layers/relu.h"
#include "training/optimization/loss.h"

namespace errata::training {
namespace {

// Two full shards and a short one.
constexpr std::size_t kImages = 35;

// Values at least 0.02 apart, so that a step of 0.005 changes no maximum and no sign.
Tensor distinct_values(std::size_t images, ImageShape shape) {
  Tensor tensor(images, shape);
  std::vector<std::uint32_t> order(shape.size());
  for (std::size_t i = 0; i < images; ++i) {
    for (std::size_t k = 0; k < order.size(); ++k) order[k] = static_cast<std::uint32_t>(k);
    RandomStream(3, StreamPurpose::kTest, i).shuffle(order);
    for (std::size_t k = 0; k < order.size(); ++k)
      tensor.image(i)[k] = 0.02f * (static_cast<float>(order[k]) - 0.5f * static_cast<float>(order.size()) + 0.5f);
  }
  return tensor;
}

struct MatrixCase {
  const char* label;
  MatrixGeometry geometry;
};

class MatrixGradient : public testing::TestWithParam<MatrixCase> {};

TEST_P(MatrixGradient, MatchesFiniteDifferences) {
  const auto& geometry = GetParam().geometry;
  MatrixLayer layer("m", 0, geometry, {});
  RandomStream stream(5, StreamPurpose::kTest);
  for (float& weight : layer.weight().value) weight = static_cast<float>(stream.uniform() - 0.5);
  for (float& bias : layer.bias().value) bias = static_cast<float>(stream.uniform() - 0.5);
  LayerProbe probe(layer, random_tensor(kImages, geometry.input(), -1.0, 1.0, 1), 2);
  const auto loss = [&] {
    layer.update_codes();
    return probe.loss();
  };
  loss();
  probe.backward();
  // The layer is linear in each value: no truncation error, so a large step keeps rounding below 1e-5 of it.
  expect_gradient(probe.input.values(), std::as_const(probe.gradient).values(), 0.5, 2e-5, 37, loss);
  expect_gradient(layer.weight().value, layer.weight().gradient, 0.5, 2e-5, 5 + layer.weight().value.size() / 100,
                  loss);
  expect_gradient(layer.bias().value, layer.bias().gradient, 0.5, 2e-5, 1, loss);
}

INSTANTIATE_TEST_SUITE_P(
    Geometries, MatrixGradient,
    testing::Values(MatrixCase{"linear", linear_geometry(13, 7)},
                    MatrixCase{"grey", convolution_geometry({8, 8, 1}, {5, 1, 2, 6})},
                    MatrixCase{"odd_stride", convolution_geometry({8, 7, 3}, {3, 2, 1, 5})},
                    MatrixCase{"stride_leaves_rest", convolution_geometry({6, 6, 2}, {3, 2, 0, 4})},
                    MatrixCase{"stride_over_kernel", convolution_geometry({7, 7, 2}, {1, 3, 0, 4})},
                    MatrixCase{"pointwise", convolution_geometry({5, 6, 9}, {1, 1, 0, 10})},
                    MatrixCase{"pointwise_stride", convolution_geometry({5, 6, 8}, {1, 2, 0, 16})},
                    MatrixCase{"uneven", convolution_geometry({7, 6, 3}, Window{3, 2, 2, 1, 1, 0, 2, 1}, 5)},
                    MatrixCase{"wide_linear", linear_geometry(700, 130)},
                    MatrixCase{"whole_image", convolution_geometry({4, 4, 16}, {4, 1, 0, 17})}),
    [](const auto& tested) { return tested.param.label; });

TEST(LayerGradient, MatrixProductMatchesNaiveLoops) {
  const auto g = convolution_geometry({7, 6, 3}, {3, 2, 1, 5});
  MatrixLayer layer("m", 0, g, {});
  RandomStream stream(6, StreamPurpose::kTest);
  for (float& weight : layer.weight().value) weight = static_cast<float>(stream.uniform() - 0.5);
  layer.update_codes();
  LayerProbe probe(layer, random_tensor(19, g.input(), -1.0, 1.0, 2), 1);
  probe.loss();
  std::vector<float> patch(g.rows());
  for (std::size_t position = 0; position < 19 * g.positions(); ++position) {
    im2col_rows(g, probe.input, position, 1, 0, g.rows(), patch.data());
    for (std::size_t c = 0; c < g.out_c; ++c) {
      double sum = 0.0;
      for (std::size_t r = 0; r < g.rows(); ++r)
        sum += static_cast<double>(patch[r]) * static_cast<double>(layer.weight().value[r * g.out_c + c]);
      // 27 terms below 1 in fp32.
      EXPECT_NEAR(probe.output.values()[position * g.out_c + c], sum, 1e-5);
    }
  }
}

TEST(LayerGradient, MaxPoolingMatchesFiniteDifferences) {
  for (const Window& window : {Window::square(2, 2), Window::square(3, 2), Window::square(3, 2, 1)}) {
    MaxPooling layer({7, 7, 3}, window);
    LayerProbe probe(layer, distinct_values(kImages, {7, 7, 3}), 2);
    probe.backward();
    // Piecewise linear; fp32 rounding of values near 1 over a step of 0.005.
    expect_gradient(probe.input.values(), std::as_const(probe.gradient).values(), 0.005, 1e-4, 11,
                    [&] { return probe.loss(); });
  }
}

TEST(LayerGradient, AveragePoolingMatchesFiniteDifferences) {
  using Padding = AveragePooling::Padding;
  for (const auto& [window, padding] : {std::pair{Window::square(2, 2), Padding::kLeftOut},
                                        {Window::square(3, 2, 1), Padding::kLeftOut},
                                        {Window{3, 2, 2, 2, 1, 1, 0, 0}, Padding::kCountsAsZero},
                                        {Window{6, 5}, Padding::kLeftOut}}) {
    AveragePooling layer({6, 5, 3}, window, padding);
    LayerProbe probe(layer, random_tensor(kImages, {6, 5, 3}, -1.0, 1.0, 3), 2);
    probe.backward();
    expect_gradient(probe.input.values(), std::as_const(probe.gradient).values(), 0.5, 1e-5, 7,
                    [&] { return probe.loss(); });
  }
}

TEST(LayerGradient, AveragePoolingCountsPaddingWhenAsked) {
  Tensor image(1, {2, 2, 1}), output(1, {2, 2, 1});
  image.fill(4.0f);
  ShardTeam team(1);
  Pass pass{.team = &team};
  AveragePooling left_out({2, 2, 1}, Window::square(2, 1, 1));
  EXPECT_EQ(left_out.output_shape(), (ImageShape{3, 3, 1}));
  output.resize(1, {3, 3, 1});
  left_out.forward(pass, image, output);
  EXPECT_EQ(output.data()[0], 4.0f);
  AveragePooling counted({2, 2, 1}, Window::square(2, 1, 1), AveragePooling::Padding::kCountsAsZero);
  counted.forward(pass, image, output);
  EXPECT_EQ(output.data()[0], 1.0f);
  EXPECT_EQ(output.data()[1], 2.0f);
  EXPECT_EQ(output.data()[4], 4.0f);
}

TEST(LayerGradient, DepthwiseConvolutionMatchesFiniteDifferences) {
  for (const Window& window : {Window::square(3, 1, 1), Window::square(3, 2, 1), Window{2, 3, 1, 2, 0, 1, 1, 1}}) {
    DepthwiseLayer layer("d", {6, 7, 5}, window);
    RandomStream stream(5, StreamPurpose::kTest);
    for (float& weight : layer.weight().value) weight = static_cast<float>(stream.uniform() - 0.5);
    for (float& bias : layer.bias().value) bias = static_cast<float>(stream.uniform() - 0.5);
    LayerProbe probe(layer, random_tensor(kImages, {6, 7, 5}, -1.0, 1.0, 1), 2);
    probe.backward();
    const auto loss = [&] { return probe.loss(); };
    // Linear in each value, as the matrix layers.
    expect_gradient(probe.input.values(), std::as_const(probe.gradient).values(), 0.5, 2e-5, 37, loss);
    expect_gradient(layer.weight().value, layer.weight().gradient, 0.5, 2e-5, 2, loss);
    expect_gradient(layer.bias().value, layer.bias().gradient, 0.5, 2e-5, 1, loss);
  }
}

TEST(LayerGradient, DepthwiseConvolutionEqualsOneConvolutionPerChannel) {
  const Window window{3, 2, 2, 1, 1, 0, 2, 1};
  DepthwiseLayer layer("d", {7, 6, 3}, window);
  RandomStream stream(5, StreamPurpose::kTest);
  for (float& weight : layer.weight().value) weight = static_cast<float>(stream.uniform() - 0.5);
  Tensor images = random_tensor(19, {7, 6, 3}, -1.0, 1.0, 1);
  ShardTeam team(1);
  Pass pass{.team = &team};
  Tensor output(19, layer.output_shape()), one(19, {7, 6, 1}), expected;
  layer.forward(pass, images, output);
  for (std::size_t c = 0; c < 3; ++c) {
    const auto g = convolution_geometry({7, 6, 1}, window, 1);
    MatrixLayer matrix("m", 0, g, {});
    for (std::size_t tap = 0; tap < 6; ++tap) matrix.weight().value[tap] = layer.weight().value[tap * 3 + c];
    matrix.update_codes();
    for (std::size_t k = 0; k < one.size(); ++k) one.data()[k] = images.data()[k * 3 + c];
    expected.resize(19, g.output());
    matrix.forward(pass, one, expected);
    // Six products below 1/2 in fp32, summed in another order.
    for (std::size_t k = 0; k < expected.size(); ++k) ASSERT_NEAR(output.data()[k * 3 + c], expected.data()[k], 1e-6);
  }
}

TEST(LayerGradient, ReluMatchesFiniteDifferences) {
  for (const float ceiling : {std::numeric_limits<float>::infinity(), 0.3f}) {
    Relu layer({4, 4, 3}, ceiling);
    LayerProbe probe(layer, distinct_values(kImages, {4, 4, 3}), 2);
    probe.backward();
    EXPECT_LE(*std::ranges::max_element(probe.output.values()), ceiling);
    expect_gradient(probe.input.values(), std::as_const(probe.gradient).values(), 0.005, 1e-4, 7,
                    [&] { return probe.loss(); });
  }
}

TEST(LayerGradient, NotANumberGoesThroughReluAndPooling) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  ShardTeam team(1);
  Pass pass{.team = &team};
  for (std::size_t place = 0; place < 4; ++place) {
    Tensor image(1, {2, 2, 9}), pooled(1, {1, 1, 9}), output(1, {2, 2, 9});
    image.fill(1.0f);
    image.data()[place * 9 + 3] = nan;
    MaxPooling pooling({2, 2, 9}, Window::square(2, 2));
    pooling.forward(pass, image, pooled);
    EXPECT_TRUE(std::isnan(pooled.data()[3])) << place;
    EXPECT_EQ(pooled.data()[2], 1.0f);
    Relu relu({2, 2, 9}, 6.0f);
    relu.forward(pass, image, output);
    EXPECT_TRUE(std::isnan(output.data()[place * 9 + 3]));
  }
}

TEST(LayerGradient, DropoutMatchesFiniteDifferencesAndKeepsTheMean) {
  Dropout layer({1, 1, 400}, 0.3, 0);
  Tensor ones(kImages, {1, 1, 400});
  ones.fill(1.0f);
  LayerProbe probe(layer, ones, 2);
  probe.backward();
  expect_gradient(probe.input.values(), std::as_const(probe.gradient).values(), 0.5, 1e-5, 101,
                  [&] { return probe.loss(); });
  double mean = 0.0;
  for (const float value : std::as_const(probe.output).values()) mean += static_cast<double>(value) / (400.0 * kImages);
  // σ of the mean is √(0.3/0.7/14000) = 0.0055; 5 σ: false alarms below 1e-6.
  EXPECT_NEAR(mean, 1.0, 0.028);
  probe.pass.context.training = false;
  probe.loss();
  EXPECT_TRUE(std::ranges::all_of(probe.output.values(), [](float value) { return value == 1.0f; }));
}

TEST(LayerGradient, FlattenKeepsValuesAndGradient) {
  Flatten layer({2, 3, 4});
  LayerProbe probe(layer, random_tensor(kImages, {2, 3, 4}, -1.0, 1.0, 4), 1);
  probe.backward();
  EXPECT_TRUE(std::ranges::equal(probe.input.values(), probe.output.values()));
  EXPECT_TRUE(std::ranges::equal(probe.weights.values(), probe.gradient.values()));
}

TEST(LayerGradient, BatchNormMatchesFiniteDifferences) {
  BatchNorm layer("bn", {3, 2, 4});
  auto parameters = layer.parameters();
  for (std::size_t c = 0; c < 4; ++c) parameters[0]->value[c] = 0.5f + 0.3f * static_cast<float>(c);
  LayerProbe probe(layer, random_tensor(kImages, {3, 2, 4}, -1.0, 2.0, 5), 2);
  probe.backward();
  const auto loss = [&] { return probe.loss(); };
  // 210 outputs of size 1 follow each input: 210 · 6e-8 / 0.1 of rounding; truncation is third order in
  // step/210.
  expect_gradient(probe.input.values(), std::as_const(probe.gradient).values(), 0.05, 2e-3, 13, loss);
  const std::vector<float> scale_gradient = parameters[0]->gradient, shift_gradient = parameters[1]->gradient;
  expect_gradient(parameters[0]->value, scale_gradient, 0.2, 1e-4, 1, loss);
  expect_gradient(parameters[1]->value, shift_gradient, 0.2, 1e-4, 1, loss);
}

TEST(LayerGradient, BatchNormNormalisesAndKeepsRunningStatistics) {
  BatchNorm layer("bn", {2, 2, 1});
  LayerProbe probe(layer, random_tensor(kImages, {2, 2, 1}, 3.0, 5.0, 6), 2);
  probe.loss();
  double sum = 0.0, squares = 0.0, raw = 0.0, raw_squares = 0.0;
  const double n = kImages * 4;
  for (std::size_t i = 0; i < probe.output.size(); ++i) {
    const auto y = static_cast<double>(probe.output.values()[i]), x = static_cast<double>(probe.input.values()[i]);
    sum += y;
    squares += y * y;
    raw += x;
    raw_squares += x * x;
  }
  EXPECT_NEAR(sum / n, 0.0, 1e-5);
  EXPECT_NEAR(squares / n, 1.0, 1e-4);  // ε = 1e-5 against a variance of 1/3
  const double variance = (raw_squares - raw * raw / n) / (n - 1.0);
  const auto buffers = layer.buffers();
  EXPECT_NEAR((*buffers[0].values)[0], 0.1 * raw / n, 1e-6);
  EXPECT_NEAR((*buffers[1].values)[0], 0.9 + 0.1 * variance, 1e-6);
}

TEST(LayerGradient, CrossEntropyMatchesFiniteDifferences) {
  Tensor logits = random_tensor(5, {1, 1, 4}, -2.0, 2.0, 8);
  const std::vector<std::uint8_t> labels{0, 3, 2, 1, 3};
  for (const double smoothing : {0.0, 0.2}) {
    const LossOptions options{smoothing};
    Tensor gradient;
    cross_entropy_gradient(logits, labels, options, gradient);
    const auto loss = [&] { return cross_entropy(logits, labels, options).mean_loss(); };
    // Sums are in double; truncation of order step² = 1e-4.
    expect_gradient(logits.values(), std::as_const(gradient).values(), 0.01, 1e-4, 1, loss);
  }
}

TEST(LayerGradient, SmoothedCrossEntropyIsThatOfTheSmoothedTarget) {
  Tensor logits(1, {1, 1, 3});
  std::ranges::copy(std::vector<float>{1.0f, 2.0f, 0.5f}, logits.data());
  const double z = std::exp(1.0) + std::exp(2.0) + std::exp(0.5);
  // Target 0.1/3 + 0.9 on class 1: the definition.
  const double expected =
      -(0.1 / 3 * (1.0 - std::log(z)) + (0.1 / 3 + 0.9) * (2.0 - std::log(z)) + 0.1 / 3 * (0.5 - std::log(z)));
  EXPECT_NEAR(cross_entropy(logits, std::vector<std::uint8_t>{1}, {0.1}).loss, expected, 1e-12);
}

TEST(LayerGradient, CrossEntropyOfHugeLogitsStaysFinite) {
  Tensor logits(1, {1, 1, 3});
  std::ranges::copy(std::vector<float>{1e4f, -1e4f, 0.0f}, logits.data());
  const std::vector<std::uint8_t> right{0}, wrong{1}, foreign{3};
  EXPECT_DOUBLE_EQ(cross_entropy(logits, right).loss, 0.0);
  EXPECT_DOUBLE_EQ(cross_entropy(logits, wrong).loss, 2e4);
  EXPECT_EQ(cross_entropy(logits, right).correct, 1u);
  EXPECT_THROW(cross_entropy(logits, foreign), Error);
}

}  // namespace
}  // namespace errata::training
