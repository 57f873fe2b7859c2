#pragma once

#include <cstddef>
#include <span>

#include "training/hardware/device_weight.h"

namespace errata::training {

/// Widths of the integer codes of a matrix layer.
struct QuantizationOptions {
  int weight_bits = 0;     ///< signed codes −L … L, L = 2^(bits−1) − 1; 0: floating point; else 2 … 16
  int input_bits = 0;      ///< unsigned codes 0 … 2^bits − 1; 0: floating point; else 1 … 16
  DeviceOptions device{};  ///< what the weights' levels are worth

  bool operator==(const QuantizationOptions&) const = default;
};

/// A uniform quantiser code(v) = clamp(round(v / step), low, high), rounding half to even, whose step is
/// learned: LSQ, Esser et al. 2020, "Learned Step Size Quantization", equations 1–3.
struct QuantizerRange {
  float low = 0.0f;
  float high = 0.0f;

  /// Range of signed weight codes.
  static QuantizerRange of_weights(int bits);
  /// Range of unsigned input codes.
  static QuantizerRange of_inputs(int bits);
};

/// Steps stay above this, so that codes are always defined.
inline constexpr float kMinimumStep = 1e-5f;

/// codes[i] = clamp(round(values[i] / step)).
void quantize(std::span<const float> values, float step, QuantizerRange range, std::span<float> codes);

/// values[i] / step where that lies strictly inside the range, else 0.
void inside_ratio(std::span<const float> values, float step, QuantizerRange range, std::span<float> ratios);

/// Straight-through estimator: gradient[i] becomes scale · gradient[i] where values[i] / step lies strictly
/// inside the range, else 0. Returns Σ gradient[i] · values[i] / step over the inside, with the old gradient.
double pass_straight_through(std::span<const float> values, float step, QuantizerRange range, float scale,
                             std::span<float> gradient);

/// First step for these values, 2 · mean|v| / √high, at least kMinimumStep.
float initial_step(std::span<const float> values, QuantizerRange range);
/// The same from mean|v|.
float initial_step(double mean_magnitude, QuantizerRange range);

/// LSQ's scale of the step's gradient, 1 / √(count · high).
double step_gradient_scale(std::size_t count, QuantizerRange range);

}  // namespace errata::training
