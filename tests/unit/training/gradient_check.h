#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/random_stream.h"
#include "training/layers/layer.h"

namespace errata::training {

inline Tensor random_tensor(std::size_t images, ImageShape shape, double low, double high, std::uint64_t salt) {
  Tensor tensor(images, shape);
  RandomStream stream(7, StreamPurpose::kTest, salt);
  for (float& value : tensor.values()) value = static_cast<float>(low + (high - low) * stream.uniform());
  return tensor;
}

/// A layer under test with a fixed scalar loss Σ weights · output, in double.
struct LayerProbe {
  LayerProbe(Layer& tested, Tensor in, int threads) : layer(tested), team(threads), input(std::move(in)) {
    pass.context.training = true;
    pass.context.seed = 11;
    pass.team = &team;
    output.resize(input.images(), layer.output_shape());
    weights = random_tensor(input.images(), layer.output_shape(), -1.0, 1.0, 99);
    gradient.resize(input.images(), input.shape());
  }

  double loss() {
    layer.forward(pass, input, output);
    double sum = 0.0;
    for (std::size_t i = 0; i < output.size(); ++i)
      sum += static_cast<double>(output.values()[i]) * static_cast<double>(weights.values()[i]);
    return sum;
  }

  void backward() {
    loss();
    layer.backward(pass, input, output, weights, gradient);
  }

  Layer& layer;
  ShardTeam team;
  Pass pass;
  Tensor input, output, weights, gradient;
};

/// Central difference of `loss` in `value`.
inline double difference(float& value, double step, const std::function<double()>& loss) {
  const float kept = value;
  value = static_cast<float>(static_cast<double>(kept) + step);
  const double up = static_cast<double>(value);
  const double above = loss();
  value = static_cast<float>(static_cast<double>(kept) - step);
  const double down = static_cast<double>(value);
  const double below = loss();
  value = kept;
  return (above - below) / (up - down);
}

/// Compares analytic gradients with central differences, every `stride`-th value.
///
/// `tolerance` is relative to the largest gradient: outputs are fp32 (relative error 6e-8 per value, summed
/// over the outputs that one value reaches) and the difference divides their error by 2 · step.
inline void expect_gradient(std::span<float> values, std::span<const float> gradient, double step, double tolerance,
                            std::size_t stride, const std::function<double()>& loss) {
  double largest = 0.0;
  for (const float g : gradient) largest = std::max(largest, std::fabs(static_cast<double>(g)));
  ASSERT_GT(largest, 0.0);
  for (std::size_t i = 0; i < values.size(); i += stride)
    EXPECT_NEAR(difference(values[i], step, loss), static_cast<double>(gradient[i]), tolerance * largest) << i;
}

}  // namespace errata::training
