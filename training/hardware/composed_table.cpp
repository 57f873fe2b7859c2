#include "training/hardware/composed_table.h"

#include <algorithm>
#include <cmath>

#include "core/statistics.h"

namespace errata::training {

QuantizedMoments quantized_moments(const AdcOptions& adc, double value, double sigma) {
  const double step = adc.step();
  constexpr double kReach = 6.0;
  const auto code_of = [&](double v) { return adc_code(adc, v); };
  const int low = code_of(value - kReach * sigma), high = code_of(value + kReach * sigma);
  QuantizedMoments m;
  if (sigma < 1e-9 || low == high) {
    m.mean = step * code_of(value);
    return m;
  }
  double below = 0.0, first = 0.0, second = 0.0;
  for (int code = low; code <= high; ++code) {
    const double up_to = code == high ? 1.0 : normal_cdf(((code + 0.5) * step - value) / sigma);
    const double p = up_to - below, d = step * (code - low);
    first += p * d;
    second += p * d * d;
    below = up_to;
  }
  m.mean = step * low + first;
  m.variance = std::max(0.0, second - first * first);
  return m;
}

namespace {

/// Bins without operands take the nearest filled ones: linear between them, constant beyond.
void fill_gaps(std::span<double> values, std::span<const double> weight) {
  std::ptrdiff_t last = -1;
  const auto n = static_cast<std::ptrdiff_t>(values.size());
  for (std::ptrdiff_t i = 0; i < n; ++i) {
    if (weight[i] <= 0) continue;
    for (std::ptrdiff_t k = last + 1; k < i; ++k)
      values[k] = last < 0 ? values[i] : values[last] + (values[i] - values[last]) * (k - last) / (i - last);
    last = i;
  }
  for (std::ptrdiff_t k = last + 1; k < n; ++k) values[k] = last < 0 ? 0.0 : values[last];
}

/// What one operand becomes at one offset.
struct Outcome {
  double total = 0, variance = 0;
};

Outcome convert(const errormodel::ErrorTable& t, const PlaneOperand& operand, double offset) {
  Outcome o;
  double weight = 1.0;
  for (std::size_t b = 0; b < operand.y.size(); ++b, weight *= operand.digit_base) {
    const double y = operand.y[b] + offset, a = operand.a[b];
    const auto m = quantized_moments(t.adc, y + t.mean_shift(y, a), t.read_sigma(y, a));
    o.total += weight * m.mean;
    o.variance += weight * weight * m.variance;
  }
  return o;
}

}  // namespace

ComposedTable compose(const errormodel::ErrorTable& t, std::span<const PlaneOperand> operands, double offset_reach) {
  ComposedTable c;
  std::vector<double> total;
  double low = 0, high = 0;
  for (const auto& operand : operands) {
    double sum = 0, weight = 1;
    for (const float y : operand.y) sum += weight * y, weight *= operand.digit_base;
    total.push_back(sum);
    low = std::min(low, sum);
    high = std::max(high, sum);
  }
  const double margin = 0.1 * (high - low) + 4.0 * t.adc.step();  // static gains carry Y a little further
  c.y_low = static_cast<float>(low - margin);
  c.y_high = static_cast<float>(high + margin);
  const double width = (c.y_high - c.y_low) / static_cast<double>(c.bins - 1);
  const std::size_t count = offset_reach > 0 ? 9 : 1;
  for (std::size_t k = 0; k < count; ++k)
    c.offsets.push_back(static_cast<float>(count == 1 ? 0.0 : offset_reach * (2.0 * k / (count - 1) - 1.0)));
  c.shift.resize(count * c.bins);
  c.sigma.resize(count * c.bins);
#pragma omp parallel for schedule(static)
  for (std::size_t k = 0; k < count; ++k) {
    std::vector<double> weight(c.bins), mean(c.bins), square(c.bins), variance(c.bins);
    for (std::size_t i = 0; i < operands.size(); ++i) {
      const Outcome o = convert(t, operands[i], c.offsets[k]);
      const double d = o.total - total[i], at = (total[i] - c.y_low) / width;
      const auto bin = static_cast<std::size_t>(at);
      const double f = at - static_cast<double>(bin);
      for (const auto& [n, w] : {std::pair{bin, 1 - f}, std::pair{std::min(bin + 1, c.bins - 1), f}}) {
        weight[n] += w;
        mean[n] += w * d;
        square[n] += w * d * d;
        variance[n] += w * o.variance;
      }
    }
    for (std::size_t n = 0; n < c.bins; ++n) {
      if (weight[n] <= 0) continue;
      mean[n] /= weight[n];
      // What Y does not tell about the planes counts as spread here; it is not dynamic (methods.md §4.3).
      variance[n] = variance[n] / weight[n] + std::max(0.0, square[n] / weight[n] - mean[n] * mean[n]);
    }
    fill_gaps(mean, weight);
    fill_gaps(variance, weight);
    for (std::size_t n = 0; n < c.bins; ++n) {
      c.shift[k * c.bins + n] = static_cast<float>(mean[n]);
      c.sigma[k * c.bins + n] = static_cast<float>(std::sqrt(variance[n]));
    }
  }
  return c;
}

void ComposedTable::of_column(float offset, std::span<float> shift_row, std::span<float> sigma_row) const {
  std::size_t k = 0;
  float f = 0.0f;
  if (offsets.size() > 1) {
    const float step = offsets[1] - offsets[0];
    const float at = std::clamp((offset - offsets[0]) / step, 0.0f, static_cast<float>(offsets.size() - 1));
    k = std::min(static_cast<std::size_t>(at), offsets.size() - 2);
    f = at - static_cast<float>(k);
  }
  const float *s0 = shift.data() + k * bins, *d0 = sigma.data() + k * bins;
  const float *s1 = offsets.size() > 1 ? s0 + bins : s0, *d1 = offsets.size() > 1 ? d0 + bins : d0;
  for (std::size_t n = 0; n < bins; ++n) {
    shift_row[n] = s0[n] + f * (s1[n] - s0[n]);
    sigma_row[n] = d0[n] + f * (d1[n] - d0[n]);
  }
}

}  // namespace errata::training
