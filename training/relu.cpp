#include "training/relu.h"

#include "training/shards.h"

namespace errata::training {

void Relu::forward(const Pass& pass, const Tensor& input, Tensor& output) {
  for_each_shard(shard_count(input.images()), pass.threads, [&](std::size_t shard) {
    const auto x = shard_values(input, shard);
    const auto y = shard_values(output, shard);
    // NaN goes through, so that the trainer notices it.
    for (std::size_t i = 0; i < x.size(); ++i) y[i] = x[i] < 0.0f ? 0.0f : x[i];
  });
}

void Relu::backward(const Pass& pass, const Tensor&, const Tensor& output, const Tensor& output_gradient,
                    Tensor& input_gradient) {
  if (!pass.input_gradient) return;
  for_each_shard(shard_count(output.images()), pass.threads, [&](std::size_t shard) {
    const auto y = shard_values(output, shard);
    const auto dy = shard_values(output_gradient, shard);
    const auto dx = shard_values(input_gradient, shard);
    for (std::size_t i = 0; i < y.size(); ++i) dx[i] = y[i] > 0.0f ? dy[i] : 0.0f;
  });
}

}  // namespace errata::training
