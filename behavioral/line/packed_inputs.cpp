#include "behavioral/line/packed_inputs.h"

#include <algorithm>

namespace errata::behavioral {

PackedInputs::PackedInputs(std::span<const std::uint8_t> inputs, std::size_t stride, std::size_t rows,
                           std::size_t levels)
    : count_(stride == 0 ? 0 : inputs.size() / stride),
      rows_(rows),
      levels_(levels),
      lanes_(count_ <= kFewLanes ? kFewLanes : kLanes) {
  masks_.assign(blocks() * (levels - 1) * rows * lanes_, 0.0f);
  levels_of_.resize(count_ * rows);
  for (std::size_t i = 0; i < count_; ++i)
    std::copy_n(inputs.begin() + static_cast<std::ptrdiff_t>(i * stride), rows,
                levels_of_.begin() + static_cast<std::ptrdiff_t>(i * rows));
  for (std::size_t block = 0; block < blocks(); ++block) {
    float* masks = masks_.data() + block * (levels - 1) * rows * lanes_;
    for (std::size_t lane = 0; lane < lanes_; ++lane) {
      const std::uint8_t* x = vector(std::min(block * lanes_ + lane, count_ - 1));
      for (std::size_t j = 0; j < rows; ++j)
        if (x[j] > 0) masks[((x[j] - 1) * rows + j) * lanes_ + lane] = 1.0f;
    }
  }
}

std::size_t PackedInputs::filled(std::size_t block) const { return std::min(lanes_, count_ - block * lanes_); }

}  // namespace errata::behavioral
