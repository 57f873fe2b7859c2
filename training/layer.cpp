#include "training/layer.h"

#include "training/shards.h"

namespace errata::training {

void Layer::forward(const Pass& pass, const Tensor& input, Tensor& output) {
  begin_forward(pass, input);
  for_each_shard(shard_count(input.images()), pass.threads,
                 [&](std::size_t shard) { forward_shard(pass, shard, input, output); });
}

void Layer::backward(const Pass& pass, const Tensor& input, const Tensor& output, const Tensor& output_gradient,
                     Tensor& input_gradient) {
  const std::size_t shards = shard_count(input.images());
  begin_backward(pass, input, output_gradient);
  for_each_shard(shards, pass.threads, [&](std::size_t shard) {
    backward_shard(pass, shard, input, output, output_gradient, input_gradient);
  });
  end_backward(shards);
}

}  // namespace errata::training
