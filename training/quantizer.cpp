#include "training/quantizer.h"

#include <algorithm>
#include <cmath>

#include "training/vector_clones.h"

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
  double sums[kLanes] = {};
  const auto one = [&](std::size_t i, double& sum) {
    const float ratio = values[i] / step;
    const float above = ratio > range.low ? gradient[i] : 0.0f;
    const float inside = ratio < range.high ? above : 0.0f;
    sum += static_cast<double>(inside) * static_cast<double>(ratio);
    gradient[i] = scale * inside;
  };
  std::size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane) one(i + lane, sums[lane]);
  for (; i < values.size(); ++i) one(i, sums[0]);
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
