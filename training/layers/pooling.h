#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "training/layers/layer.h"
#include "training/layers/window.h"

namespace errata::training {

/// What both poolings share.
class Pooling : public Layer {
 public:
  /// Throws Error (computation, E505) when the window does not fit the image.
  Pooling(ImageShape input, const Window& window);
  ImageShape output_shape() const override { return output_; }
  LayerTraits traits() const override { return {}; }

 protected:
  ImageShape input_, output_;
  WindowPlaces places_;
};

/// Largest value of each window; the gradient goes to the first largest value. Padding never wins.
class MaxPooling : public Pooling {
 public:
  using Pooling::Pooling;
  std::string_view name() const override { return "max_pooling"; }
  void begin_forward(const Pass& pass, Shards input) override;
  void forward_shard(const Pass& pass, std::size_t shard, std::span<const Tensor* const> inputs,
                     Tensor& output) override;
  void backward_shard(const Pass& pass, std::size_t shard, const Tensor& input, const Tensor& output,
                      Tensor& output_gradient, Tensor& input_gradient) override;

 private:
  std::vector<std::vector<std::uint32_t>> winners_;  ///< per shard and output: which of the window's places it was
};

/// Mean value of each window.
class AveragePooling : public Pooling {
 public:
  enum class Padding { kLeftOut, kCountsAsZero };
  AveragePooling(ImageShape input, const Window& window, Padding padding = Padding::kLeftOut);
  std::string_view name() const override { return "average_pooling"; }
  void forward_shard(const Pass& pass, std::size_t shard, std::span<const Tensor* const> inputs,
                     Tensor& output) override;
  void backward_shard(const Pass& pass, std::size_t shard, const Tensor& input, const Tensor& output,
                      Tensor& output_gradient, Tensor& input_gradient) override;

 private:
  std::vector<float> shares_;  ///< per window: 1 / number of taps
};

}  // namespace errata::training
