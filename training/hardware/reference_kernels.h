#pragma once

#include <span>

#include "training/hardware/composed_epilogue.h"
#include "training/hardware/fast_normal.h"

namespace errata::training {

/// Plain loops that say what the vector kernels beside them compute: the same bits, slowly. For tests.

/// fill_normals().
void fill_normals_reference(const NormalBlock& block, std::span<float> out);

/// Values number first … last − 1 of all, [reads][conversions].
struct ValueRange {
  std::size_t first = 0, last = 0;
};

/// add_conversions() of those values.
void add_conversions_reference(const ConversionRows& rows, const float* partial, ValueRange values, TileWeight weight,
                               SumStart start, const ConversionSums& sums);

/// add_noise().
void add_noise_reference(std::span<const float> variance, std::span<const float> normal, std::span<float> value);

}  // namespace errata::training
