#pragma once

#include <cstddef>
#include <string_view>

#include "training/layer.h"

namespace errata::training {

/// max(x, 0); the gradient at 0 is 0.
class Relu : public Layer {
 public:
  explicit Relu(ImageShape shape) : shape_(shape) {}

  std::string_view name() const override { return "relu"; }
  ImageShape output_shape() const override { return shape_; }
  void forward_shard(const Pass& pass, std::size_t shard, const Tensor& input, Tensor& output) override;
  void backward_shard(const Pass& pass, std::size_t shard, const Tensor& input, const Tensor& output,
                      const Tensor& output_gradient, Tensor& input_gradient) override;

 private:
  ImageShape shape_;
};

}  // namespace errata::training
