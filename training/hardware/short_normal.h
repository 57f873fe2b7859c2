#pragma once

#include <array>
#include <cstdint>

#include "training/hardware/fast_normal.h"

namespace errata::training {

/// Standard normals as 16-bit numbers, kUnit to one σ: what read noise is made of where conversions are worked out in
/// 16 bits. A random word of 16 bits gives sign and cell of the inverse distribution function, cubic between cells;
/// outside ±2.9 σ (one word in 256) 32 bits more place the value, out to 8 σ.
struct ShortNormalTables {
  static constexpr int kUnit = 4096;
  static constexpr std::size_t kSegments = 16, kPowers = 4;
  /// Magnitudes below it, of 2¹⁵, are the tail; from it on a segment holds so many, from kWide on kWide.
  static constexpr std::uint16_t kTail = 128, kWide = 2048;
  static constexpr std::size_t kTailSteps = 16;  ///< points of the tail in each of its words

  /// [segment width: kWide, kTail][power][low byte, high byte][segment]; segment 0 of either is 0, so that the two add.
  alignas(16) std::uint8_t coefficient[2][kPowers][2][kSegments];
  std::array<std::int16_t, (kTail - 1) * kTailSteps + 1> tail;  ///< from word 1 on

  /// Of a magnitude below kTail and 32 random bits.
  std::int16_t tail_value(std::uint16_t magnitude, std::uint32_t bits) const;
};
const ShortNormalTables& short_normal_tables();
/// From units to σ.
inline constexpr float kShortNormalScale = 1.0f / ShortNormalTables::kUnit;

/// The counter-based generator ARS of Salmon et al. 2011: AES rounds, the last without mixing columns, with round keys
/// that count on. Known answers are tested.
std::array<std::uint32_t, 4> ars(std::array<std::uint32_t, 4> counter, std::array<std::uint64_t, 2> key, int rounds);

/// Random words of read noise: blocks of ARS-5, the fewest rounds that pass BigCrush (Salmon et al. 2011, table 2).
/// Counter { number, a, b, purpose }, key from key_of().
struct ReadWords {
  static constexpr std::size_t kRounds = 5;
  /// 16 blocks are the words of a quad of four reads of 32 columns, [read][column].
  static constexpr std::size_t kQuadReads = 4, kQuadColumns = 32, kQuadBlocks = 16;
  explicit ReadWords(const NormalBlock& block);
  std::array<std::uint32_t, 4> counter;                       ///< number 0
  alignas(64) std::array<std::uint64_t, 2> key[kRounds + 1];  ///< of all rounds
};

/// Block `number` as the kernels must have it.
std::array<std::uint16_t, 8> read_words_reference(const ReadWords& words, std::uint32_t number);
/// A normal of a random word, of the upper byte of another one and of 32 bits for the tail.
std::int16_t short_normal_reference(std::uint16_t word, std::uint8_t dither, std::uint32_t tail_bits);
/// Number `place` of a quad's 128 normals, [read][column]: its dither is the word of read xor 1.
std::int16_t quad_normal_reference(const ReadWords& words, const ReadWords& tails, std::uint32_t quad,
                                   std::size_t place);

}  // namespace errata::training
