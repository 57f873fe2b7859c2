#include "training/hardware/reference_kernels.h"

#include <bit>
#include <cmath>
#include <cstring>

namespace errata::training {

namespace {

constexpr std::size_t kLanes = 16;

/// Four words for each of kLanes consecutive counters.
inline void philox(std::uint32_t first, std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t key0,
                   std::uint32_t key1, std::uint32_t (&w)[4][kLanes]) {
  for (std::size_t l = 0; l < kLanes; ++l) {
    w[0][l] = first + static_cast<std::uint32_t>(l);
    w[1][l] = a;
    w[2][l] = b;
    w[3][l] = c;
  }
  for (int round = 0; round < 10; ++round) {
    for (std::size_t l = 0; l < kLanes; ++l) {
      const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * w[0][l];
      const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * w[2][l];
      const std::uint32_t n0 = static_cast<std::uint32_t>(p1 >> 32) ^ w[1][l] ^ key0;
      const std::uint32_t n2 = static_cast<std::uint32_t>(p0 >> 32) ^ w[3][l] ^ key1;
      w[1][l] = static_cast<std::uint32_t>(p1);
      w[3][l] = static_cast<std::uint32_t>(p0);
      w[0][l] = n0;
      w[2][l] = n2;
    }
    key0 += 0x9E3779B9u;
    key1 += 0xBB67AE85u;
  }
}

/// ln of 2⁻³³ ≤ x < 1 in fp32 by exponent and an atanh series; + − × ÷ and bit operations only.
inline float log_approximation(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::int32_t exponent = static_cast<std::int32_t>((bits - 0x3f3504f3u)) >> 23;  // mantissa in [√½, √2)
  const float m = std::bit_cast<float>(bits - (static_cast<std::uint32_t>(exponent) << 23));
  const float s = (m - 1.0f) / (m + 1.0f), z = s * s;
  const float series = 2.0f * s * (1.0f + z * (0.333333333f + z * (0.2f + z * (0.142857143f + z * 0.111111111f))));
  return static_cast<float>(exponent) * 0.693147181f + series;
}

/// √2·erfinv(2u − 1) from a 32-bit word; symmetric, never infinite.
inline float normal_of(std::uint32_t word) {
  // u' = distance of u from the nearer end, in (0, ½]: (k + ½)·2⁻³², exact in the tail where it matters.
  const std::uint32_t sign = word & 0x80000000u;
  const float tail = (static_cast<float>(word & 0x7fffffffu) + 0.5f) * 0x1.0p-32f;
  const float w = -log_approximation(4.0f * tail * (1.0f - tail));  // −ln((1−x)(1+x)), x = 1 − 2u'
  const float c = w - 2.5f;
  float central = 2.81022636e-08f;
  central = 3.43273939e-07f + central * c;
  central = -3.5233877e-06f + central * c;
  central = -4.39150654e-06f + central * c;
  central = 0.00021858087f + central * c;
  central = -0.00125372503f + central * c;
  central = -0.00417768164f + central * c;
  central = 0.246640727f + central * c;
  central = 1.50140941f + central * c;
  const float t = std::sqrt(w) - 3.0f;
  float far = -0.000200214257f;
  far = 0.000100950558f + far * t;
  far = 0.00134934322f + far * t;
  far = -0.00367342844f + far * t;
  far = 0.00573950773f + far * t;
  far = -0.0076224613f + far * t;
  far = 0.00943887047f + far * t;
  far = 1.00167406f + far * t;
  far = 2.83297682f + far * t;
  const float magnitude = 1.41421356f * (w < 5.0f ? central : far) * (1.0f - 2.0f * tail);
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(magnitude) ^ sign);
}

}  // namespace

void fill_normals_reference(const NormalBlock& block, std::span<float> out) {
  const PhiloxKey key = key_of(block);
  constexpr std::size_t kBlock = 4 * kLanes;
  std::uint32_t w[4][kLanes];
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (i % kBlock == 0)
      philox(static_cast<std::uint32_t>(i / 4), static_cast<std::uint32_t>(block.a),
             static_cast<std::uint32_t>(block.b), block.purpose, key.low, key.high, w);
    out[i] = normal_of(w[i % kBlock / kLanes][i % kLanes]);
  }
}

void add_conversions_reference(const ConversionRows& r, const float* partial, ValueRange values, TileWeight weight,
                               SumStart start, const ConversionSums& sums) {
  const auto last = static_cast<float>(r.bins - 1);
  const auto last_bin = static_cast<int>(r.bins) - 2;
  for (std::size_t i = values.first; i < values.last; ++i) {
    const float at = (partial[i] - r.y_low) * r.per_bin;
    const float above = at > 0.0f ? at : 0.0f, bounded = above < last ? above : last;
    const int bin = static_cast<int>(bounded) < last_bin ? static_cast<int>(bounded) : last_bin;
    const float between = bounded - static_cast<float>(bin);
    const float* e = r.rows + 2 * (i % r.conversions * r.bins + static_cast<std::size_t>(bin));
    const float rise = e[2] - e[0], y = r.y_low + bounded * r.bin_width;
    const float value = weight.value * ((y + e[0]) + between * rise);
    const float variance = weight.value * weight.value * (e[1] + between * (e[3] - e[1]));
    const float inside = 1.0f + rise * r.per_bin;
    const float slope = bounded == at ? weight.slope * (inside > 0.0f ? inside : 0.0f) : 0.0f;
    const bool add = start == SumStart::kAdd;
    sums.value[i] = add ? sums.value[i] + value : value;
    sums.variance[i] = add ? sums.variance[i] + variance : variance;
    if (sums.slope != nullptr) sums.slope[i] = add ? sums.slope[i] + slope : slope;
  }
}

void add_noise_reference(std::span<const float> variance, std::span<const float> normal, std::span<float> value) {
  for (std::size_t i = 0; i < value.size(); ++i) value[i] += std::sqrt(variance[i]) * normal[i];
}

}  // namespace errata::training
