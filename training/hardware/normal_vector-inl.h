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

/// Four vectors side by side: their chains of operations do not wait for each other.
template <class V>
struct Four {
  V v[4];
};

/// Where a block's counters and keys begin; the keys of all rounds, so that no round makes its own.
struct PhiloxBlock {
  explicit PhiloxBlock(const NormalBlock& block)
      : a(static_cast<std::uint32_t>(block.a)), b(static_cast<std::uint32_t>(block.b)), purpose(block.purpose) {
    PhiloxKey key = key_of(block);
    for (int round = 0; round < 10; ++round) {
      low[round] = key.low;
      high[round] = key.high;
      key.low += 0x9E3779B9u;
      key.high += 0xBB67AE85u;
    }
  }
  std::uint64_t a, b, purpose;
  std::uint64_t low[10], high[10];
};

/// One round of Philox4x32 of half the lanes, one counter in each 64-bit lane; what stands in the upper halves does not
/// matter.
HWY_INLINE HWY_ATTR void philox_round(Four<hn::Vec<Doubles>>& w, hn::Vec<Doubles> key0, hn::Vec<Doubles> key1) {
  const Words words;
  const auto p0 = hn::MulEven(hn::BitCast(words, w.v[0]), hn::Set(words, 0xD2511F53u));
  const auto p1 = hn::MulEven(hn::BitCast(words, w.v[2]), hn::Set(words, 0xCD9E8D57u));
  w.v[0] = hn::Xor3(hn::ShiftRight<32>(p1), w.v[1], key0);
  w.v[2] = hn::Xor3(hn::ShiftRight<32>(p0), w.v[3], key1);
  w.v[1] = p1;
  w.v[3] = p0;
}

/// The four words of the counters first, first + 1, …, one in each lane.
HWY_INLINE HWY_ATTR Four<WordVector> philox(const PhiloxBlock& block, std::uint32_t first) {
  const Doubles d;
  const Words words;
  const auto counter = hn::BitCast(d, hn::Iota(words, first));
  const auto a = hn::Set(d, block.a), b = hn::Set(d, block.b), purpose = hn::Set(d, block.purpose);
  Four<hn::Vec<Doubles>> even{{counter, a, b, purpose}}, odd{{hn::ShiftRight<32>(counter), a, b, purpose}};
  for (int round = 0; round < 10; ++round) {
    const auto key0 = hn::Set(d, block.low[round]), key1 = hn::Set(d, block.high[round]);
    philox_round(even, key0, key1);
    philox_round(odd, key0, key1);
  }
  Four<WordVector> word;
  for (int k = 0; k < 4; ++k)
    word.v[k] = hn::OddEven(hn::BitCast(words, hn::ShiftLeft<32>(odd.v[k])), hn::BitCast(words, even.v[k]));
  return word;
}

template <std::size_t N>
HWY_INLINE HWY_ATTR Four<FloatVector> polynomial(const float (&coefficient)[N], const Four<FloatVector>& x) {
  const Floats f;
  const auto first = hn::Set(f, coefficient[0]);
  Four<FloatVector> sum{{first, first, first, first}};
  for (std::size_t k = 1; k < N; ++k) {
    const auto next = hn::Set(f, coefficient[k]);
    for (int i = 0; i < 4; ++i) sum.v[i] = hn::Add(next, hn::Mul(sum.v[i], x.v[i]));
  }
  return sum;
}

/// −ln of 2⁻³³ ≤ x < 1.
HWY_INLINE HWY_ATTR Four<FloatVector> minus_log(const Four<FloatVector>& x) {
  constexpr float kSeries[] = {0.111111111f, 0.142857143f, 0.2f, 0.333333333f, 1.0f};
  const Floats f;
  const Ints i;
  const auto one = hn::Set(f, 1.0f), two = hn::Set(f, 2.0f), ln2 = hn::Set(f, 0.693147181f);
  Four<FloatVector> exponent, s, z;
  for (int k = 0; k < 4; ++k) {
    const auto bits = hn::BitCast(i, x.v[k]);
    const auto e = hn::ShiftRight<23>(hn::Sub(bits, hn::Set(i, 0x3f3504f3)));
    const auto m = hn::BitCast(f, hn::Sub(bits, hn::ShiftLeft<23>(e)));
    exponent.v[k] = hn::ConvertTo(f, e);
    s.v[k] = hn::Div(hn::Sub(m, one), hn::Add(m, one));
    z.v[k] = hn::Mul(s.v[k], s.v[k]);
  }
  Four<FloatVector> log = polynomial(kSeries, z);
  for (int k = 0; k < 4; ++k)
    log.v[k] = hn::Neg(hn::Add(hn::Mul(exponent.v[k], ln2), hn::Mul(hn::Mul(two, s.v[k]), log.v[k])));
  return log;
}

