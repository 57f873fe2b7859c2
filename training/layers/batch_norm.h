#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "training/layers/layer.h"

namespace errata::training {

/// Batch normalisation per channel (Ioffe and Szegedy 2015), with learned scale and shift.
///
/// Training uses the statistics of the whole batch and moves the running ones by kMomentum (variance
/// unbiased, as PyTorch does); evaluation uses the running ones. Statistics are summed in double, shard by
/// shard in order.
class BatchNorm : public Layer {
 public:
  static constexpr double kMomentum = 0.1;
  static constexpr double kEpsilon = 1e-5;

  BatchNorm(std::string name, ImageShape shape, double epsilon = kEpsilon);

  std::string_view name() const override { return name_; }
  ImageShape output_shape() const override { return shape_; }
  LayerTraits traits() const override { return {.backward_reads_input = true}; }
  bool joins_forward(const Pass& pass) const override { return pass.context.training; }
  bool joins_backward(const Pass&) const override { return true; }
  void begin_forward(const Pass& pass, Shards input) override;
  void forward_shard(const Pass& pass, std::size_t shard, std::span<const Tensor* const> inputs,
                     Tensor& output) override;
  void begin_backward(const Pass& pass, Shards input, Shards output_gradient) override;
  void backward_shard(const Pass& pass, std::size_t shard, const Tensor& input, const Tensor& output,
                      Tensor& output_gradient, Tensor& input_gradient) override;
  std::vector<Parameter*> parameters() override { return {&scale_, &shift_}; }
  std::vector<StateBuffer> buffers() override;

  double epsilon() const { return epsilon_; }
  const Parameter& scale() const { return scale_; }
  const Parameter& shift() const { return shift_; }
  const std::vector<float>& running_mean() const { return running_mean_; }
  const std::vector<float>& running_variance() const { return running_variance_; }

  /// What evaluation does to channel c: y = factor · x + offset.
  struct Affine {
    double factor = 1.0, offset = 0.0;
  };
  Affine affine(std::size_t channel) const;

 private:
  void take_batch_statistics(const Pass& pass, Shards input);

  std::string name_;
  ImageShape shape_;
  double epsilon_;
  Parameter scale_, shift_;
  std::vector<float> running_mean_, running_variance_;
  std::vector<double> mean_, inverse_deviation_;     ///< of the last batch
  std::vector<float> factor_, offset_;               ///< y = factor · x + offset
  std::vector<float> a_, b_, centre_, d_;            ///< dx = a · dy + b · (x − centre) + d
  std::vector<std::vector<double>> first_, second_;  ///< per shard and channel
};

}  // namespace errata::training
