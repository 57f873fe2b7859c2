#include "training/hardware/device_weight.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "training/hardware/staircase_table.h"

namespace errata::training {

namespace {

constexpr double kReach = 36.0;  // σ(−36) is 2e-16: beyond it a step is taken or not, to the last bit

/// h(t) of methods.md §4.2; its limit t at ν = 0.
double shape(double t, double nonlinearity) {
  if (std::fabs(nonlinearity) < 1e-9) return t;
  return std::expm1(-nonlinearity * t) / std::expm1(-nonlinearity);
}

[[noreturn]] void refuse(std::string message) {
  throw Error(ExitStatus::kInvalidProject, "E508", fmt::format("device: {}", message));
}

/// G / (G_max − G_min) of the levels 0 … `count` − 1 of one device.
std::vector<double> conductances(const DeviceOptions& o, std::size_t count) {
  std::vector<double> g(count);
  if (o.levels.empty()) {
    if (!(o.ratio > 1.0)) refuse(fmt::format("ratio = {}, need above 1", o.ratio));
    for (std::size_t k = 0; k < count; ++k)
      g[k] = 1.0 / (o.ratio - 1.0) + shape(static_cast<double>(k) / static_cast<double>(count - 1), o.nonlinearity);
    return g;
  }
  if (o.levels.size() != count)
    refuse(fmt::format("{} measured levels, the weight's bits need {}", o.levels.size(), count));
  const double span = o.levels.back() - o.levels.front();
  if (!(o.levels.front() >= 0.0) || !(span > 0.0) || !std::ranges::is_sorted(o.levels))
    refuse("measured levels need to ascend from at least 0");
  for (std::size_t k = 0; k < count; ++k) g[k] = o.levels[k] / span;
  return g;
}

}  // namespace

DeviceStaircase::DeviceStaircase(const DeviceOptions& options, int largest) : largest_(largest) {
  if (largest < 1) refuse("weights need at least two bits");
  if (!(options.asymmetry > 0.0)) refuse(fmt::format("asymmetry = {}, need above 0", options.asymmetry));
  const auto k_max = static_cast<std::size_t>(largest);
  values_.resize(2 * k_max + 1);
  if (options.pair == DevicePair::kPair) {
    const auto g = conductances(options, k_max + 1);
    for (std::size_t k = 0; k <= k_max; ++k) {
      values_[k_max + k] = g[k] - options.asymmetry * g[0];
      if (k > 0) values_[k_max - k] = g[0] - options.asymmetry * g[k];
    }
    return;
  }
  const auto g = conductances(options, 2 * k_max + 1);
  for (std::size_t k = 0; k < values_.size(); ++k) values_[k] = 2.0 * (g[k] - options.asymmetry * g[k_max]);
}

DeviceStaircase::Point DeviceStaircase::smooth(double u, double temperature) const {
  const double place = u * largest_ + 0.5;  // step from code k − 1 to k lies at k
  const double reach = kReach * temperature;
  const double top = largest_;
  const int first = static_cast<int>(std::clamp(std::ceil(place - reach), 1.0 - top, top + 1.0));
  const int last = static_cast<int>(std::clamp(std::floor(place + reach), -top, top));
  Point p{value(first - 1), 0.0};
  for (int k = first; k <= last; ++k) {
    const double step = value(k) - value(k - 1);
    const double e = std::exp(-std::fabs(place - k) / temperature), small = e / (1.0 + e);
    p.value += step * (place >= k ? 1.0 - small : small);
    p.slope += step * e / ((1.0 + e) * (1.0 + e)) * largest_ / temperature;
  }
  return p;
}

void DeviceStaircase::hard(std::span<const float> codes, std::span<float> out) const {
  std::vector<float> scaled(values_.size());
  for (std::size_t k = 0; k < scaled.size(); ++k) scaled[k] = static_cast<float>(largest_ * values_[k]);
  for (std::size_t i = 0; i < codes.size(); ++i)
    out[i] = scaled[static_cast<std::size_t>(static_cast<int>(codes[i]) + largest_)];
}

/// Fewer weights than a table has pieces go by the formula.
void DeviceStaircase::smooth(std::span<const float> weights, float step, double temperature, std::span<float> out,
                             std::span<float> slopes) const {
  if (temperature < StaircaseTable::kLowestTemperature || weights.size() < 256) {
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const Point p = smooth(static_cast<double>(weights[i]) / static_cast<double>(step) / largest_, temperature);
      out[i] = static_cast<float>(largest_ * p.value);
      slopes[i] = static_cast<float>(p.slope);
    }
    return;
  }
  std::vector<double> heights(values_.size() - 1);
  for (std::size_t k = 0; k < heights.size(); ++k) heights[k] = largest_ * (values_[k + 1] - values_[k]);
  const StaircaseTable table(largest_ * values_.front(), heights, 1 - largest_, temperature);
  const double per_step = 1.0 / static_cast<double>(step);
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const auto p = table(static_cast<double>(weights[i]) * per_step + 0.5);
    out[i] = p.value;
    slopes[i] = p.slope;
  }
}

}  // namespace errata::training
