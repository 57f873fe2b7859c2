#include "training/layers/quantizer.h"

#include <algorithm>
#include <cmath>

#include "training/layers/vector_clones.h"

namespace errata::training {

namespace {

/// Rounds half to even for |x| < 2²²; adding 1.5·2²³ leaves no fraction bits. Vectorises without SSE 4.1.
inline float round_small(float x) {
  constexpr float kMagic = 12582912.0f;
  return (x + kMagic) - kMagic;
}

constexpr std::size_t kLanes = 8;

}  // namespace

QuantizerRange QuantizerRange::of_weights(int bits) {
  const auto level = static_cast<float>((1 << (bits - 1)) - 1);
  return {-level, level};
}

QuantizerRange QuantizerRange::of_inputs(int bits) { return {0.0f, static_cast<float>((1 << bits) - 1)}; }

ERRATA_VECTOR_CLONES void quantize(std::span<const float> values, float step, QuantizerRange range,
                                   std::span<float> codes) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float ratio = values[i] / step;
    const float above = ratio < range.low ? range.low : ratio;
    codes[i] = round_small(above > range.high ? range.high : above);
  }
}

ERRATA_VECTOR_CLONES void inside_ratio(std::span<const float> values, float step, QuantizerRange range,
                                       std::span<float> ratios) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float ratio = values[i] / step;
    const float above = ratio > range.low ? ratio : 0.0f;
    ratios[i] = above < range.high ? above : 0.0f;
  }
}

ERRATA_VECTOR_CLONES double pass_straight_through(std::span<const float> values, float step, QuantizerRange range,
                                                  float scale, std::span<float> gradient) {
  // Written out, without a function for one value: g++ vectorises it as it stands only.
  const float* __restrict value = values.data();
  float* __restrict passed = gradient.data();
  const std::size_t count = values.size();
  double sums[kLanes] = {};
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const float ratio = value[i + lane] / step;
      const float above = ratio > range.low ? passed[i + lane] : 0.0f;
      const float inside = ratio < range.high ? above : 0.0f;
      sums[lane] += static_cast<double>(inside) * static_cast<double>(ratio);
      passed[i + lane] = scale * inside;
    }
  for (; i < count; ++i) {
    const float ratio = value[i] / step;
    const float inside = ratio > range.low && ratio < range.high ? passed[i] : 0.0f;
    sums[0] += static_cast<double>(inside) * static_cast<double>(ratio);
    passed[i] = scale * inside;
  }
  double total = 0.0;
  for (const double sum : sums) total += sum;
  return total;
}

float initial_step(std::span<const float> values, QuantizerRange range) {
  double sum = 0.0;
  for (const float value : values) sum += std::fabs(static_cast<double>(value));
  return initial_step(values.empty() ? 0.0 : sum / static_cast<double>(values.size()), range);
}

float initial_step(double mean_magnitude, QuantizerRange range) {
  return std::max(kMinimumStep, static_cast<float>(2.0 * mean_magnitude / std::sqrt(static_cast<double>(range.high))));
}

double step_gradient_scale(std::size_t count, QuantizerRange range) {
  return 1.0 / std::sqrt(static_cast<double>(count) * static_cast<double>(range.high));
}

}  // namespace errata::training
