#pragma once

#include <cstddef>
#include <span>

#include "behavioral/line/packed_inputs.h"

namespace errata::behavioral {

/// RowSums in fp64: sums [terms][PackedInputs::kFewLanes] += what the active rows of the inputs
/// first … first + kFewLanes − 1 add; `added` is [input levels − 1][rows][terms], `first` a multiple of kFewLanes.
void add_rows_exactly(const PackedInputs& inputs, std::size_t first, std::span<const double> added, std::size_t terms,
                      std::span<double> sums);

/// What the kernel needs.
struct ExactRows {
  const float* masks;   ///< [count][lanes], of the first lane
  const double* added;  ///< [count][terms]
  std::size_t count, terms, lanes;
};

}  // namespace errata::behavioral
