#include "circuit/campaign/line_noise.h"

#include <algorithm>
#include <cmath>

#include "core/quantity.h"

namespace errata::circuit {

std::vector<double> charge_gains(const LineResponse& r) {
  std::vector<double> gains;
  const auto ratio = [&](std::size_t k) { return r.volts_per_ampere[k] / r.volts_per_coulomb[k]; };
  for (std::size_t k = 0; k + 1 < r.seconds.size(); ++k)
    gains.push_back(r.output_per_coulomb * (ratio(k + 1) - ratio(k)) / (r.seconds[k + 1] - r.seconds[k]));
  return gains;
}

double reset_variance(const LineResponse& r, double kelvin) {
  return kBoltzmannJoulesPerKelvin * kelvin * r.output_per_coulomb * r.output_per_coulomb / r.volts_per_coulomb.front();
}

double cell_switch_variance(const LineResponse& r, double fixed_farads, double kelvin) {
  const double all_per_farad = charge_gains(r).back();  // a charge at the very end sees the whole capacitance
  return std::max(0.0, kBoltzmannJoulesPerKelvin * kelvin * (1.0 / fixed_farads - all_per_farad));
}

double sampling_variance(double line_farads, double sampling_farads, double kelvin) {
  return kBoltzmannJoulesPerKelvin * kelvin / sampling_farads * line_farads / (line_farads + sampling_farads);
}

void CellNoiseDensity::add(std::size_t input, std::size_t stored, double word_volts, double line_volts,
                           std::span<double> sums) const {
  const std::size_t levels = levels_.weight_levels.size();
  const double idle = levels_.input_levels_volts.front(), up = levels_.input_levels_volts[input];
  const double on = up != idle ? std::clamp((word_volts - idle) / (up - idle), 0.0, 1.0) : 0.0;
  const auto& volts = noise_.bit_line_volts;
  const auto next = static_cast<std::size_t>(std::ranges::lower_bound(volts, line_volts) - volts.begin());
  const std::size_t high = std::clamp<std::size_t>(next, 1, std::max<std::size_t>(1, volts.size() - 1)), low = high - 1,
                    last = std::min(high, volts.size() - 1);
  const double share = last > low ? std::clamp((line_volts - volts[low]) / (volts[last] - volts[low]), 0.0, 1.0) : 0.0;
  for (std::size_t d = 0; d < noise_.devices.size(); ++d) {
    const auto between = [&](std::size_t x) {
      return (1 - share) * noise_.square(x, stored, levels, low, d) + share * noise_.square(x, stored, levels, last, d);
    };
    sums[d] += ((1 - on) * between(0) + on * between(input)) / bandwidth_;
  }
}

double integrated_variance(std::span<const double> seconds, std::span<const double> gains,
                           std::span<const double> density) {
  double sum = 0.0;
  for (std::size_t k = 0; k < gains.size(); ++k)
    sum += 0.25 * (density[k] + density[k + 1]) * gains[k] * gains[k] * (seconds[k + 1] - seconds[k]);
  return sum;
}

}  // namespace errata::circuit
