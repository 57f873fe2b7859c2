#pragma once

#include <cstddef>
#include <string_view>

#include "training/layers/layer.h"

namespace errata::training {

/// Image to feature vector, in the order (row, column, channel). NHWC is flat already: no work where memory is shared.
class Flatten : public Layer {
 public:
  explicit Flatten(ImageShape input) : features_{1, 1, input.size()} {}

  std::string_view name() const override { return "flatten"; }
  ImageShape output_shape() const override { return features_; }
  LayerTraits traits() const override { return {.in_place = true, .passes_gradient = true}; }
  void forward_shard(const Pass& pass, std::size_t shard, std::span<const Tensor* const> inputs,
                     Tensor& output) override;

 private:
  ImageShape features_;
};

}  // namespace errata::training
