#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "core/readout.h"
#include "errormodel/error_table.h"

namespace errata::training {

/// A table's μ and σ_D in fp32, node by node side by side, for bilinear lookup.
class ErrorSurfaces {
 public:
  explicit ErrorSurfaces(const errormodel::ErrorTable& table);

  float y_low = 0, y_scale = 1, a_low = 0, a_scale = 1;  ///< place of y in points: (y − y_low) · y_scale
  std::size_t y_points = 2, a_points = 2;
  std::vector<float> nodes;  ///< [a][y][2]: μ, σ_D

  /// The surfaces at one a: [y][2].
  std::vector<float> at(float a) const;
};

/// Values y_s of conversions, [reads][columns] without the columns' offsets, become analog values before the ADC:
/// y + μ(y, a) + σ_D(y, a) · normal with y = value + offset of the column, by linear lookup, moved to the surfaces'
/// edge beyond them. The same bits for every vector width and in the reference.
struct ReadErrors {
  const float* offset = nullptr;  ///< [columns]
  const float* normal = nullptr;  ///< [reads][columns]
  std::size_t columns = 0;
};

/// Reads of single-ended columns: one a for all columns of a read, [reads].
void add_read_errors(const ErrorSurfaces& surfaces, std::span<const float> a_of_read, const ReadErrors& errors,
                     std::span<float> values);
/// Pairs: an a for each value, [reads][columns].
void add_pair_errors(const ErrorSurfaces& surfaces, std::span<const float> a_of_value, const ReadErrors& errors,
                     std::span<float> values);

/// Codes of the ideal ADC as adc_code() gives them but for fp32: value / step rounded to the nearest (ties away from
/// zero), clipped.
void to_codes(const AdcOptions& adc, std::span<float> values);

}  // namespace errata::training
