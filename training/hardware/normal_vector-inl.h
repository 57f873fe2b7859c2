// Normals in vectors of the instruction set being compiled; included by kernels between highway.h and their own code.
// The same operations in the same order as reference_kernels.cpp, + − × ÷ √ and bits only: every width has its bits.

// Once for each instruction set, as Highway's own -inl.h headers do it.
#if defined(ERRATA_NORMAL_VECTOR_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef ERRATA_NORMAL_VECTOR_INL_H
#undef ERRATA_NORMAL_VECTOR_INL_H
#else
#define ERRATA_NORMAL_VECTOR_INL_H
#endif

#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>

#include "training/hardware/fast_normal.h"

#if HWY_TARGET != HWY_SCALAR  // whose kernels are the plain loops
HWY_BEFORE_NAMESPACE();
namespace errata::training::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Vectors of at most 16 lanes: a block of counters is one vector of AVX-512.
using Floats = hn::CappedTag<float, 16>;
using Words = hn::RebindToUnsigned<Floats>;
using Ints = hn::RebindToSigned<Floats>;
using Doubles = hn::Repartition<std::uint64_t, Words>;
using FloatVector = hn::Vec<Floats>;
using WordVector = hn::Vec<Words>;

constexpr std::size_t kCounters = 16;

/// So many philox() calls at a time, each with two pairs of words: chains of operations that do not wait for each
/// other.
constexpr std::size_t kTogether = HWY_MAX_BYTES >= 64 ? 1 : 2;
constexpr std::size_t kPairs = 2 * kTogether;

template <class V, std::size_t N = kPairs>
struct Vectors {
  V v[N];
};
using FloatVectors = Vectors<FloatVector>;
using WordVectors = Vectors<WordVector>;

/// Where a block's counters and keys begin; the keys of all rounds, so that no round makes its own.
struct PhiloxBlock {
  explicit PhiloxBlock(const NormalBlock& block)
      : a(static_cast<std::uint32_t>(block.a)), b(static_cast<std::uint32_t>(block.b)), purpose(block.purpose) {
    PhiloxKey key = key_of(block);
    for (int round = 0; round < kPhiloxRounds; ++round) {
      low[round] = key.low;
      high[round] = key.high;
      key.low += 0x9E3779B9u;
      key.high += 0xBB67AE85u;
    }
  }
  std::uint64_t a, b, purpose;
  std::uint64_t low[kPhiloxRounds], high[kPhiloxRounds];
};

/// One round of Philox4x32 of half the lanes, one counter in each 64-bit lane; what stands in the upper halves does not
/// matter.
HWY_INLINE HWY_ATTR void philox_round(Vectors<hn::Vec<Doubles>, 4>& w, hn::Vec<Doubles> key0, hn::Vec<Doubles> key1) {
  const Words words;
  const auto p0 = hn::MulEven(hn::BitCast(words, w.v[0]), hn::Set(words, 0xD2511F53u));
  const auto p1 = hn::MulEven(hn::BitCast(words, w.v[2]), hn::Set(words, 0xCD9E8D57u));
  w.v[0] = hn::Xor3(hn::ShiftRight<32>(p1), w.v[1], key0);
  w.v[2] = hn::Xor3(hn::ShiftRight<32>(p0), w.v[3], key1);
  w.v[1] = p1;
  w.v[3] = p0;
}

/// The four words of the counters first, first + 1, …, one in each lane.
HWY_INLINE HWY_ATTR Vectors<WordVector, 4> philox(const PhiloxBlock& block, std::uint32_t first) {
  const Doubles d;
  const Words words;
  const auto counter = hn::BitCast(d, hn::Iota(words, first));
  const auto a = hn::Set(d, block.a), b = hn::Set(d, block.b), purpose = hn::Set(d, block.purpose);
  Vectors<hn::Vec<Doubles>, 4> even{{counter, a, b, purpose}}, odd{{hn::ShiftRight<32>(counter), a, b, purpose}};
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const auto key0 = hn::Set(d, block.low[round]), key1 = hn::Set(d, block.high[round]);
    philox_round(even, key0, key1);
    philox_round(odd, key0, key1);
  }
  Vectors<WordVector, 4> word;
  for (int k = 0; k < 4; ++k)
    word.v[k] = hn::OddEven(hn::BitCast(words, hn::ShiftLeft<32>(odd.v[k])), hn::BitCast(words, even.v[k]));
  return word;
}

template <std::size_t N>
HWY_INLINE HWY_ATTR FloatVectors polynomial(const float (&coefficient)[N], const FloatVectors& x) {
  const Floats f;
  FloatVectors sum;
  for (std::size_t i = 0; i < kPairs; ++i) sum.v[i] = hn::Set(f, coefficient[0]);
  for (std::size_t k = 1; k < N; ++k)
    for (std::size_t i = 0; i < kPairs; ++i) sum.v[i] = hn::Add(hn::Set(f, coefficient[k]), hn::Mul(sum.v[i], x.v[i]));
  return sum;
}

