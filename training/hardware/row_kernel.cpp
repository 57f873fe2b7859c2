#include "training/hardware/row_kernel.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "training/hardware/row_kernel.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file once for each instruction set.
#include <hwy/highway.h>

#include "training/hardware/short_normal-inl.h"

HWY_BEFORE_NAMESPACE();
namespace errata::training::HWY_NAMESPACE {
#if !ERRATA_SHORT_VECTORS
void block(const RowPlan& plan, std::size_t number, const RowReads& reads, const ReadWords& words,
           const ReadWords& tails, std::uint16_t* sums, std::size_t stride) {
  row_block_reference(plan, number, reads, words, tails, sums, stride);
}
#else
constexpr std::size_t kBlock = RowPlan::kBlock, kReads = RowPlan::kReads;
static_assert(kBlock == kQuadColumns && kReads == kQuadReads);
constexpr std::size_t kGroupBytes = RowPlan::kCombinations * kBlock * sizeof(std::int16_t);

/// A lookup of 16-bit numbers by bytes of narrow(): tables of low and of high bytes, `Sixteens` · 16 each.
template <std::size_t Sixteens>
HWY_INLINE HWY_ATTR Pair look_up(const std::uint8_t* HWY_RESTRICT table, const ByteVector (&at)[Sixteens]) {
  const Bytes bytes;
  ByteVector low = hn::TableLookupBytesOr0(hn::LoadDup128(bytes, table), at[0]),
             high = hn::TableLookupBytesOr0(hn::LoadDup128(bytes, table + 16 * Sixteens), at[0]);
  for (std::size_t t = 1; t < Sixteens; ++t) {
    low = hn::Or(low, hn::TableLookupBytesOr0(hn::LoadDup128(bytes, table + 16 * t), at[t]));
    high = hn::Or(high, hn::TableLookupBytesOr0(hn::LoadDup128(bytes, table + 16 * (Sixteens + t)), at[t]));
  }
  return widen(low, high);
}

/// Adds the entries of `Groups` groups.
template <std::size_t Groups>
HWY_INLINE HWY_ATTR void add_groups(const std::uint8_t* HWY_RESTRICT from, const std::uint16_t* HWY_RESTRICT places,
                                    ShortVector (&sum)[2 * kPairs]) {
  const Shorts s;
  for (std::size_t g = 0; g < Groups; ++g) {
    const auto* entry = reinterpret_cast<const std::int16_t*>(from + places[g] + g * kGroupBytes);
    for (std::size_t v = 0; v < 2 * kPairs; ++v) sum[v] = hn::Add(sum[v], hn::Load(s, entry + v * kLanes));
  }
}

/// Sums of reads, [read][column].
HWY_INLINE HWY_ATTR void add_up(const RowPlan& plan, const std::int16_t* HWY_RESTRICT table,
                                const std::uint16_t* HWY_RESTRICT places, std::size_t reads,
                                std::int16_t* HWY_RESTRICT out) {
  const Shorts s;
  constexpr std::size_t kTogether = 8;
  const std::size_t groups = plan.groups;
  for (std::size_t r = 0; r < reads; ++r, places += groups, out += kBlock) {
    ShortVector sum[2 * kPairs];
    for (auto& v : sum) v = hn::Zero(s);
    const auto* from = reinterpret_cast<const std::uint8_t*>(table);
    std::size_t g = 0;
    for (; g + kTogether <= groups; g += kTogether, from += kTogether * kGroupBytes)
      add_groups<kTogether>(from, places + g, sum);
    for (; g < groups; ++g, from += kGroupBytes) add_groups<1>(from, places + g, sum);
    for (std::size_t v = 0; v < 2 * kPairs; ++v) hn::Store(sum[v], s, out + v * kLanes);
  }
}

/// Codes of the values `y` of one read, from first_code on.
template <std::size_t Sixteens>
HWY_INLINE HWY_ATTR void convert(const RowPlan& plan, const std::uint8_t* HWY_RESTRICT surface,
                                 const std::int16_t* HWY_RESTRICT y, const std::int16_t* HWY_RESTRICT normal, int shift,
                                 WordVector (&sum)[2 * kPairs]) {
  const Shorts s;
  const Words w;
  const auto flip = hn::Set(w, std::uint16_t{0x8000});
  for (std::size_t p = 0; p < kPairs; ++p) {
    const std::size_t at = p * 2 * kLanes;
    const ShortVector y_a = hn::Load(s, y + at), y_b = hn::Load(s, y + at + kLanes);
    const auto place = [&](ShortVector value) HWY_ATTR {
      const auto inside =
          hn::Min(hn::SaturatedSub(hn::Xor(hn::BitCast(w, value), flip), hn::Set(w, plan.low)), hn::Set(w, plan.range));
      return hn::MulHigh(hn::ShiftLeftSame(inside, plan.place_shift), hn::Set(w, plan.place_scale));
    };
    const auto place_a = place(y_a), place_b = place(y_b);
    const auto bin = narrow(hn::ShiftRightSame(place_a, plan.bin_bits), hn::ShiftRightSame(place_b, plan.bin_bits));
    const auto share = [&](WordVector of) HWY_ATTR {
      return hn::BitCast(s, hn::And(hn::ShiftLeftSame(of, 15 - plan.bin_bits), hn::Set(w, std::uint16_t{0x7fff})));
    };
    const ShortVector share_a = share(place_a), share_b = share(place_b);
    ByteVector index[Sixteens];
    index[0] = within_sixteen(bin);
    for (std::size_t t = 1; t < Sixteens; ++t)
      index[t] = within_sixteen(hn::Sub(bin, hn::Set(Bytes(), static_cast<std::uint8_t>(16 * t))));
    constexpr std::size_t kTable = 32 * Sixteens;
    const Pair mu = look_up<Sixteens>(surface, index), rise = look_up<Sixteens>(surface + kTable, index),
               sigma = look_up<Sixteens>(surface + 2 * kTable, index),
               widening = look_up<Sixteens>(surface + 3 * kTable, index);
    const auto code = [&](ShortVector value, ShortVector part, ShortVector m, ShortVector dm, ShortVector sd,
                          ShortVector dsd, const std::int16_t* e) HWY_ATTR {
      const auto moved = hn::SaturatedAdd(value, hn::Add(m, hn::MulFixedPoint15(part, dm)));
      const auto deviation = hn::Add(sd, hn::MulFixedPoint15(part, dsd));
      const auto v = hn::SaturatedAdd(moved, hn::MulFixedPoint15(deviation, hn::Load(s, e)));
      const auto way = hn::SaturatedAdd(hn::SaturatedSub(hn::Xor(hn::BitCast(w, v), flip), hn::Set(w, plan.below)),
                                        hn::Set(w, plan.above));
      return hn::Min(hn::ShiftRightSame(hn::MulHigh(way, hn::Set(w, plan.code_scale)), plan.code_shift),
                     hn::Set(w, plan.highest_code));
    };
    const auto code_a = code(y_a, share_a, mu.a, rise.a, sigma.a, widening.a, normal + at),
               code_b = code(y_b, share_b, mu.b, rise.b, sigma.b, widening.b, normal + at + kLanes);
    sum[2 * p] = hn::Add(sum[2 * p], hn::ShiftLeftSame(code_a, shift));
    sum[2 * p + 1] = hn::Add(sum[2 * p + 1], hn::ShiftLeftSame(code_b, shift));
  }
}

template <std::size_t Sixteens>
HWY_ATTR void whole_block(const RowPlan& plan, std::size_t number, const RowReads& reads, const ReadWords& words,
                          const ReadWords& tails, std::uint16_t* HWY_RESTRICT sums, std::size_t stride) {
  const Words w;
  constexpr std::size_t kSumsAtOnce = 64;
  HWY_ALIGN std::int16_t y[kSumsAtOnce * kBlock];
  HWY_ALIGN std::int16_t normal[kReads * kBlock];
  const ShortNormalTables& tables = short_normal_tables();
  const std::int16_t* table = plan.sums.data() + number * plan.block_size();
  const std::size_t at_once = kSumsAtOnce / plan.digits;
  for (std::size_t first = 0; first < reads.positions; first += at_once) {
    const std::size_t count = HWY_MIN(at_once, reads.positions - first);
    add_up(plan, table, reads.places + first * plan.digits * plan.groups, count * plan.digits, y);
    for (std::size_t k = 0; k < count; ++k) {
      WordVector sum[2 * kPairs];
      for (auto& v : sum) v = hn::Zero(w);
      const std::uint16_t* activity = reads.activity + (first + k) * plan.digits;
      for (std::size_t q = 0; q < plan.quads; ++q) {
        const std::size_t digit = q * kReads, inside = HWY_MIN(kReads, plan.digits - digit);
        const std::size_t quad = (reads.first_position + first + k) * plan.quads + q;
        fill_quad(tables, words, tails, static_cast<std::uint32_t>((quad * plan.blocks + number) * 16), inside, normal);
        for (std::size_t r = 0; r < inside; ++r)
          convert<Sixteens>(plan, plan.surfaces.data() + activity[digit + r] * plan.surface_size(),
                            y + (k * plan.digits + digit + r) * kBlock, normal + r * kBlock,
                            static_cast<int>(digit + r) * plan.bits, sum);
      }
      for (std::size_t v = 0; v < 2 * kPairs; ++v) hn::StoreU(sum[v], w, sums + (first + k) * stride + v * kLanes);
    }
  }
}

void block(const RowPlan& plan, std::size_t number, const RowReads& reads, const ReadWords& words,
           const ReadWords& tails, std::uint16_t* sums, std::size_t stride) {
  switch (plan.sixteens) {
    case 1:
      return whole_block<1>(plan, number, reads, words, tails, sums, stride);
    case 2:
      return whole_block<2>(plan, number, reads, words, tails, sums, stride);
    case 3:
      return whole_block<3>(plan, number, reads, words, tails, sums, stride);
    default:
      return whole_block<4>(plan, number, reads, words, tails, sums, stride);
  }
}
#endif
}  // namespace errata::training::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace errata::training {

HWY_EXPORT(block);

void row_block(const RowPlan& plan, std::size_t number, const RowReads& reads, const ReadWords& words,
               const ReadWords& tails, std::uint16_t* sums, std::size_t stride) {
  HWY_DYNAMIC_DISPATCH(block)(plan, number, reads, words, tails, sums, stride);
}

}  // namespace errata::training
#endif
