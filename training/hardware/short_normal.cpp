#include "training/hardware/short_normal.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/random_stream.h"

namespace errata::training {

namespace {

constexpr std::size_t kSegments = ShortNormalTables::kSegments, kPowers = ShortNormalTables::kPowers;

/// −Φ⁻¹ at `share` of a magnitude of 2¹⁵, in units of the table: half of all words are negative.
double scaled_quantile(double magnitude) { return -ShortNormalTables::kUnit * inverse_normal(magnitude / 65536.0); }

/// c[0] + c[1] t + c[2] t² + c[3] t³ through the quantiles at the Chebyshev nodes of a segment (Newton's form).
std::array<double, kPowers> cubic(double first, double width) {
  std::array<double, kPowers> node{}, divided{}, c{};
  // (1 − cos(π (2k + 1) / 8)) / 2, written out: the same bits everywhere.
  constexpr double kNodes[kPowers] = {0.0380602337443566, 0.3086582838174551, 0.6913417161825449, 0.9619397662556434};
  for (std::size_t k = 0; k < kPowers; ++k) {
    node[k] = kNodes[k];
    divided[k] = scaled_quantile(first + width * kNodes[k]);
  }
  for (std::size_t order = 1; order < kPowers; ++order)
    for (std::size_t k = kPowers - 1; k >= order; --k)
      divided[k] = (divided[k] - divided[k - 1]) / (node[k] - node[k - order]);
  for (std::size_t k = kPowers; k-- > 0;) {
    for (std::size_t power = kPowers - 1; power > 0; --power) c[power] = c[power - 1] - node[k] * c[power];
    c[0] = divided[k] - node[k] * c[0];
  }
  return c;
}

/// Fixed-point product of 15 fractional bits, rounded, as the vector instruction has it.
std::int32_t mul_fixed(std::int32_t a, std::int32_t b) { return (a * b + 0x4000) >> 15; }

using Cubic = std::array<std::int32_t, kPowers>;

std::int32_t value_of(const Cubic& c, std::int32_t share) {
  std::int32_t value = c[kPowers - 1];
  for (std::size_t p = kPowers - 1; p-- > 0;) value = c[p] + mul_fixed(share, value);
  return value;
}

/// Of the roundings up and down around `c`, the one whose values in 16 bits are nearest to the quantiles.
Cubic best_rounding(const std::array<double, kPowers>& c, double first, double width) {
  constexpr std::int32_t kSamples = 128, kStep = 32768 / kSamples;
  std::array<double, kSamples> exact{};
  for (std::size_t k = 0; k < kSamples; ++k)
    exact[k] = scaled_quantile(first + width * (static_cast<double>(k) + 0.5) / kSamples);
  Cubic best{};
  double least = 1e300;
  for (int trial = 0; trial < 256; ++trial) {  // floor − 1 … floor + 2 of each
    Cubic tried{};
    for (std::size_t p = 0; p < kPowers; ++p)
      tried[p] = static_cast<std::int32_t>(std::floor(c[p])) - 1 + ((trial >> (2 * p)) & 3);
    double sum = 0.0, squares = 0.0;
    for (std::int32_t k = 0; k < kSamples; ++k) {
      const double off = value_of(tried, k * kStep + kStep / 2) - exact[static_cast<std::size_t>(k)];
      sum += off;
      squares += off * off;
    }
    const double cost = squares + sum * sum / 4;  // a common shift does not average out
    if (cost < least) {
      least = cost;
      best = tried;
    }
  }
  return best;
}

ShortNormalTables make_tables() {
  ShortNormalTables t{};
  const std::uint16_t widths[2] = {ShortNormalTables::kWide, ShortNormalTables::kTail};
  for (std::size_t w = 0; w < 2; ++w)
    for (std::size_t s = 1; s < kSegments; ++s) {
      // A word stands for the values up to the next one: its middle, or what the dither leaves of it.
      const double first = static_cast<double>(s) * widths[w] + (w == 0 ? 0.5 : 0.5 / 256);
      const Cubic c = best_rounding(cubic(first, widths[w]), first, widths[w]);
      for (std::size_t p = 0; p < kPowers; ++p) {
        const auto rounded = static_cast<std::uint16_t>(c[p]);
        t.coefficient[w][p][0][s] = static_cast<std::uint8_t>(rounded & 0xff);
        t.coefficient[w][p][1][s] = static_cast<std::uint8_t>(rounded >> 8);
      }
    }
  for (std::size_t k = 0; k < t.tail.size(); ++k)
    t.tail[k] = static_cast<std::int16_t>(
        std::lround(scaled_quantile(1.0 + static_cast<double>(k) / ShortNormalTables::kTailSteps)));
  return t;
}

/// The AES substitution box: inverse in GF(2⁸), then the affine map (FIPS 197).
std::array<std::uint8_t, 256> make_substitution() {
  std::array<std::uint8_t, 256> box{};
  std::uint8_t p = 1, q = 1;
  do {  // p runs through all powers of 3, q through their inverses
    p = static_cast<std::uint8_t>(p ^ (p << 1) ^ ((p & 0x80) != 0 ? 0x1b : 0));
    q = static_cast<std::uint8_t>(q ^ (q << 1));
    q = static_cast<std::uint8_t>(q ^ (q << 2));
    q = static_cast<std::uint8_t>(q ^ (q << 4));
    if ((q & 0x80) != 0) q ^= 0x09;
    box[p] =
        static_cast<std::uint8_t>(q ^ std::rotl(q, 1) ^ std::rotl(q, 2) ^ std::rotl(q, 3) ^ std::rotl(q, 4) ^ 0x63);
  } while (p != 1);
  box[0] = 0x63;
  return box;
}

std::uint8_t twice(std::uint8_t x) { return static_cast<std::uint8_t>((x << 1) ^ ((x & 0x80) != 0 ? 0x1b : 0)); }

using AesState = std::array<std::uint8_t, 16>;

enum class MixColumns : bool { kNo, kYes };

AesState aes_round(const AesState& state, const AesState& key, MixColumns mix) {
  static const auto box = make_substitution();
  AesState out{};
  for (std::size_t column = 0; column < 4; ++column) {
    std::uint8_t b[4];
    for (std::size_t row = 0; row < 4; ++row) b[row] = box[state[4 * ((column + row) % 4) + row]];
    for (std::size_t row = 0; row < 4; ++row) {
      const std::uint8_t next = b[(row + 1) % 4];
      const auto mixed =
          static_cast<std::uint8_t>(twice(b[row]) ^ twice(next) ^ next ^ b[(row + 2) % 4] ^ b[(row + 3) % 4]);
      out[4 * column + row] =
          static_cast<std::uint8_t>((mix == MixColumns::kYes ? mixed : b[row]) ^ key[4 * column + row]);
    }
  }
  return out;
}

std::array<std::uint64_t, 2> next_key(const std::array<std::uint64_t, 2>& key) {
  return {key[0] + 0x9E3779B97F4A7C15ull, key[1] + 0xBB67AE8584CAA73Bull};
}

}  // namespace

std::int16_t ShortNormalTables::tail_value(std::uint16_t magnitude, std::uint32_t bits) const {
  if (magnitude == 0) {
    const double quantile = scaled_quantile((static_cast<double>(bits) + 0.5) * 0x1p-32);
    return static_cast<std::int16_t>(std::min(std::lround(quantile), 32767L));
  }
  const std::size_t k = (magnitude - std::size_t{1}) * kTailSteps + (bits >> 28);
  const std::int32_t share = static_cast<std::int32_t>((bits >> 12) & 0xffff), step = tail[k + 1] - tail[k];
  return static_cast<std::int16_t>(tail[k] + ((step * share + 0x8000) >> 16));
}

const ShortNormalTables& short_normal_tables() {
  static const ShortNormalTables tables = make_tables();
  return tables;
}

std::array<std::uint32_t, 4> ars(std::array<std::uint32_t, 4> counter, std::array<std::uint64_t, 2> key, int rounds) {
  auto state = std::bit_cast<AesState>(counter);
  const auto first = std::bit_cast<AesState>(key);
  for (std::size_t k = 0; k < state.size(); ++k) state[k] ^= first[k];
  for (int round = 1; round <= rounds; ++round) {
    key = next_key(key);
    state = aes_round(state, std::bit_cast<AesState>(key), round < rounds ? MixColumns::kYes : MixColumns::kNo);
  }
  return std::bit_cast<std::array<std::uint32_t, 4>>(state);
}

ReadWords::ReadWords(const NormalBlock& block)
    : counter{0, static_cast<std::uint32_t>(block.a), static_cast<std::uint32_t>(block.b), block.purpose} {
  const PhiloxKey k = key_of(block);
  const std::uint64_t joined = std::uint64_t{k.high} << 32 | k.low;
  key[0] = {joined, ~joined};
  for (std::size_t r = 1; r <= kRounds; ++r) key[r] = next_key(key[r - 1]);
}

std::array<std::uint16_t, 8> read_words_reference(const ReadWords& words, std::uint32_t number) {
  auto counter = words.counter;
  counter[0] += number;
  return std::bit_cast<std::array<std::uint16_t, 8>>(ars(counter, words.key[0], ReadWords::kRounds));
}

std::int16_t short_normal_reference(std::uint16_t word, std::uint8_t dither, std::uint32_t tail_bits) {
  const ShortNormalTables& t = short_normal_tables();
  const auto magnitude = static_cast<std::uint16_t>(word & 0x7fff);
  std::int32_t value = 0;
  if (magnitude < ShortNormalTables::kTail) {
    value = t.tail_value(magnitude, tail_bits);
  } else {
    const bool wide = magnitude >= ShortNormalTables::kWide;
    const std::size_t segment = wide ? magnitude >> 11 : magnitude >> 7, w = wide ? 0 : 1;
    const std::int32_t share = (wide ? magnitude << 4 : magnitude << 8 | dither) & 0x7fff;
    Cubic c{};
    for (std::size_t p = 0; p < kPowers; ++p)
      c[p] = static_cast<std::int16_t>(t.coefficient[w][p][0][segment] | t.coefficient[w][p][1][segment] << 8);
    value = value_of(c, share);
  }
  return static_cast<std::int16_t>((word & 0x8000) != 0 ? -value : value);
}

std::int16_t quad_normal_reference(const ReadWords& words, const ReadWords& tails, std::uint32_t quad,
                                   std::size_t place) {
  const auto word = [&](std::size_t at) {
    const auto block = quad * static_cast<std::uint32_t>(ReadWords::kQuadBlocks) + static_cast<std::uint32_t>(at / 8);
    return read_words_reference(words, block)[at % 8];
  };
  const std::uint16_t own = word(place);
  std::uint32_t tail = 0;
  if ((own & 0x7fff) < ShortNormalTables::kTail) {
    constexpr std::size_t kNormals = ReadWords::kQuadReads * ReadWords::kQuadColumns;
    const auto more =
        read_words_reference(tails, static_cast<std::uint32_t>(quad * kNormals) + static_cast<std::uint32_t>(place));
    tail = more[0] | static_cast<std::uint32_t>(more[1]) << 16;
  }
  return short_normal_reference(own, static_cast<std::uint8_t>(word(place ^ ReadWords::kQuadColumns) >> 8), tail);
}

}  // namespace errata::training
