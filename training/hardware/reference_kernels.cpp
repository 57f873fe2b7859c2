#include "training/hardware/reference_kernels.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

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
  for (int round = 0; round < kPhiloxRounds; ++round) {
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

template <std::size_t N>
float polynomial(const float (&coefficient)[N], float x) {
  float sum = coefficient[0];
  for (std::size_t k = 1; k < N; ++k) sum = coefficient[k] + sum * x;
  return sum;
}

/// −ln of 2⁻³² ≤ x ≤ 1 in fp32 by exponent and an atanh series.
float minus_log(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  const std::int32_t exponent = static_cast<std::int32_t>(bits - 0x3f3504f3u) >> 23;  // mantissa in [√½, √2)
  const float m = std::bit_cast<float>(bits - (static_cast<std::uint32_t>(exponent) << 23));
  const float s = (m - 1.0f) / (m + 1.0f);
  return -(static_cast<float>(exponent) * 0.693147181f + (s + s) * polynomial(kLogSeries, s * s));
}

float with_sign(float value, std::uint32_t bits) {
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) ^ (bits & 0x80000000u));
}

/// r · (cos φ, sin φ): r² = −2 ln u with u from `a`; φ is a quarter of a turn by the two upper bits of `b` and up to an
/// eighth either way by the rest.
std::pair<float, float> normal_pair(std::uint32_t a, std::uint32_t b) {
  const float u = (static_cast<float>(static_cast<std::int32_t>(a >> 1)) + 0.5f) * 0x1.0p-31f;
  const float w = minus_log(u), r = std::sqrt(w + w);
  const float x = static_cast<float>(static_cast<std::int32_t>(b << 2)) * kEighthTurn, z = x * x;
  const float across = r * (x * polynomial(kSineSeries, z)), along = r * polynomial(kCosineSeries, z);
  const bool swapped = (b & 0x40000000u) != 0;
  return {with_sign(swapped ? across : along, b ^ (b << 1)), with_sign(swapped ? along : across, b)};
}

}  // namespace

void fill_normals_reference(const NormalBlock& block, std::size_t first, std::span<float> out) {
  const PhiloxKey key = key_of(block);
  constexpr std::size_t kBlock = 4 * kLanes;
  std::uint32_t w[4][kLanes];
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::size_t number = first + i, inside = number % kBlock, word = inside / kLanes, lane = inside % kLanes;
    if (i == 0 || inside == 0)
      philox(static_cast<std::uint32_t>((number - inside) / 4), static_cast<std::uint32_t>(block.a),
             static_cast<std::uint32_t>(block.b), block.purpose, key.low, key.high, w);
    const auto [along, across] = normal_pair(w[word / 2 * 2][lane], w[word / 2 * 2 + 1][lane]);
    out[i] = word % 2 == 0 ? along : across;
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

void add_noise_reference(const ReadWords& words, const ReadWords& tails, std::span<const float> variance,
                         std::span<float> value) {
  constexpr std::size_t kQuad = ReadWords::kQuadReads * ReadWords::kQuadColumns;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const std::int16_t normal = quad_normal_reference(words, tails, static_cast<std::uint32_t>(i / kQuad), i % kQuad);
    value[i] += std::sqrt(variance[i]) * (kShortNormalScale * static_cast<float>(normal));
  }
}

void subset_sums_reference(const SubsetSums& sums, std::size_t block, const std::uint32_t* places, std::size_t reads,
                           float* out, std::size_t stride) {
  const float* table = sums.table().data() + block * sums.block_size();
  for (std::size_t r = 0; r < reads; ++r)
    for (std::size_t c = 0; c < SubsetSums::kBlockColumns; ++c) {
      float sum = table[places[r * sums.groups()] + c];
      for (std::size_t g = 1; g < sums.groups(); ++g) sum += table[places[r * sums.groups() + g] + c];
      out[r * stride + c] = sum;
    }
}

namespace {

struct Place {
  float between;
  std::size_t point;
};

Place place_of(float x, float low, float scale, std::size_t points) {
  const float at = (x - low) * scale, above = at > 0.0f ? at : 0.0f, last = static_cast<float>(points - 1);
  const float bounded = above < last ? above : last;
  const std::size_t point = std::min(static_cast<std::size_t>(bounded), points - 2);
  return {bounded - static_cast<float>(point), point};
}

float between(float low, float high, float share) { return low + share * (high - low); }

}  // namespace

void row_errors_reference(const ErrorSurfaces& s, const float* row, const ReadErrors& e, std::size_t first,
                          std::size_t column, float* values) {
  for (std::size_t c = column; c < e.columns; ++c) {
    const float y = values[c] + e.offset[c];
    const Place p = place_of(y, s.y_low, s.y_scale, s.y_points);
    const float* n = row + 2 * p.point;
    values[c] = y + between(n[0], n[2], p.between) + between(n[1], n[3], p.between) * e.normal[first + c];
  }
}

void pair_errors_reference(const ErrorSurfaces& s, const float* a, const ReadErrors& e, std::size_t first,
                           std::size_t column, float* values) {
  for (std::size_t c = column; c < e.columns; ++c) {
    const float y = values[c] + e.offset[c];
    const Place p = place_of(y, s.y_low, s.y_scale, s.y_points), q = place_of(a[c], s.a_low, s.a_scale, s.a_points);
    const float *low = s.nodes.data() + 2 * (q.point * s.y_points + p.point), *high = low + 2 * s.y_points;
    const float mu = between(between(low[0], low[2], p.between), between(high[0], high[2], p.between), q.between);
    const float sigma = between(between(low[1], low[3], p.between), between(high[1], high[3], p.between), q.between);
    values[c] = y + mu + sigma * e.normal[first + c];
  }
}

void to_codes_reference(const AdcOptions& adc, std::span<float> values) {
  const auto step = static_cast<float>(adc.step()), low = static_cast<float>(adc.lowest_code()),
             high = static_cast<float>(adc.highest_code());
  for (float& value : values) {
    const float scaled = value / step, above = scaled > low ? scaled : low, bounded = above < high ? above : high;
    value = static_cast<float>(static_cast<std::int32_t>(bounded + (std::signbit(bounded) ? -0.5f : 0.5f)));
  }
}

}  // namespace errata::training
