#include "training/flatten.h"

#include <algorithm>

namespace errata::training {

void Flatten::forward(const Pass&, const Tensor& input, Tensor& output) {
  std::ranges::copy(input.values(), output.data());
}

void Flatten::backward(const Pass& pass, const Tensor&, const Tensor&, const Tensor& output_gradient,
                       Tensor& input_gradient) {
  if (pass.input_gradient) std::ranges::copy(output_gradient.values(), input_gradient.data());
}

}  // namespace errata::training
