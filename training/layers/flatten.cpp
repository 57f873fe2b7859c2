#include "training/layers/flatten.h"

#include <algorithm>

namespace errata::training {

void Flatten::forward_shard(const Pass&, std::size_t, std::span<const Tensor* const> inputs, Tensor& output) {
  if (output.data() != inputs[0]->data()) std::ranges::copy(inputs[0]->values(), output.data());
}

}  // namespace errata::training
