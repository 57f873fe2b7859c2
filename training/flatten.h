#pragma once

#include <cstddef>
#include <string_view>

#include "training/layer.h"

namespace errata::training {

/// Image to feature vector, in the order (row, column, channel). A copy: NHWC is flat already.
class Flatten : public Layer {
 public:
  explicit Flatten(ImageShape input) : features_{1, 1, input.size()} {}

  std::string_view name() const override { return "flatten"; }
  ImageShape output_shape() const override { return features_; }
  void forward_shard(const Pass& pass, std::size_t shard, const Tensor& input, Tensor& output) override;
  void backward_shard(const Pass& pass, std::size_t shard, const Tensor& input, const Tensor& output,
                      const Tensor& output_gradient, Tensor& input_gradient) override;

 private:
  ImageShape features_;
};

}  // namespace errata::training
