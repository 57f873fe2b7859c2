#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "training/layer.h"

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

  BatchNorm(std::string name, ImageShape shape);

  std::string_view name() const override { return name_; }
  ImageShape output_shape() const override { return shape_; }
  bool joins_shards(const Pass& pass) const override { return pass.context.training; }
  void begin_forward(const Pass& pass, const Tensor& input) override;
  void forward_shard(const Pass& pass, std::size_t shard, const Tensor& input, Tensor& output) override;
  void begin_backward(const Pass& pass, const Tensor& input, const Tensor& output_gradient) override;
  void backward_shard(const Pass& pass, std::size_t shard, const Tensor& input, const Tensor& output,
                      const Tensor& output_gradient, Tensor& input_gradient) override;
  std::vector<Parameter*> parameters() override { return {&scale_, &shift_}; }
  std::vector<StateBuffer> buffers() override;

 private:
  void take_batch_statistics(const Pass& pass, const Tensor& input);

  std::string name_;
  ImageShape shape_;
  Parameter scale_, shift_;
  std::vector<float> running_mean_, running_variance_;
  std::vector<double> mean_, inverse_deviation_;     ///< of the last batch
  std::vector<float> factor_, offset_;               ///< y = factor · x + offset
  std::vector<float> a_, b_, centre_, d_;            ///< dx = a · dy + b · (x − centre) + d
  std::vector<std::vector<double>> first_, second_;  ///< per shard and channel
};

}  // namespace errata::training
