#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "training/layers/layer.h"

namespace errata::training {

/// Sum of two or more inputs of one shape: where the branches of a residual block meet.
class Addition : public Layer {
 public:
  explicit Addition(ImageShape shape) : shape_(shape) {}

  std::string_view name() const override { return "addition"; }
  ImageShape output_shape() const override { return shape_; }
  LayerTraits traits() const override { return {.in_place = true, .passes_gradient = true}; }
  void forward_shard(const Pass& pass, std::size_t shard, std::span<const Tensor* const> inputs,
                     Tensor& output) override;

 private:
  ImageShape shape_;
};

}  // namespace errata::training
