#include <algorithm>

#include "training/hardware/row_kernel.h"

namespace errata::training {

namespace {

constexpr std::size_t kBlock = RowPlan::kBlock, kReads = RowPlan::kReads;

std::int16_t saturated(std::int32_t x) { return static_cast<std::int16_t>(std::clamp(x, -32768, 32767)); }
std::int32_t mul_fixed(std::int32_t a, std::int32_t b) { return (a * b + 0x4000) >> 15; }

/// Number `surface` of a bin.
std::int32_t surface_at(const RowPlan& p, std::uint16_t activity, std::size_t surface, std::size_t bin) {
  const std::size_t bins = 16 * p.sixteens;
  const std::uint8_t* bytes = p.surfaces.data() + activity * p.surface_size() + surface * 2 * bins + bin;
  return static_cast<std::int16_t>(bytes[0] | bytes[bins] << 8);
}

/// Code of one conversion, from first_code on.
std::uint32_t code_of(const RowPlan& p, std::int16_t y, std::int16_t normal, std::uint16_t activity) {
  const auto unsigned_y = static_cast<std::uint16_t>(y ^ 0x8000);
  const std::uint32_t inside = std::min<std::uint32_t>(unsigned_y > p.low ? unsigned_y - p.low : 0, p.range);
  const std::uint32_t place = ((inside << p.place_shift & 0xffff) * p.place_scale) >> 16, bin = place >> p.bin_bits;
  const auto share = static_cast<std::int32_t>(place << (15 - p.bin_bits) & 0x7fff);
  const std::int32_t shift = surface_at(p, activity, 0, bin) + mul_fixed(share, surface_at(p, activity, 1, bin));
  const std::int32_t sigma = surface_at(p, activity, 2, bin) + mul_fixed(share, surface_at(p, activity, 3, bin));
  const std::int16_t v = saturated(saturated(y + shift) + mul_fixed(sigma, normal));
  const auto unsigned_v = static_cast<std::uint16_t>(v ^ 0x8000);
  const std::uint32_t way =
      std::min<std::uint32_t>((unsigned_v > p.below ? unsigned_v - p.below : 0u) + p.above, 65535u);
  return std::min<std::uint32_t>((way * p.code_scale) >> (16 + p.code_shift), p.highest_code);
}

}  // namespace

void row_block_reference(const RowPlan& p, std::size_t block, const RowReads& reads, const ReadWords& words,
                         const ReadWords& tails, std::uint16_t* sums, std::size_t stride) {
  for (std::size_t k = 0; k < reads.positions; ++k)
    for (std::size_t c = 0; c < kBlock; ++c) {
      std::uint32_t sum = 0;
      for (std::size_t d = 0; d < p.digits; ++d) {
        const std::size_t read = k * p.digits + d, quad = (reads.first_position + k) * p.quads + d / kReads;
        std::uint16_t y = 0;
        for (std::size_t g = 0; g < p.groups; ++g) {
          const std::size_t combination = reads.places[read * p.groups + g] / (2 * kBlock);
          const std::size_t at = block * p.block_size() + (g * RowPlan::kCombinations + combination) * kBlock + c;
          y = static_cast<std::uint16_t>(y + static_cast<std::uint16_t>(p.sums.data()[at]));
        }
        const std::int16_t normal = quad_normal_reference(
            words, tails, static_cast<std::uint32_t>(quad * p.blocks + block), d % kReads * kBlock + c);
        sum += code_of(p, static_cast<std::int16_t>(y), normal, reads.activity[read])
               << (d * static_cast<std::size_t>(p.bits));
      }
      sums[k * stride + c] = static_cast<std::uint16_t>(sum);
    }
}

}  // namespace errata::training
