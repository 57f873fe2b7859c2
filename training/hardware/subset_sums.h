#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "training/layers/tensor.h"

namespace errata::training {

/// A matrix that multiplies vectors of small input levels. For every few rows the sums for every combination of their
/// inputs are tabulated, so that a product is loads and additions: a quarter of the work of multiplying one-bit inputs,
/// and a level may bring any weight, not only its multiple.
class SubsetSums {
 public:
  static constexpr std::size_t kBlockColumns = 16;
  /// Largest number of input bits: beyond it the tables outgrow the caches.
  static constexpr int kMostBits = 4;

  /// `weight` [2^bits − 1][rows][columns]: what a row adds at each input level but 0.
  SubsetSums(std::span<const float> weight, std::size_t rows, std::size_t columns, int bits);

  /// Where each group's sums begin for these inputs [reads][rows], for multiply(): [reads][groups].
  std::vector<std::uint32_t> places(std::span<const float> inputs) const;
  /// out[reads][columns] from places(). Sums run from the first rows to the last: the same bits for every vector width.
  void multiply(std::span<const std::uint32_t> places, std::span<float> out) const;

  std::size_t groups() const { return groups_; }
  std::size_t columns() const { return columns_; }
  /// [blocks of columns][groups][combinations][kBlockColumns].
  std::span<const float> table() const { return table_.values(); }
  std::size_t block_size() const { return groups_ * combinations_ * kBlockColumns; }

 private:
  std::size_t rows_, columns_, rows_per_group_, groups_, combinations_;
  int bits_;
  Tensor table_;  // aligned: no load crosses a cache line
};

}  // namespace errata::training
