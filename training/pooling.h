#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "training/layer.h"

namespace errata::training {

/// Square window of a pooling layer; incomplete windows at the border are left out.
struct PoolingOptions {
  std::size_t window = 2;
  std::size_t stride = 2;
};

/// What both poolings share.
class Pooling : public Layer {
 public:
  /// Throws Error (computation, E505) when the window is larger than the image.
  Pooling(ImageShape input, PoolingOptions options);
  ImageShape output_shape() const override { return output_; }

 protected:
  /// Offset of a window's tap from the window's first value.
  std::size_t tap_offset(std::size_t tap) const;
  std::size_t taps() const { return options_.window * options_.window; }
  /// Calls `visit(first input value, first output value)` for every window of one image.
  template <typename Visit>
  void for_each_window(const Visit& visit) const;

  ImageShape input_, output_;
  PoolingOptions options_;
};

/// Largest value of each window; the gradient goes to the first largest value.
class MaxPooling : public Pooling {
 public:
  using Pooling::Pooling;
  std::string_view name() const override { return "max_pooling"; }
  void begin_forward(const Pass& pass, const Tensor& input) override;
  void forward_shard(const Pass& pass, std::size_t shard, const Tensor& input, Tensor& output) override;
  void backward_shard(const Pass& pass, std::size_t shard, const Tensor& input, const Tensor& output,
                      const Tensor& output_gradient, Tensor& input_gradient) override;

 private:
  std::vector<std::uint32_t> winners_;  ///< per output: place of its channel 0 in the input image
};

/// Mean value of each window.
class AveragePooling : public Pooling {
 public:
  using Pooling::Pooling;
  std::string_view name() const override { return "average_pooling"; }
  void forward_shard(const Pass& pass, std::size_t shard, const Tensor& input, Tensor& output) override;
  void backward_shard(const Pass& pass, std::size_t shard, const Tensor& input, const Tensor& output,
                      const Tensor& output_gradient, Tensor& input_gradient) override;
};

}  // namespace errata::training
