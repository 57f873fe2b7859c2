#include "training/hardware/row_kernel.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "training/hardware/row_kernel.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file once for each instruction set.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace errata::training::HWY_NAMESPACE {
#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128 || !HWY_ARCH_X86
void block(const RowPlan& plan, std::size_t number, const RowReads& reads, const ReadWords& words,
           const ReadWords& tails, std::uint16_t* sums, std::size_t stride) {
  row_block_reference(plan, number, reads, words, tails, sums, stride);
}
#else
namespace hn = hwy::HWY_NAMESPACE;
using Shorts = hn::CappedTag<std::int16_t, 16>;
using Words = hn::RebindToUnsigned<Shorts>;
using Bytes = hn::Repartition<std::uint8_t, Shorts>;
using ShortVector = hn::Vec<Shorts>;
using WordVector = hn::Vec<Words>;
using ByteVector = hn::Vec<Bytes>;

constexpr std::size_t kLanes = hn::MaxLanes(Shorts());
constexpr std::size_t kBlock = RowPlan::kBlock, kReads = RowPlan::kReads;
constexpr std::size_t kGroupBytes = RowPlan::kCombinations * kBlock * sizeof(std::int16_t);
constexpr std::size_t kPairs = kBlock / (2 * kLanes);  // of vectors, whose bytes fill one

/// Two vectors below 2⁸, clipped there, as bytes: of each 16 bytes the lower eight from `a`. What widen() undoes.
HWY_INLINE HWY_ATTR ByteVector narrow(WordVector a, WordVector b) {
#if HWY_MAX_BYTES >= 32
  return ByteVector{_mm256_packus_epi16(a.raw, b.raw)};
#else
  return ByteVector{_mm_packus_epi16(a.raw, b.raw)};
#endif
}

struct Pair {
  ShortVector a, b;
};

HWY_INLINE HWY_ATTR Pair widen(ByteVector low, ByteVector high) {
  const Shorts s;
  const Bytes bytes;
  return {hn::BitCast(s, hn::InterleaveLower(bytes, low, high)), hn::BitCast(s, hn::InterleaveUpper(bytes, low, high))};
}

/// Where in its block the column of byte `i` of narrow() stands, pair by pair.
HWY_INLINE std::size_t column_of(std::size_t pair, std::size_t i) {
  return pair * 2 * kLanes + (i / 8 % 2) * kLanes + i / 16 * 8 + i % 8;
}

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

/// Indices of entries below 16 stay, others get the upper bit, which looks up a 0.
HWY_INLINE HWY_ATTR ByteVector within_sixteen(ByteVector index) {
  return hn::SaturatedAdd(index, hn::Set(Bytes(), std::uint8_t{0x70}));
}

/// Words of a quad of reads of a block of columns, [read][column].
HWY_INLINE HWY_ATTR void fill_words(const ReadWords& words, std::uint32_t first, std::uint16_t* HWY_RESTRICT out) {
  const hn::Full128<std::uint8_t> d;
  const hn::Full128<std::uint32_t> d32;
  const hn::Full128<std::uint16_t> d16;
  constexpr std::size_t kTogether = 8;  // rounds that do not wait for each other
  HWY_ALIGN const std::uint32_t begin[4] = {first, 0, 0, 0}, one[4] = {1, 0, 0, 0};
  const auto* keys = reinterpret_cast<const std::uint8_t*>(words.key[0].data());
  const auto step = hn::Load(d32, one);
  auto counter = hn::Add(hn::LoadU(d32, words.counter.data()), hn::Load(d32, begin));
  for (std::size_t k = 0; k < 16; k += kTogether) {
    hn::Vec<decltype(d)> state[kTogether];
    const auto whitening = hn::Load(d, keys);
    for (auto& s : state) {
      s = hn::Xor(hn::BitCast(d, counter), whitening);
      counter = hn::Add(counter, step);
    }
    for (std::size_t round = 1; round < ReadWords::kRounds; ++round) {
      const auto key = hn::Load(d, keys + 16 * round);
      for (auto& s : state) s = hn::AESRound(s, key);
    }
    const auto last = hn::Load(d, keys + 16 * ReadWords::kRounds);
    for (auto& s : state) s = hn::AESLastRound(s, last);
    for (std::size_t i = 0; i < kTogether; ++i) hn::Store(hn::BitCast(d16, state[i]), d16, out + 8 * (k + i));
  }
}

/// 32 random bits for a value of the tail.
HWY_INLINE HWY_ATTR std::uint32_t tail_bits(const ReadWords& tails, std::uint32_t number) {
  const hn::Full128<std::uint8_t> d;
  const hn::Full128<std::uint32_t> d32;
  HWY_ALIGN const std::uint32_t at[4] = {number, 0, 0, 0};
  const auto* keys = reinterpret_cast<const std::uint8_t*>(tails.key[0].data());
  auto state =
      hn::Xor(hn::BitCast(d, hn::Add(hn::LoadU(d32, tails.counter.data()), hn::Load(d32, at))), hn::Load(d, keys));
  for (std::size_t round = 1; round < ReadWords::kRounds; ++round)
    state = hn::AESRound(state, hn::Load(d, keys + 16 * round));
  state = hn::AESLastRound(state, hn::Load(d, keys + 16 * ReadWords::kRounds));
  return hn::GetLane(hn::BitCast(d32, state));
}

