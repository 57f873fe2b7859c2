#include "training/hardware/subset_sums.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "training/hardware/subset_sums.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file once for each instruction set.
#include <hwy/highway.h>

#include "training/hardware/reference_kernels.h"
#include "training/layers/vector_clones.h"

HWY_BEFORE_NAMESPACE();
namespace errata::training::HWY_NAMESPACE {
#if HWY_TARGET == HWY_SCALAR
void add_up(const SubsetSums& sums, std::size_t block, const std::uint32_t* places, std::size_t reads, float* out,
            std::size_t stride) {
  subset_sums_reference(sums, block, places, reads, out, stride);
}
#else
namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::CappedTag<float, SubsetSums::kBlockColumns>;
/// Vectors of a block of columns, and reads at a time: enough sums that do not wait for each other.
constexpr std::size_t kVectors = SubsetSums::kBlockColumns / hn::MaxLanes(Floats());
constexpr std::size_t kReads = kVectors >= 4 ? 2 : 8 / kVectors;

template <std::size_t Reads>
HWY_INLINE HWY_ATTR void add_up_reads(const float* HWY_RESTRICT table, std::size_t groups,
                                      const std::uint32_t* HWY_RESTRICT places, std::size_t stride,
                                      float* HWY_RESTRICT out) {
  const Floats f;
  constexpr std::size_t kLanes = hn::MaxLanes(Floats());
  hn::Vec<Floats> sum[Reads][kVectors];
  for (std::size_t r = 0; r < Reads; ++r)
    for (std::size_t v = 0; v < kVectors; ++v) sum[r][v] = hn::Load(f, table + places[r * groups] + v * kLanes);
  for (std::size_t g = 1; g < groups; ++g)
    for (std::size_t r = 0; r < Reads; ++r) {
      const float* HWY_RESTRICT from = table + places[r * groups + g];
      for (std::size_t v = 0; v < kVectors; ++v) sum[r][v] = hn::Add(sum[r][v], hn::Load(f, from + v * kLanes));
    }
  for (std::size_t r = 0; r < Reads; ++r)
    for (std::size_t v = 0; v < kVectors; ++v) hn::StoreU(sum[r][v], f, out + r * stride + v * kLanes);
}

/// A whole block of columns.
HWY_ATTR void add_up(const SubsetSums& sums, std::size_t block, const std::uint32_t* places, std::size_t reads,
                     float* out, std::size_t stride) {
  const float* table = sums.table().data() + block * sums.block_size();
  std::size_t r = 0;
  for (; r + kReads <= reads; r += kReads)
    add_up_reads<kReads>(table, sums.groups(), places + r * sums.groups(), stride, out + r * stride);
  for (; r < reads; ++r) add_up_reads<1>(table, sums.groups(), places + r * sums.groups(), stride, out + r * stride);
}
#endif
}  // namespace errata::training::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace errata::training {

HWY_EXPORT(add_up);

SubsetSums::SubsetSums(std::span<const float> weight, std::size_t rows, std::size_t columns, int bits)
    : rows_(rows),
      columns_(columns),
      rows_per_group_(static_cast<std::size_t>(kMostBits / bits)),
      groups_((rows + rows_per_group_ - 1) / rows_per_group_),
      combinations_(std::size_t{1} << (rows_per_group_ * static_cast<std::size_t>(bits))),
      bits_(bits) {
  const std::size_t blocks = (columns + kBlockColumns - 1) / kBlockColumns, levels = std::size_t{1} << bits;
  table_.resize(1, {1, 1, blocks * block_size()});
  table_.fill(0.0f);
  for (std::size_t b = 0; b < blocks; ++b)
    for (std::size_t g = 0; g < groups_; ++g) {
      float* sums = table_.data() + b * block_size() + g * combinations_ * kBlockColumns;
      const std::size_t count = std::min(kBlockColumns, columns - b * kBlockColumns);
      // Row k of the group stands at digit k of the combination: what is below it is there already.
      for (std::size_t k = 0, below = 1; k < rows_per_group_ && g * rows_per_group_ + k < rows; ++k, below *= levels)
        for (std::size_t x = 1; x < levels; ++x) {
          const float* row = weight.data() + ((x - 1) * rows + g * rows_per_group_ + k) * columns + b * kBlockColumns;
          for (std::size_t rest = 0; rest < below; ++rest)
            for (std::size_t c = 0; c < count; ++c)
              sums[(x * below + rest) * kBlockColumns + c] = sums[rest * kBlockColumns + c] + row[c];
        }
    }
}

namespace {

/// Combinations of whole groups of four one-bit inputs, by far the most frequent.
ERRATA_VECTOR_CLONES void combine_bits(const float* inputs, std::size_t groups, std::uint32_t* combination) {
  for (std::size_t g = 0; g < groups; ++g) {
    std::uint32_t sum = 0;
    for (std::size_t k = 0; k < 4; ++k)
      sum |= static_cast<std::uint32_t>(static_cast<std::int32_t>(inputs[4 * g + k])) << k;
    combination[g] = sum;
  }
}

}  // namespace

std::vector<std::uint32_t> SubsetSums::places(std::span<const float> inputs) const {
  const std::size_t reads = inputs.size() / rows_, whole = bits_ == 1 ? rows_ / rows_per_group_ : 0;
  std::vector<std::uint32_t> all(reads * groups_);
  for (std::size_t r = 0; r < reads; ++r) {
    const float* from = inputs.data() + r * rows_;
    std::uint32_t* to = all.data() + r * groups_;
    combine_bits(from, whole, to);
    for (std::size_t j = whole * rows_per_group_; j < rows_; ++j)
      to[j / rows_per_group_] |= static_cast<std::uint32_t>(from[j])
                                 << (j % rows_per_group_ * static_cast<std::size_t>(bits_));
    for (std::size_t g = 0; g < groups_; ++g)
      to[g] = static_cast<std::uint32_t>((g * combinations_ + to[g]) * kBlockColumns);
  }
  return all;
}

void SubsetSums::multiply(std::span<const std::uint32_t> places, std::span<float> out) const {
  const std::size_t reads = places.size() / groups_, whole = columns_ / kBlockColumns, rest = columns_ % kBlockColumns;
  for (std::size_t b = 0; b < whole; ++b)
    HWY_DYNAMIC_DISPATCH(add_up)(*this, b, places.data(), reads, out.data() + b * kBlockColumns, columns_);
  if (rest == 0) return;
  std::vector<float> last(reads * kBlockColumns);
  HWY_DYNAMIC_DISPATCH(add_up)(*this, whole, places.data(), reads, last.data(), kBlockColumns);
  for (std::size_t r = 0; r < reads; ++r)
    for (std::size_t c = 0; c < rest; ++c) out[r * columns_ + whole * kBlockColumns + c] = last[r * kBlockColumns + c];
}

}  // namespace errata::training
#endif
