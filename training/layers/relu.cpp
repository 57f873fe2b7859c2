#include "training/layers/relu.h"

#include "training/layers/sums.h"

namespace errata::training {

void Relu::forward_shard(const Pass&, std::size_t, std::span<const Tensor* const> inputs, Tensor& output) {
  clamp_from_zero(inputs[0]->values(), ceiling_, output.values());
}

void Relu::backward_shard(const Pass&, std::size_t, const Tensor&, const Tensor& output, Tensor& output_gradient,
                          Tensor& input_gradient) {
  pass_between(output.values(), ceiling_, output_gradient.values(), input_gradient.values());
}

}  // namespace errata::training
