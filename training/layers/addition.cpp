#include "training/layers/addition.h"

#include "training/layers/sums.h"

namespace errata::training {

void Addition::forward_shard(const Pass&, std::size_t, std::span<const Tensor* const> inputs, Tensor& output) {
  add(inputs[0]->values(), inputs[1]->values(), output.values());
  for (const Tensor* more : inputs.subspan(2)) add(output.values(), more->values(), output.values());
}

}  // namespace errata::training
