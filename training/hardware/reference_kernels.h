#pragma once

#include <span>

#include "training/hardware/composed_epilogue.h"
#include "training/hardware/fast_normal.h"
#include "training/hardware/read_errors.h"
#include "training/hardware/subset_sums.h"

namespace errata::training {

/// Plain loops that say what the vector kernels beside them compute: the same bits, slowly. For tests.

/// fill_normals_from().
void fill_normals_reference(const NormalBlock& block, std::size_t first, std::span<float> out);

/// Values number first … last − 1 of all, [reads][conversions].
struct ValueRange {
  std::size_t first = 0, last = 0;
};

/// add_conversions() of those values.
void add_conversions_reference(const ConversionRows& rows, const float* partial, ValueRange values, TileWeight weight,
                               SumStart start, const ConversionSums& sums);

/// add_noise().
void add_noise_reference(const ReadWords& words, const ReadWords& tails, std::span<const float> variance,
                         std::span<float> value);

/// A block of kBlockColumns columns of SubsetSums::multiply(), `out` [reads][stride] at the block's first column.
void subset_sums_reference(const SubsetSums& sums, std::size_t block, const std::uint32_t* places, std::size_t reads,
                           float* out, std::size_t stride);

/// add_read_errors() and add_pair_errors() of the columns from `column` on of one read, whose first value has the
/// number `first`.
void row_errors_reference(const ErrorSurfaces& surfaces, const float* row, const ReadErrors& errors, std::size_t first,
                          std::size_t column, float* values);
void pair_errors_reference(const ErrorSurfaces& surfaces, const float* a, const ReadErrors& errors, std::size_t first,
                           std::size_t column, float* values);

/// to_codes().
void to_codes_reference(const AdcOptions& adc, std::span<float> values);

}  // namespace errata::training
