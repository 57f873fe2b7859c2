#include "training/relu.h"

#include "training/shards.h"

namespace errata::training {

void Relu::forward_shard(const Pass&, std::size_t shard, const Tensor& input, Tensor& output) {
  const auto x = shard_values(input, shard);
  const auto y = shard_values(output, shard);
  // NaN goes through, so that the trainer notices it.
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = x[i] < 0.0f ? 0.0f : x[i];
}

void Relu::backward_shard(const Pass&, std::size_t shard, const Tensor&, const Tensor& output,
                          const Tensor& output_gradient, Tensor& input_gradient) {
  const auto y = shard_values(output, shard);
  const auto dy = shard_values(output_gradient, shard);
  const auto dx = shard_values(input_gradient, shard);
  for (std::size_t i = 0; i < y.size(); ++i) dx[i] = y[i] > 0.0f ? dy[i] : 0.0f;
}

}  // namespace errata::training
