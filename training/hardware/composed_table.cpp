#include "training/hardware/composed_table.h"

#include <algorithm>
#include <cmath>

#include "core/statistics.h"

namespace errata::training {

std::vector<double> ideal_transitions(const AdcOptions& adc) {
  std::vector<double> t(static_cast<std::size_t>(adc.codes()) - 1);
  for (std::size_t k = 0; k < t.size(); ++k) t[k] = adc.lowest_code() + static_cast<double>(k) + 0.5;
  return t;
}

QuantizedMoments quantized_moments(const AdcOptions& adc, std::span<const double> transitions, double value,
                                   double sigma) {
  const double step = adc.step();
  constexpr double kReach = 6.0;
  const auto below_of = [&](double v) {
    return static_cast<std::size_t>(std::ranges::upper_bound(transitions, v / step) - transitions.begin());
  };
  const std::size_t low = below_of(value - kReach * sigma), high = below_of(value + kReach * sigma);
  QuantizedMoments m;
  m.mean = step * (adc.lowest_code() + static_cast<double>(sigma < 1e-9 ? below_of(value) : low));
  if (sigma < 1e-9) return m;
  double below = 0.0, first = 0.0, second = 0.0;
  for (std::size_t code = low; code <= high; ++code) {
    const double up_to = code == high ? 1.0 : normal_cdf((transitions[code] * step - value) / sigma);
    const double p = up_to - below, d = step * static_cast<double>(code - low);
    first += p * d;
    second += p * d * d;
    below = up_to;
  }
  m.mean += first;
  m.variance = std::max(0.0, second - first * first);
  return m;
}

namespace {

constexpr double kReach = 4.5;  // σ of the columns' offsets that the axis covers

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

/// What the operands become at one offset through one ADC.
struct Outcome {
  std::vector<double> total, variance;
};

/// What enters the ADC at one offset, [operands · digits].
struct Analog {
  std::vector<double> mean, sigma;
};

/// Moments of one ADC on a grid of values and σ: many operands through many examples.
class MomentGrid {
 public:
  MomentGrid(const AdcOptions& adc, std::span<const double> transitions, double sigma_low, double sigma_high)
      : low_((adc.lowest_code() - kMargin) * adc.step()),
        per_value_(kPerStep / adc.step()),
        values_(static_cast<std::size_t>((adc.codes() + 2 * kMargin) * kPerStep) + 1),
        sigma_low_(sigma_low),
        per_sigma_(sigma_high > sigma_low ? (kSigmas - 1) / (sigma_high - sigma_low) : 0.0) {
    for (std::size_t s = 0; s < kSigmas; ++s)
      for (std::size_t v = 0; v < values_; ++v)
        moments_.push_back(quantized_moments(adc, transitions, low_ + static_cast<double>(v) / per_value_,
                                             sigma_low + (per_sigma_ > 0 ? s / per_sigma_ : 0.0)));
  }

  QuantizedMoments at(double value, double sigma) const {
    const double v = std::clamp((value - low_) * per_value_, 0.0, static_cast<double>(values_ - 1)),
                 s = std::clamp((sigma - sigma_low_) * per_sigma_, 0.0, static_cast<double>(kSigmas - 1));
    const std::size_t i = std::min(static_cast<std::size_t>(v), values_ - 2),
                      j = std::min<std::size_t>(static_cast<std::size_t>(s), kSigmas - 2);
    const double fv = v - static_cast<double>(i), fs = s - static_cast<double>(j);
    const QuantizedMoments *m = &moments_[j * values_ + i], *n = m + values_;
    const double w00 = (1 - fv) * (1 - fs), w01 = fv * (1 - fs), w10 = (1 - fv) * fs, w11 = fv * fs;
    return {w00 * m[0].mean + w01 * m[1].mean + w10 * n[0].mean + w11 * n[1].mean,
            w00 * m[0].variance + w01 * m[1].variance + w10 * n[0].variance + w11 * n[1].variance};
  }

