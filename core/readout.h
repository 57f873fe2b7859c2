#pragma once

#include <algorithm>
#include <cmath>

namespace errata {

/// The ADC of a column, the one description that every tier uses. Uniform mid-tread quantiser over ±range.
struct AdcOptions {
  int bits = 6;
  double range = 32.0;  ///< MAC units; codes −2^(bits−1) … 2^(bits−1) − 1 cover −range … +range

  /// One ADC step in MAC units.
  double step() const { return 2.0 * range / std::ldexp(1.0, bits); }
  int lowest_code() const { return -(1 << (bits - 1)); }
  int highest_code() const { return (1 << (bits - 1)) - 1; }
};

/// Code of an analog value in MAC units: rounded to the nearest step (ties away from zero), clipped.
inline int adc_code(const AdcOptions& adc, double value) {
  const double scaled = value / adc.step();
  const double bounded =
      std::clamp(scaled, static_cast<double>(adc.lowest_code()), static_cast<double>(adc.highest_code()));
  return static_cast<int>(std::lround(bounded));
}

}  // namespace errata
