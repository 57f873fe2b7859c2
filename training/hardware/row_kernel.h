#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include "training/hardware/short_normal.h"

namespace errata::training {

/// Zeros at first, aligned for every vector.
template <class T>
class AlignedValues {
 public:
  explicit AlignedValues(std::size_t count = 0)
      : values_(static_cast<T*>(::operator new[](count * sizeof(T), std::align_val_t{64}))) {
    std::fill_n(values_.get(), count, T{0});
  }
  T* data() { return values_.get(); }
  const T* data() const { return values_.get(); }

 private:
  struct Free {
    void operator()(T* pointer) const { ::operator delete[](pointer, std::align_val_t{64}); }
  };
  std::unique_ptr<T[], Free> values_;
};

/// Conversions of single-ended columns in 16-bit numbers, of whole rows of cells at a time: sums, error surfaces and
/// ADC of a chip. The numbers are ticks, a whole number of them to an ADC step, and
/// 0 is the middle of what the columns can reach.
///
/// Columns come in blocks of 32, reads in fours: read 4q + w is digit 4 (q mod quads) + w of its position.
struct RowPlan {
  static constexpr std::size_t kBlock = 32, kReads = 4, kCombinations = 16;
  static constexpr std::size_t kSurfaces = 4;  ///< μ, its rise to the next point, 8 σ_D and its rise

  std::size_t groups = 0, columns = 0, blocks = 0, digits = 1, quads = 1;
  int bits = 1;  ///< of a digit
  /// What the inputs of a group of rows bring to each column, [block][group][combination][column of the block].
  AlignedValues<std::int16_t> sums;
  std::size_t block_size() const { return groups * kCombinations * kBlock; }

  /// At every activity: [activity][surface][low byte, high byte][bins, in sixteens].
  AlignedValues<std::uint8_t> surfaces;
  std::size_t sixteens = 1;
  std::size_t surface_size() const { return kSurfaces * 2 * 16 * sixteens; }
  /// Bins of a number x + 2¹⁵: min(x − low, range) · 2^place_shift · place_scale / 2¹⁶ = bin · 2^bin_bits + the share.
  std::uint16_t low = 0, range = 0, place_scale = 0;
  int place_shift = 0, bin_bits = 10;

  /// Codes: ((x + 2¹⁵ − below) + above) · code_scale / 2^(16 + code_shift), at most highest_code, all from first_code
  /// on.
  std::uint16_t below = 0, above = 0, code_scale = 0, highest_code = 0;
  int code_shift = 0, first_code = 0;
};

/// Inputs of reads: where each group's sums begin, [position][digit][groups] in multiples of a combination's bytes, and
/// Σ x, [position][digit].
struct RowReads {
  const std::uint16_t* places = nullptr;
  const std::uint16_t* activity = nullptr;
  std::size_t positions = 0, first_position = 0;  ///< the first one's number in its image
};

/// Codes of a block of columns, shifted by their digits' place and added: sums[position][stride] at the block's first
/// column. The same bits for every instruction set and in row_block_reference().
void row_block(const RowPlan& plan, std::size_t block, const RowReads& reads, const ReadWords& words,
               const ReadWords& tails, std::uint16_t* sums, std::size_t stride);
void row_block_reference(const RowPlan& plan, std::size_t block, const RowReads& reads, const ReadWords& words,
                         const ReadWords& tails, std::uint16_t* sums, std::size_t stride);

}  // namespace errata::training
