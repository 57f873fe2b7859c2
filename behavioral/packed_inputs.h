#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace errata::behavioral {

/// Many input vectors laid out for lines that share them: blocks of kLanes vectors side by side, and for each row and
/// input level from 1 on a 1 where the row has that level. Made once, read by every line of a tile.
class PackedInputs {
 public:
  static constexpr std::size_t kLanes = 64;

  /// `inputs` is [count][stride] with levels 0 … levels − 1 in its first `rows` entries.
  PackedInputs(std::span<const std::uint8_t> inputs, std::size_t stride, std::size_t rows, std::size_t levels);

  std::size_t count() const { return count_; }
  std::size_t rows() const { return rows_; }
  std::size_t levels() const { return levels_; }
  std::size_t blocks() const { return (count_ + kLanes - 1) / kLanes; }
  /// Input vectors of a block that are there; lanes beyond repeat the last one.
  std::size_t filled(std::size_t block) const;
  /// Masks of a block, [levels − 1][rows][kLanes].
  const float* masks(std::size_t block) const { return masks_.data() + block * (levels_ - 1) * rows_ * kLanes; }
  /// Levels of one input vector, [rows].
  const std::uint8_t* vector(std::size_t index) const { return levels_of_.data() + index * rows_; }

 private:
  std::size_t count_, rows_, levels_;
  std::vector<float> masks_;
  std::vector<std::uint8_t> levels_of_;  ///< [count][rows]
};

}  // namespace errata::behavioral
