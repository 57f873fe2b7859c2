#pragma once

#include "behavioral/line.h"

namespace errata::testing {

/// The sums of a read, by hand: over its active rows.
inline behavioral::NoiseSums noise_sums(const behavioral::Line& line, const std::uint8_t* inputs) {
  behavioral::NoiseSums sums{};
  for (std::size_t j = 0; j < line.rows(); ++j) {
    if (inputs[j] == 0) continue;
    const auto row = line.row_noise(j, inputs[j]);
    for (std::size_t k = 0; k < sums.size(); ++k) sums[k] += row[k];
  }
  return sums;
}

}  // namespace errata::testing