 private:
  static constexpr int kMargin = 2, kPerStep = 16;
  static constexpr std::size_t kSigmas = 6;
  double low_, per_value_;
  std::size_t values_;
  double sigma_low_, per_sigma_;
  std::vector<QuantizedMoments> moments_;
};

/// Composes one layer: every operand at every offset through every ADC, then a table of it.
class Composer {
 public:
  Composer(const errormodel::ErrorTable& table, std::span<const PlaneOperand> operands, const ComposeOptions& options)
      : table_(table), operands_(operands), options_(options), transitions_(options.transitions) {
    if (transitions_.empty()) transitions_.push_back(ideal_transitions(options.adc));
    for (const auto& operand : operands) {
      double sum = 0, error = 0, weight = 1;
      for (std::size_t d = 0; d < operand.y.size(); ++d, weight *= operand.digit_base) {
        sum += weight * operand.y[d];
        error += operand.error.empty() ? 0.0 : weight * operand.error[d];
      }
      ideal_.push_back(sum);
      error_.push_back(error);
    }
  }

  ComposedTable run() {
    ComposedTable c;
    c.adcs = transitions_.size();
    c.offsets = offsets();
    const std::size_t count = c.offsets.size() * c.adcs;
    std::vector<Analog> analog(c.offsets.size());
    std::vector<Outcome> outcomes(count);
#pragma omp parallel for schedule(static)
    for (std::size_t k = 0; k < c.offsets.size(); ++k) analog[k] = analog_at(c.offsets[k]);
    if (c.adcs == 1) {
#pragma omp parallel for schedule(static)
      for (std::size_t k = 0; k < count; ++k)
        outcomes[k] = outcome(analog[k], [&](double value, double sigma) {
          return quantized_moments(options_.adc, transitions_[0], value, sigma);
        });
    } else {
      double low = 1e300, high = 0.0;
      for (const Analog& a : analog)
        for (const double sigma : a.sigma) low = std::min(low, sigma), high = std::max(high, sigma);
#pragma omp parallel for schedule(static)
      for (std::size_t m = 0; m < c.adcs; ++m) {
        const MomentGrid grid(options_.adc, transitions_[m], low, high);
        for (std::size_t k = 0; k < c.offsets.size(); ++k)
          outcomes[m * c.offsets.size() + k] =
              outcome(analog[k], [&](double value, double sigma) { return grid.at(value, sigma); });
      }
    }
    c.pass = static_cast<float>(pass(c, outcomes));
    for (std::size_t i = 0; i < ideal_.size(); ++i) ideal_[i] += c.pass * error_[i];
    set_range(c);
    c.shift.resize(count * c.bins);
    c.variance.resize(count * c.bins);
    for (std::size_t k = 0; k < count; ++k) tabulate(c, outcomes[k], k * c.bins);
    return c;
  }

 private:
  /// Fine enough to show the steps that rounding makes of an offset.
  std::vector<float> offsets() const {
    const double reach = kReach * options_.offset_sigma, per_step = transitions_.size() > 1 ? 4.0 : 8.0;
    if (reach <= 0) return {0.0f};
    const double wanted = std::ceil(2.0 * reach / options_.adc.step() * per_step);
    const int intervals = 2 * static_cast<int>(std::clamp(wanted / 2.0, 4.0, 48.0));
    std::vector<float> axis;
    for (int k = 0; k <= intervals; ++k) axis.push_back(static_cast<float>(reach * (2.0 * k / intervals - 1.0)));
    return axis;
  }

  Analog analog_at(double offset) const {
    Analog at;
    const double adc_noise = options_.adc.noise_sigma * options_.adc.step();
    for (const PlaneOperand& operand : operands_)
      for (std::size_t d = 0; d < operand.y.size(); ++d) {
        const double error = operand.error.empty() ? 0.0 : static_cast<double>(operand.error[d]);
        const double y = operand.y[d] + error + offset, a = operand.a[d];
        at.mean.push_back(y + table_.mean_shift(y, a));
        at.sigma.push_back(std::hypot(table_.read_sigma(y, a), adc_noise));
      }
    return at;
  }

  template <class Moments>
  Outcome outcome(const Analog& analog, Moments moments) const {
    Outcome o{std::vector<double>(operands_.size()), std::vector<double>(operands_.size())};
    for (std::size_t i = 0, n = 0; i < operands_.size(); ++i) {
      double weight = 1.0;
      for (std::size_t d = 0; d < operands_[i].y.size(); ++d, ++n, weight *= operands_[i].digit_base) {
        const QuantizedMoments m = moments(analog.mean[n], analog.sigma[n]);
        o.total[i] += weight * m.mean;
        o.variance[i] += weight * weight * m.variance;
      }
    }
    return o;
  }

