#include "core/readout.h"

#include "core/random_stream.h"

namespace errata {

namespace {

/// Output of the capacitor array for every code, ideal would be 0, 1, 2, …: bit b is the sum of 2^b unit capacitors.
std::vector<double> sar_levels(const AdcOptions& adc, RandomStream& random) {
  std::vector<double> weight;
  for (int b = 0; b < adc.bits; ++b) {
    const double units = std::ldexp(1.0, b);
    weight.push_back(units + adc.element_sigma * std::sqrt(units) * random.normal());
  }
  std::vector<double> levels(static_cast<std::size_t>(adc.codes()), 0.0);
  for (std::size_t code = 0; code < levels.size(); ++code)
    for (int b = 0; b < adc.bits; ++b)
      if ((code >> b) & 1u) levels[code] += weight[static_cast<std::size_t>(b)];
  return levels;
}

/// The search asks the middle of what is left: a transition beyond the one asked before is never reached.
void limit_to_search(std::vector<double>& level, std::size_t first, std::size_t count, double low, double high) {
  if (count < 2) return;
  const std::size_t middle = first + count / 2;
  level[middle] = std::clamp(level[middle], low, high);
  limit_to_search(level, first, count / 2, low, level[middle]);
  limit_to_search(level, middle, count / 2, level[middle], high);
}

}  // namespace

std::vector<double> adc_transitions(const AdcOptions& adc, std::uint64_t seed, std::uint64_t chip,
                                    std::uint64_t number) {
  RandomStream random(seed, StreamPurpose::kAdc, number, 0, chip);
  const double offset = adc.offset_sigma * random.normal(), gain = 1.0 + adc.gain_sigma * random.normal();
  const auto codes = static_cast<std::size_t>(adc.codes());
  std::vector<double> t(codes - 1);
  switch (adc.kind) {
    case AdcKind::kSar: {
      std::vector<double> level = sar_levels(adc, random);
      limit_to_search(level, 0, codes, -1e300, 1e300);
      std::copy(level.begin() + 1, level.end(), t.begin());
      break;
    }
    case AdcKind::kFlash:
      for (std::size_t k = 0; k < t.size(); ++k)
        t[k] = static_cast<double>(k + 1) + adc.element_sigma * random.normal();
      std::ranges::sort(t);  // the encoder counts the comparators that have fired
      break;
    case AdcKind::kRamp: {
      const double bow = adc.element_sigma * random.normal();
      for (std::size_t k = 0; k < t.size(); ++k) {
        const double x = static_cast<double>(k + 1) / static_cast<double>(codes);
        t[k] = static_cast<double>(k + 1) + 4.0 * bow * x * (1.0 - x);
      }
      std::ranges::sort(t);
      break;
    }
  }
  for (double& x : t) x = (x + adc.lowest_code() - 0.5) * gain + offset;
  if (gain < 0.0) std::ranges::reverse(t);
  return t;
}

int adc_code(const AdcOptions& adc, std::span<const double> transitions, double value) {
  const auto at = std::ranges::upper_bound(transitions, value / adc.step());
  return adc.lowest_code() + static_cast<int>(at - transitions.begin());
}

std::vector<double> integral_nonlinearity(const AdcOptions& adc, std::span<const double> transitions) {
  std::vector<double> inl;
  const double first = transitions.front(), last = transitions.back();
  const double pitch = transitions.size() > 1 ? (last - first) / static_cast<double>(adc.codes() - 2) : 1.0;
  for (std::size_t k = 0; k < transitions.size(); ++k)
    inl.push_back(transitions[k] - (first + pitch * static_cast<double>(k)));
  return inl;
}

double calibrated_range(std::span<const double> values, double clipped) {
  std::vector<double> magnitude;
  for (const double v : values) magnitude.push_back(std::fabs(v));
  if (magnitude.empty()) return 1.0;
  const auto allowed = static_cast<std::size_t>(std::floor(clipped * static_cast<double>(magnitude.size())));
  const std::size_t keep = magnitude.size() - 1 - std::min(allowed, magnitude.size() - 1);
  std::ranges::nth_element(magnitude, magnitude.begin() + static_cast<std::ptrdiff_t>(keep));
  return std::max(1.0, std::ceil(magnitude[keep]));
}

}  // namespace errata