/// Normals but for the tail of the words of one read, [column]; the tail's columns as bits of narrow()'s bytes.
HWY_INLINE HWY_ATTR void fill_normals_of(const ShortNormalTables& tables, const std::uint16_t* HWY_RESTRICT own,
                                         const std::uint16_t* HWY_RESTRICT other, std::int16_t* HWY_RESTRICT out,
                                         std::uint32_t (&tail)[kPairs]) {
  const Shorts s;
  const Words w;
  const Bytes bytes;
  const auto magnitude_bits = hn::Set(w, std::uint16_t{0x7fff}), wide = hn::Set(w, ShortNormalTables::kWide);
  for (std::size_t p = 0; p < kPairs; ++p) {
    const std::size_t at = p * 2 * kLanes;
    const auto word_a = hn::Load(w, own + at), word_b = hn::Load(w, own + at + kLanes);
    const auto a = hn::And(word_a, magnitude_bits), b = hn::And(word_b, magnitude_bits);
    const auto share = [&](WordVector magnitude, const std::uint16_t* dither) HWY_ATTR {
      const auto fine = hn::Or(hn::ShiftLeft<8>(magnitude), hn::ShiftRight<8>(hn::Load(w, dither)));
      const auto below = hn::Lt(hn::BitCast(s, magnitude), hn::BitCast(s, wide));
      const auto shifted = hn::IfThenElse(below, hn::BitCast(s, fine), hn::BitCast(s, hn::ShiftLeft<4>(magnitude)));
      return hn::And(shifted, hn::BitCast(s, magnitude_bits));
    };
    const auto share_a = share(a, other + at), share_b = share(b, other + at + kLanes);
    const auto narrow_segment = narrow(hn::ShiftRight<7>(a), hn::ShiftRight<7>(b));
    const ByteVector wide_at = narrow(hn::ShiftRight<11>(a), hn::ShiftRight<11>(b)),
                     narrow_at = within_sixteen(narrow_segment);
    std::uint8_t mask[8] = {};
    hn::StoreMaskBits(bytes, hn::Eq(narrow_segment, hn::Zero(bytes)), mask);
    tail[p] = static_cast<std::uint32_t>(mask[0]) | static_cast<std::uint32_t>(mask[1]) << 8 |
              static_cast<std::uint32_t>(mask[2]) << 16 | static_cast<std::uint32_t>(mask[3]) << 24;
    ShortVector value_a = hn::Zero(s), value_b = value_a;
    for (std::size_t power = ShortNormalTables::kPowers; power-- > 0;) {
      const auto& of_wide = tables.coefficient[0][power];
      const auto& of_narrow = tables.coefficient[1][power];
      const auto low = hn::Or(hn::TableLookupBytesOr0(hn::LoadDup128(bytes, of_wide[0]), wide_at),
                              hn::TableLookupBytesOr0(hn::LoadDup128(bytes, of_narrow[0]), narrow_at));
      const auto high = hn::Or(hn::TableLookupBytesOr0(hn::LoadDup128(bytes, of_wide[1]), wide_at),
                               hn::TableLookupBytesOr0(hn::LoadDup128(bytes, of_narrow[1]), narrow_at));
      const Pair c = widen(low, high);
      const bool first = power + 1 == ShortNormalTables::kPowers;
      value_a = first ? c.a : hn::Add(c.a, hn::MulFixedPoint15(share_a, value_a));
      value_b = first ? c.b : hn::Add(c.b, hn::MulFixedPoint15(share_b, value_b));
    }
    const auto sign_a = hn::BroadcastSignBit(hn::BitCast(s, word_a)),
               sign_b = hn::BroadcastSignBit(hn::BitCast(s, word_b));
    hn::Store(hn::Sub(hn::Xor(value_a, sign_a), sign_a), s, out + at);
    hn::Store(hn::Sub(hn::Xor(value_b, sign_b), sign_b), s, out + at + kLanes);
  }
}

/// Normals of a quad of reads of a block, [read][column].
HWY_INLINE HWY_ATTR void fill_quad(const ShortNormalTables& tables, const ReadWords& words, const ReadWords& tails,
                                   std::uint32_t first, std::size_t count, std::int16_t* HWY_RESTRICT out) {
  HWY_ALIGN std::uint16_t word[kReads * kBlock];
  fill_words(words, first, word);
  std::uint32_t tail[kReads][kPairs];
  for (std::size_t w = 0; w < count; ++w)
    fill_normals_of(tables, word + w * kBlock, word + (w ^ 1) * kBlock, out + w * kBlock, tail[w]);
  for (std::size_t w = 0; w < count; ++w)
    for (std::size_t p = 0; p < kPairs; ++p)
      for (std::uint32_t rest = tail[w][p]; rest != 0; rest &= rest - 1) {
        const std::size_t c = column_of(p, static_cast<std::size_t>(__builtin_ctz(rest)));
        const std::uint16_t own = word[w * kBlock + c];
        const std::uint32_t number = (first / 4 + static_cast<std::uint32_t>(w)) * 32 + static_cast<std::uint32_t>(c);
        const std::int16_t value = tables.tail_value(own & 0x7fff, tail_bits(tails, number));
        out[w * kBlock + c] = static_cast<std::int16_t>((own & 0x8000) != 0 ? -value : value);
      }
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
