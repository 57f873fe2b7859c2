#include "training/hardware/fast_normal.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "training/hardware/fast_normal.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file once for each instruction set.
#include <hwy/highway.h>

#include "training/hardware/normal_vector-inl.h"
#include "training/hardware/reference_kernels.h"

HWY_BEFORE_NAMESPACE();
namespace errata::training::HWY_NAMESPACE {

#if HWY_TARGET == HWY_SCALAR
void fill(const NormalBlock& block, std::size_t begin, float* out, std::size_t count) {
  fill_normals_reference(block, begin, {out, count});
}
#else
/// Value i comes from counter 16·(i div 64) + i mod 16 and is its normal number (i mod 64) div 16, whatever the width.
HWY_ATTR void fill(const NormalBlock& name, std::size_t begin, float* HWY_RESTRICT out, std::size_t count) {
  const PhiloxBlock block(name);
  constexpr std::size_t kBlock = 4 * kCounters;
  HWY_ALIGN float part[kBlock];
  for (std::size_t done = 0; done < count;) {
    const std::size_t inside = (begin + done) % kBlock, rest = count - done;
    const auto counter = static_cast<std::uint32_t>((begin + done - inside) / 4);
    if (inside == 0 && rest >= kBlock) {
      normals_of(block, counter, out + done);
      done += kBlock;
      continue;
    }
    normals_of(block, counter, part);
    for (std::size_t k = inside; k < kBlock && done < count; ++k) out[done++] = part[k];
  }
}
#endif

}  // namespace errata::training::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace errata::training {

HWY_EXPORT(fill);

PhiloxKey key_of(const NormalBlock& block) {
  // The chip and the high bits of the seed go through one mixing step (SplitMix64), so that neighbouring chips share
  // neither key nor counter.
  std::uint64_t key = block.seed + 0x9E3779B97F4A7C15ull * (block.c + 1);
  key = (key ^ (key >> 30)) * 0xBF58476D1CE4E5B9ull;
  key = (key ^ (key >> 27)) * 0x94D049BB133111EBull;
  key ^= key >> 31;
  return {static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)};
}

void fill_normals(const NormalBlock& block, std::span<float> out) { fill_normals_from(block, 0, out); }

void fill_normals_from(const NormalBlock& block, std::size_t first, std::span<float> out) {
  HWY_DYNAMIC_DISPATCH(fill)(block, first, out.data(), out.size());
}

}  // namespace errata::training
#endif
