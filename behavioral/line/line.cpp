#include "behavioral/line/line.h"

namespace errata::behavioral {

std::vector<double> Line::all_noise_variances(const PackedInputs& inputs) const {
  const std::size_t count = inputs.count();
  std::vector<double> all;
  for (std::size_t p = 0; p < count; ++p) {
    const auto one = noise_variances(inputs.vector(p));
    all.resize(one.size() * count);
    for (std::size_t s = 0; s < one.size(); ++s) all[s * count + p] = one[s];
  }
  return all;
}

}  // namespace errata::behavioral
