#pragma once

#include <cstdint>
#include <span>

namespace errata::training {

/// Names a block of normals: pure function of all five numbers and of the place in the block.
struct NormalBlock {
  std::uint64_t seed = 0;
  std::uint32_t purpose = 0;   ///< a StreamPurpose
  std::uint64_t a = 0, b = 0;  ///< for example tile and image, below 2³² each
  std::uint64_t c = 0;         ///< for example the chip; folded into the key
};

/// The Philox key of a block.
struct PhiloxKey {
  std::uint32_t low = 0, high = 0;
};
PhiloxKey key_of(const NormalBlock& block);

/// Rounds of Philox4x32: the fewest that pass BigCrush (Salmon et al. 2011, table 2).
inline constexpr int kPhiloxRounds = 7;

/// Series of the logarithm (2 atanh), sine and cosine, highest power first.
inline constexpr float kLogSeries[] = {0.111111111f, 0.142857143f, 0.2f, 0.333333333f, 1.0f};
inline constexpr float kSineSeries[] = {-1.0f / 5040, 1.0f / 120, -1.0f / 6, 1.0f};
inline constexpr float kCosineSeries[] = {1.0f / 40320, -1.0f / 720, 1.0f / 24, -0.5f, 1.0f};
/// π/4 · 2⁻³¹.
inline constexpr float kEighthTurn = 0.785398163f * 0x1.0p-31f;

/// Fills `out` with standard normals in fp32: pairs of Philox4x32-7 words by the polar form of Box and Muller, which
/// reaches 6.7 σ with the right probabilities. + − × ÷ √ and bits only: the same bits for every vector width (Highway,
/// chosen at run time) and in fill_normals_reference().
void fill_normals(const NormalBlock& block, std::span<float> out);
/// The same from value number `first` of the block on.
void fill_normals_from(const NormalBlock& block, std::size_t first, std::span<float> out);

}  // namespace errata::training
