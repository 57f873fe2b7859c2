#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <vector>

namespace errata::behavioral {

/// Memory that begins at a cache line, so that no vector load crosses one.
template <class T>
struct CacheLineAllocator {
  using value_type = T;
  CacheLineAllocator() = default;
  template <class U>
  CacheLineAllocator(const CacheLineAllocator<U>&) {}
  T* allocate(std::size_t count) { return static_cast<T*>(::operator new(count * sizeof(T), kLine)); }
  void deallocate(T* data, std::size_t) { ::operator delete(data, kLine); }
  bool operator==(const CacheLineAllocator&) const = default;

 private:
  static constexpr std::align_val_t kLine{64};
};

/// Many input vectors laid out for lines that share them: blocks of vectors side by side, and for each row and input
/// level from 1 on a 1 where the row has that level. Made once, read by every line of a tile.
class PackedInputs {
 public:
  static constexpr std::size_t kLanes = 64;    ///< vectors of a block
  static constexpr std::size_t kFewLanes = 8;  ///< where all of them are so few

  /// `inputs` is [count][stride] with levels 0 … levels − 1 in its first `rows` entries.
  PackedInputs(std::span<const std::uint8_t> inputs, std::size_t stride, std::size_t rows, std::size_t levels);

  std::size_t count() const { return count_; }
  std::size_t rows() const { return rows_; }
  std::size_t levels() const { return levels_; }
  /// Width of the blocks: kLanes or kFewLanes.
  std::size_t lanes() const { return lanes_; }
  std::size_t blocks() const { return (count_ + lanes_ - 1) / lanes_; }
  /// Input vectors of a block that are there; lanes beyond repeat the last one.
  std::size_t filled(std::size_t block) const;
  /// Masks of a block, [levels − 1][rows][lanes()], from a cache line on.
  const float* masks(std::size_t block) const { return masks_.data() + block * (levels_ - 1) * rows_ * lanes_; }
  /// Levels of one input vector, [rows].
  const std::uint8_t* vector(std::size_t index) const { return levels_of_.data() + index * rows_; }

 private:
  std::size_t count_, rows_, levels_, lanes_;
  std::vector<float, CacheLineAllocator<float>> masks_;
  std::vector<std::uint8_t> levels_of_;  ///< [count][rows]
};

}  // namespace errata::behavioral
