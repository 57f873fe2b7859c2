#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "behavioral/line/packed_inputs.h"

namespace errata::behavioral {

/// Numbers that the active rows of an input add up, several terms at once, in fp32 in the order of levels and rows.
class RowSums {
 public:
  RowSums() = default;
  /// `added` is [input levels − 1][rows][terms]; terms ≥ 1.
  RowSums(std::vector<float> added, std::size_t terms);

  std::size_t terms() const { return terms_; }
  /// sums [terms][inputs.lanes()] += what the active rows of each input of the block add; those of lanes that are not
  /// filled are of no use.
  void add(const PackedInputs& inputs, std::size_t block, std::span<float> sums) const;

  /// What a block's kernel needs.
  struct Rows {
    const float* masks;  ///< [count][lanes]
    const float* added;  ///< [count][terms]
    std::size_t count, terms, lanes;
  };

 private:
  std::vector<float> added_;
  std::size_t terms_ = 1;
};

}  // namespace errata::behavioral
