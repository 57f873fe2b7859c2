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

/// Fills `out` with standard normals in fp32: Philox4x32-10 words inverted by a polynomial (relative error below
/// 4e-6 up to the end of the tails at 6.2 σ). The same bits for every vector width
/// (Highway, chosen at run time) and in fill_normals_reference(). Source: M. Giles,
/// "Approximating the erfinv function", GPU Computing Gems 2 (2011), single-precision coefficients.
void fill_normals(const NormalBlock& block, std::span<float> out);

}  // namespace errata::training