/// −ln of 2⁻³² ≤ x ≤ 1.
HWY_INLINE HWY_ATTR FloatVectors minus_log(const FloatVectors& x) {
  const Floats f;
  const Ints i;
  const auto one = hn::Set(f, 1.0f), ln2 = hn::Set(f, 0.693147181f);
  FloatVectors exponent, twice, z;
  for (std::size_t k = 0; k < kPairs; ++k) {
    const auto bits = hn::BitCast(i, x.v[k]);
    const auto e = hn::ShiftRight<23>(hn::Sub(bits, hn::Set(i, 0x3f3504f3)));
    const auto m = hn::BitCast(f, hn::Sub(bits, hn::ShiftLeft<23>(e)));
    const auto s = hn::Div(hn::Sub(m, one), hn::Add(m, one));
    exponent.v[k] = hn::ConvertTo(f, e);
    twice.v[k] = hn::Add(s, s);
    z.v[k] = hn::Mul(s, s);
  }
  FloatVectors log = polynomial(kLogSeries, z);
  for (std::size_t k = 0; k < kPairs; ++k)
    log.v[k] = hn::Neg(hn::Add(hn::Mul(exponent.v[k], ln2), hn::Mul(twice.v[k], log.v[k])));
  return log;
}

/// Normals of pairs of words in their place, as normal_pair() in reference_kernels.cpp.
HWY_INLINE HWY_ATTR void normals_of(const WordVectors& a, const WordVectors& b, FloatVectors& first,
                                    FloatVectors& second) {
  const Floats f;
  const Ints i;
  const Words words;
  FloatVectors u, x, z;
  for (std::size_t k = 0; k < kPairs; ++k) {
    const auto magnitude = hn::ConvertTo(f, hn::BitCast(i, hn::ShiftRight<1>(a.v[k])));
    u.v[k] = hn::Mul(hn::Add(magnitude, hn::Set(f, 0.5f)), hn::Set(f, 0x1.0p-31f));
    x.v[k] = hn::Mul(hn::ConvertTo(f, hn::BitCast(i, hn::ShiftLeft<2>(b.v[k]))), hn::Set(f, kEighthTurn));
    z.v[k] = hn::Mul(x.v[k], x.v[k]);
  }
  const FloatVectors w = minus_log(u), sine = polynomial(kSineSeries, z), cosine = polynomial(kCosineSeries, z);
  const auto sign = hn::Set(words, 0x80000000u);
  for (std::size_t k = 0; k < kPairs; ++k) {
    const auto r = hn::Sqrt(hn::Add(w.v[k], w.v[k]));
    const auto across = hn::Mul(r, hn::Mul(x.v[k], sine.v[k])), along = hn::Mul(r, cosine.v[k]);
    const auto next = hn::ShiftLeft<1>(b.v[k]);
    const auto swapped = hn::MaskFromVec(hn::BitCast(f, hn::BroadcastSignBit(hn::BitCast(i, next))));
    first.v[k] = hn::BitCast(
        f, hn::Xor(hn::BitCast(words, hn::IfThenElse(swapped, across, along)), hn::And(hn::Xor(b.v[k], next), sign)));
    second.v[k] =
        hn::BitCast(f, hn::Xor(hn::BitCast(words, hn::IfThenElse(swapped, along, across)), hn::And(b.v[k], sign)));
  }
}

/// The 64 normals of the counters first … first + 15.
HWY_INLINE HWY_ATTR void normals_of(const PhiloxBlock& block, std::uint32_t first, float* HWY_RESTRICT out) {
  const Floats f;
  const std::size_t lanes = hn::Lanes(f);
  for (std::size_t l = 0; l < kCounters; l += kTogether * lanes) {
    WordVectors a, b;
    for (std::size_t t = 0; t < kTogether; ++t) {
      const auto word = philox(block, first + static_cast<std::uint32_t>(l + t * lanes));
      for (std::size_t p = 0; p < 2; ++p) {
        a.v[2 * t + p] = word.v[2 * p];
        b.v[2 * t + p] = word.v[2 * p + 1];
      }
    }
    FloatVectors along, across;
    normals_of(a, b, along, across);
    for (std::size_t t = 0; t < kTogether; ++t)
      for (std::size_t p = 0; p < 2; ++p) {
        float* to = out + 2 * p * kCounters + l + t * lanes;
        hn::StoreU(along.v[2 * t + p], f, to);
        hn::StoreU(across.v[2 * t + p], f, to + kCounters);
      }
  }
}

}  // namespace errata::training::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
#endif