/// √2·erfinv(2u − 1) of words, as normal_of() in reference_kernels.cpp.
HWY_INLINE HWY_ATTR Four<FloatVector> normals_of(const Four<WordVector>& word) {
  constexpr float kCentral[] = {2.81022636e-08f, 3.43273939e-07f, -3.5233877e-06f, -4.39150654e-06f, 0.00021858087f,
                                -0.00125372503f, -0.00417768164f, 0.246640727f,    1.50140941f};
  constexpr float kFar[] = {-0.000200214257f, 0.000100950558f, 0.00134934322f, -0.00367342844f, 0.00573950773f,
                            -0.0076224613f,   0.00943887047f,  1.00167406f,    2.83297682f};
  const Floats f;
  const Words words;
  const auto one = hn::Set(f, 1.0f), five = hn::Set(f, 5.0f);
  Four<FloatVector> tail, product, center;
  for (int k = 0; k < 4; ++k) {
    const auto magnitude = hn::BitCast(Ints(), hn::AndNot(hn::Set(words, 0x80000000u), word.v[k]));
    tail.v[k] = hn::Mul(hn::Add(hn::ConvertTo(f, magnitude), hn::Set(f, 0.5f)), hn::Set(f, 0x1.0p-32f));
    product.v[k] = hn::Mul(hn::Mul(hn::Set(f, 4.0f), tail.v[k]), hn::Sub(one, tail.v[k]));
  }
  const Four<FloatVector> w = minus_log(product);
  for (int k = 0; k < 4; ++k) center.v[k] = hn::Sub(w.v[k], hn::Set(f, 2.5f));
  Four<FloatVector> value = polynomial(kCentral, center);
  const auto largest = hn::Max(hn::Max(w.v[0], w.v[1]), hn::Max(w.v[2], w.v[3]));
  if (!hn::AllTrue(f, hn::Lt(largest, five))) {  // beyond 2.9 σ: one lane in 300
    Four<FloatVector> root;
    for (int k = 0; k < 4; ++k) root.v[k] = hn::Sub(hn::Sqrt(w.v[k]), hn::Set(f, 3.0f));
    const Four<FloatVector> far = polynomial(kFar, root);
    for (int k = 0; k < 4; ++k) value.v[k] = hn::IfThenElse(hn::Lt(w.v[k], five), value.v[k], far.v[k]);
  }
  for (int k = 0; k < 4; ++k) {
    const auto sign = hn::And(word.v[k], hn::Set(words, 0x80000000u));
    const auto size =
        hn::Mul(hn::Mul(hn::Set(f, 1.41421356f), value.v[k]), hn::Sub(one, hn::Mul(hn::Set(f, 2.0f), tail.v[k])));
    value.v[k] = hn::BitCast(f, hn::Xor(hn::BitCast(words, size), sign));
  }
  return value;
}

/// The 64 normals of the counters first … first + 15.
HWY_INLINE HWY_ATTR void normals_of(const PhiloxBlock& block, std::uint32_t first, float* HWY_RESTRICT out) {
  const Floats f;
  for (std::size_t l = 0; l < kCounters; l += hn::Lanes(f)) {
    const Four<FloatVector> normal = normals_of(philox(block, first + static_cast<std::uint32_t>(l)));
    for (std::size_t q = 0; q < 4; ++q) hn::StoreU(normal.v[q], f, out + q * kCounters + l);
  }
}

}  // namespace errata::training::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
#endif