  /// Least squares of the output's error on the static deviation, both without what Y tells of them linearly.
  double pass(const ComposedTable& c, std::span<const Outcome> outcomes) const {
    std::vector<double> moved(ideal_.size(), 0.0);
    double weights = 0.0;
    for (std::size_t k = 0; k < outcomes.size(); ++k) {
      const double z = options_.offset_sigma > 0 ? c.offsets[k % c.offsets.size()] / options_.offset_sigma : 0.0;
      const double weight = std::exp(-0.5 * z * z);
      weights += weight;
      for (std::size_t i = 0; i < moved.size(); ++i) moved[i] += weight * (outcomes[k].total[i] - ideal_[i]);
    }
    for (double& m : moved) m /= weights;
    const auto error = residual(error_), rest = residual(moved);
    double square = 0.0, product = 0.0, size = 0.0;
    for (std::size_t i = 0; i < error.size(); ++i) {
      square += error[i] * error[i];
      product += error[i] * rest[i];
      size += ideal_[i] * ideal_[i];
    }
    if (square <= 1e-12 * size || square <= 0.0) return 1.0;
    return std::clamp(product / square, 0.0, 1.5);
  }

  /// Values without their regression on 1 and Y.
  std::vector<double> residual(std::vector<double> values) const {
    if (values.empty()) return values;
    const double center = mean(ideal_), level = mean(values);
    double square = 0.0, product = 0.0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      square += (ideal_[i] - center) * (ideal_[i] - center);
      product += (ideal_[i] - center) * (values[i] - level);
    }
    const double slope = square > 0 ? product / square : 0.0;
    for (std::size_t i = 0; i < values.size(); ++i) values[i] -= level + slope * (ideal_[i] - center);
    return values;
  }

  void set_range(ComposedTable& c) const {
    double low = 0, high = 0;
    for (const double y : ideal_) {
      low = std::min(low, y);
      high = std::max(high, y);
    }
    const double margin = 0.1 * (high - low) + 4.0 * options_.adc.step();  // other chips carry Y a little further
    c.y_low = static_cast<float>(low - margin);
    c.y_high = static_cast<float>(high + margin);
  }

  void tabulate(ComposedTable& c, const Outcome& o, std::size_t first) const {
    const double width = (c.y_high - c.y_low) / static_cast<double>(c.bins - 1);
    std::vector<double> weight(c.bins), mean(c.bins), square(c.bins), variance(c.bins);
    for (std::size_t i = 0; i < operands_.size(); ++i) {
      const double d = o.total[i] - ideal_[i], at = (ideal_[i] - c.y_low) / width;
      const auto bin = static_cast<std::size_t>(at);
      const double f = at - static_cast<double>(bin);
      for (const auto& [n, w] : {std::pair{bin, 1 - f}, std::pair{std::min(bin + 1, c.bins - 1), f}}) {
        weight[n] += w;
        mean[n] += w * d;
        square[n] += w * d * d;
        variance[n] += w * o.variance[i];
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
      c.shift[first + n] = static_cast<float>(mean[n]);
      c.variance[first + n] = static_cast<float>(variance[n]);
    }
  }

  const errormodel::ErrorTable& table_;
  std::span<const PlaneOperand> operands_;
  const ComposeOptions& options_;
  std::vector<std::vector<double>> transitions_;
  std::vector<double> ideal_, error_;  ///< Y, later with what passes of the static deviation; Σ base^d error
};

}  // namespace

ComposedTable compose(const errormodel::ErrorTable& table, std::span<const PlaneOperand> operands,
                      const ComposeOptions& options) {
  return Composer(table, operands, options).run();
}

void ComposedTable::of_column(float offset, std::size_t adc, std::span<float> rows) const {
  std::size_t k = 0;
  float f = 0.0f;
  if (offsets.size() > 1) {
    const float step = offsets[1] - offsets[0];
    const float at = std::clamp((offset - offsets[0]) / step, 0.0f, static_cast<float>(offsets.size() - 1));
    k = std::min(static_cast<std::size_t>(at), offsets.size() - 2);
    f = at - static_cast<float>(k);
  }
  const std::size_t first = (adc * offsets.size() + k) * bins, next = offsets.size() > 1 ? first + bins : first;
  const float *s0 = shift.data() + first, *s1 = shift.data() + next, *v0 = variance.data() + first,
              *v1 = variance.data() + next;
  for (std::size_t n = 0; n < bins; ++n) {
    rows[2 * n] = s0[n] + f * (s1[n] - s0[n]);
    rows[2 * n + 1] = v0[n] + f * (v1[n] - v0[n]);
  }
}

}  // namespace errata::training
