#pragma once

#include <cstddef>
#include <limits>
#include <string_view>

#include "training/layers/layer.h"

namespace errata::training {

/// min(max(x, 0), ceiling), without ceiling by default; ReLU6 has 6. The gradient at 0 and from the ceiling on is 0.
class Relu : public Layer {
 public:
  explicit Relu(ImageShape shape, float ceiling = std::numeric_limits<float>::infinity())
      : shape_(shape), ceiling_(ceiling) {}

  std::string_view name() const override { return "relu"; }
  ImageShape output_shape() const override { return shape_; }
  LayerTraits traits() const override { return {.backward_reads_output = true, .in_place = true}; }
  void forward_shard(const Pass& pass, std::size_t shard, std::span<const Tensor* const> inputs,
                     Tensor& output) override;
  void backward_shard(const Pass& pass, std::size_t shard, const Tensor& input, const Tensor& output,
                      Tensor& output_gradient, Tensor& input_gradient) override;

 private:
  ImageShape shape_;
  float ceiling_;
};

}  // namespace errata::training
