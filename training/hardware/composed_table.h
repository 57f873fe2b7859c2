#pragma once

#include <span>
#include <vector>

#include "errormodel/error_table.h"

namespace errata::training {

/// One operand of a tile, digit by digit: what composed tables are made from.
struct PlaneOperand {
  std::vector<float> y, a;   ///< ideal MAC and second axis of each digit, least significant first
  std::vector<float> error;  ///< y_s − y of each digit on some chip, without the column's offset; empty: zeros
  double digit_base = 2.0;   ///< weight of a digit over that of the one before
};

/// Errors of a whole multi-bit partial sum of one layer (methods.md §4.3): μ, σ_D, rounding and clipping of every
/// bit-plane composed over the layer's own operands, with the static offset of the column as an axis.
///
///     out = Y + shift(o, Y) + √variance(o, Y) · ε,   Y = Σ_d base^d (y_d + pass · (y_s,d − y_d))
///
/// The offset acts before the ADC of each plane; it does not add as 2^B − 1. Neither do the other static errors where
/// the ADC is coarse and noise is small: of a deviation that rounding swallows, nothing comes out. `pass` is how much
/// does: the regression of the output's error on Σ base^d (y_s,d − y_d) over the layer's operands.
struct ComposedTable {
  std::size_t bins = 64;               ///< along Y
  float y_low = 0, y_high = 1;         ///< range of Y, bin centres at both ends
  float pass = 1;                      ///< share of static deviations that comes out of the ADCs
  std::vector<float> offsets;          ///< axis of static offsets in MAC units
  std::size_t adcs = 1;                ///< examples of bent ADCs
  std::vector<float> shift, variance;  ///< [adcs][offsets][bins]

  /// Shift and variance of a column with its offset and example of an ADC, linear between offsets: [bins][2].
  void of_column(float offset, std::size_t adc, std::span<float> rows) const;
};

struct ComposeOptions {
  AdcOptions adc;
  double offset_sigma = 0.0;  ///< of the columns' static offsets in MAC units, those of their ADCs included
  /// Transitions of examples of ADCs without offset and gain error; empty: the ideal one.
  std::vector<std::vector<double>> transitions;
};

/// Composes over operands of one layer.
ComposedTable compose(const errormodel::ErrorTable& table, std::span<const PlaneOperand> operands,
                      const ComposeOptions& options);

/// Mean and variance of step·code for a normal analog value: the ADC's rounding and clipping integrated exactly.
struct QuantizedMoments {
  double mean = 0, variance = 0;
};
/// `transitions` in steps, as adc_transitions() gives them.
QuantizedMoments quantized_moments(const AdcOptions& adc, std::span<const double> transitions, double value,
                                   double sigma);

/// Transitions of an ADC without errors.
std::vector<double> ideal_transitions(const AdcOptions& adc);

}  // namespace errata::training
