#include "training/layers/layer.h"

#include <algorithm>

#include "training/shards.h"

namespace errata::training {

std::vector<Tensor> shards_of(Tensor& batch) {
  std::vector<Tensor> shards;
  for (std::size_t shard = 0; shard < shard_count(batch.images()); ++shard)
    shards.push_back(batch.part(shard_begin(shard), shard_size(batch.images(), shard)));
  return shards;
}

void Layer::forward(const Pass& pass, Tensor& input, Tensor& output) {
  Pass whole = pass;
  whole.images = input.images();
  auto inputs = shards_of(input), outputs = shards_of(output);
  begin_forward(whole, inputs);
  pass.team->for_each(inputs.size(), [&](std::size_t shard) {
    const Tensor* only = &inputs[shard];
    forward_shard(whole, shard, {&only, 1}, outputs[shard]);
  });
}

void Layer::backward(const Pass& pass, Tensor& input, Tensor& output, Tensor& output_gradient, Tensor& input_gradient) {
  Pass whole = pass;
  whole.images = input.images();
  auto inputs = shards_of(input), outputs = shards_of(output), output_gradients = shards_of(output_gradient),
       input_gradients = shards_of(input_gradient);
  begin_backward(whole, inputs, output_gradients);
  pass.team->for_each(inputs.size(), [&](std::size_t shard) {
    if (traits().passes_gradient)
      std::ranges::copy(output_gradients[shard].values(), input_gradients[shard].data());
    else
      backward_shard(whole, shard, inputs[shard], outputs[shard], output_gradients[shard], input_gradients[shard]);
  });
  end_backward(whole);
}

}  // namespace errata::training
