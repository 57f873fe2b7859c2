#include "training/flatten.h"

#include <algorithm>

#include "training/shards.h"

namespace errata::training {

void Flatten::forward_shard(const Pass&, std::size_t shard, const Tensor& input, Tensor& output) {
  std::ranges::copy(shard_values(input, shard), shard_values(output, shard).begin());
}

void Flatten::backward_shard(const Pass&, std::size_t shard, const Tensor&, const Tensor&,
                             const Tensor& output_gradient, Tensor& input_gradient) {
  std::ranges::copy(shard_values(output_gradient, shard), shard_values(input_gradient, shard).begin());
}

}  // namespace errata::training
