#pragma once

#include <span>
#include <vector>

#include "errormodel/error_table.h"

namespace errata::training {

/// One operand of a tile, digit by digit: what composed tables are made from.
struct PlaneOperand {
  std::vector<float> y, a;  ///< ideal MAC and second axis of each digit, least significant first
  double digit_base = 2.0;  ///< weight of a digit over that of the one before
};

/// Errors of a whole multi-bit partial sum of one layer (methods.md §4.3): μ, σ_D, rounding and clipping of every
/// bit-plane composed over the layer's own operands, with the static offset of the column as an axis.
///
///     out = Y + shift(o, Y) + sigma(o, Y)·ε,   Y = Σ_d base^d y_s,d without the offset
///
/// The offset acts before the ADC of each plane; it does not add as 2^B − 1.
struct ComposedTable {
  std::size_t bins = 64;            ///< along Y
  float y_low = 0, y_high = 1;      ///< range of Y, bin centres at both ends
  std::vector<float> offsets;       ///< axis of static offsets in MAC units
  std::vector<float> shift, sigma;  ///< [offsets][bins]

  /// Shift and σ of a column with its offset: two rows of `bins` values, linear between offsets.
  void of_column(float offset, std::span<float> shift_row, std::span<float> sigma_row) const;
};

/// Composes over operands of one layer. `offset_reach` is the largest |offset| that columns will have.
ComposedTable compose(const errormodel::ErrorTable& table, std::span<const PlaneOperand> operands, double offset_reach);

/// Mean and variance of step·code for a normal analog value: the ADC's rounding and clipping integrated exactly.
struct QuantizedMoments {
  double mean = 0, variance = 0;
};
QuantizedMoments quantized_moments(const AdcOptions& adc, double value, double sigma);

}  // namespace errata::training
