#pragma once

#include <cstddef>
#include <span>

#include "training/hardware/short_normal.h"

namespace errata::training {

/// What composed tables make of the conversions of one tile: a row of bins for each (methods.md §4.3).
struct ConversionRows {
  const float* rows = nullptr;  ///< [conversions][bins][2]: shift and variance at the bin's centre
  std::size_t conversions = 0, bins = 0;
  float y_low = 0, per_bin = 1, bin_width = 1;
};

/// Where the tiles of a layer meet, [reads][conversions] each.
///
/// The read noises of a layer's tiles are independent and normal, so that their weighted sum is one normal with the sum
/// of the variances: one draw for a conversion of the layer, not one for each tile and slice.
struct ConversionSums {
  float* value = nullptr;
  float* variance = nullptr;
  float* slope = nullptr;  ///< d value / dY; null: not wanted
};

/// Whether the sums begin with this tile or it is added to those there are.
enum class SumStart { kStart, kAdd };

/// What a tile weighs in the sums.
struct TileWeight {
  float value = 1.0f;  ///< of its slice
  float slope = 1.0f;  ///< its share of the slope
};

/// Adds weight · (y + shift(y)), weight² · variance(y) and slope share · max(0, 1 + d shift/dy) of partial sums y,
/// [reads][conversions], looked up linearly between bins; beyond the rows y is moved to their end and the slope is 0.
/// `partial` may be sums.value. The same bits for every vector width and in add_conversions_reference().
void add_conversions(const ConversionRows& rows, const float* partial, std::size_t reads, TileWeight weight,
                     SumStart start, const ConversionSums& sums);

/// value[i] += √variance[i] · ε with ε normal number i mod 128 of quad i div 128 in 16 bits.
void add_noise(const ReadWords& words, const ReadWords& tails, std::span<const float> variance, std::span<float> value);

}  // namespace errata::training
