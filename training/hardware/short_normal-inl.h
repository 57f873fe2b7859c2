// Normals in 16 bits in vectors of the instruction set being compiled; included by kernels after foreach_target.h.
// The same operations as short_normal_reference(): every instruction set has its bits.

// Once for each instruction set, as Highway's own -inl.h headers do it.
#if defined(ERRATA_SHORT_NORMAL_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ERRATA_SHORT_NORMAL_INL_H
#undef ERRATA_SHORT_NORMAL_INL_H
#else
#define ERRATA_SHORT_NORMAL_INL_H
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

#include "training/hardware/short_normal.h"

// Other instruction sets have the plain loops.
#undef ERRATA_SHORT_VECTORS
#if HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128 && HWY_ARCH_X86
#define ERRATA_SHORT_VECTORS 1
#else
#define ERRATA_SHORT_VECTORS 0
#endif

#if ERRATA_SHORT_VECTORS
HWY_BEFORE_NAMESPACE();
namespace errata::training::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using Shorts = hn::CappedTag<std::int16_t, 16>;
using Words = hn::RebindToUnsigned<Shorts>;
using Bytes = hn::Repartition<std::uint8_t, Shorts>;
using ShortVector = hn::Vec<Shorts>;
using WordVector = hn::Vec<Words>;
using ByteVector = hn::Vec<Bytes>;

constexpr std::size_t kLanes = hn::MaxLanes(Shorts());

constexpr std::size_t kQuadReads = ReadWords::kQuadReads, kQuadColumns = ReadWords::kQuadColumns;
constexpr std::size_t kPairs = kQuadColumns / (2 * kLanes);  // of vectors, whose bytes fill one

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
  HWY_ALIGN std::uint16_t word[kQuadReads * kQuadColumns];
  fill_words(words, first, word);
  std::uint32_t tail[kQuadReads][kPairs];
  for (std::size_t w = 0; w < count; ++w)
    fill_normals_of(tables, word + w * kQuadColumns, word + (w ^ 1) * kQuadColumns, out + w * kQuadColumns, tail[w]);
  for (std::size_t w = 0; w < count; ++w)
    for (std::size_t p = 0; p < kPairs; ++p)
      for (std::uint32_t rest = tail[w][p]; rest != 0; rest &= rest - 1) {
        const std::size_t c = column_of(p, static_cast<std::size_t>(__builtin_ctz(rest)));
        const std::uint16_t own = word[w * kQuadColumns + c];
        const std::uint32_t number = (first / 4 + static_cast<std::uint32_t>(w)) * 32 + static_cast<std::uint32_t>(c);
        const std::int16_t value = tables.tail_value(own & 0x7fff, tail_bits(tails, number));
        out[w * kQuadColumns + c] = static_cast<std::int16_t>((own & 0x8000) != 0 ? -value : value);
      }
}

}  // namespace errata::training::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
#endif
