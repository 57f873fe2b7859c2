#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "training/layers/layer.h"

namespace errata::training {

/// In training zeroes each value with `probability` and scales the others by 1/(1 − probability).
///
/// The mask of an image is a function of (seed, place of the image in the epoch, epoch, layer index).
class Dropout : public Layer {
 public:
  /// 0 ≤ probability < 1; `index` counts the network's dropout layers.
  Dropout(ImageShape shape, double probability, std::size_t index)
      : shape_(shape), probability_(probability), index_(index) {}

  std::string_view name() const override { return "dropout"; }
  ImageShape output_shape() const override { return shape_; }
  LayerTraits traits() const override { return {.in_place = true}; }
  void begin_forward(const Pass& pass, Shards input) override;
  void forward_shard(const Pass& pass, std::size_t shard, std::span<const Tensor* const> inputs,
                     Tensor& output) override;
  void backward_shard(const Pass& pass, std::size_t shard, const Tensor& input, const Tensor& output,
                      Tensor& output_gradient, Tensor& input_gradient) override;

 private:
  ImageShape shape_;
  double probability_;
  std::size_t index_;
  std::vector<Tensor> masks_;  ///< per shard
};

}  // namespace errata::training
