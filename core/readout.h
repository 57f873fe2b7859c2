#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

namespace errata {

/// How an ADC is built: what its static errors look like (methods.md §3.4).
enum class AdcKind : std::uint8_t {
  kSar,    ///< successive approximation: a capacitor for each bit, made of unit capacitors that vary
  kFlash,  ///< one comparator for each transition, each with an offset of its own
  kRamp,   ///< a ramp that all codes share: bent, and off in slope
};

/// The ADC of a column, the one description that every tier uses. An ideal one is a uniform mid-tread quantiser:
/// bipolar over ±range (differential columns) or unipolar over 0 … range (single-ended ones).
struct AdcOptions {
  int bits = 6;
  double range = 32.0;  ///< MAC units; codes lowest_code() … highest_code() cover −range (or 0) … range
  bool bipolar = true;
  AdcKind kind = AdcKind::kSar;
  /// Static errors of one ADC, frozen for its life, σ in ADC steps (gain: relative).
  double offset_sigma = 0.0, gain_sigma = 0.0;
  /// What bends the transfer: σ of a unit capacitor relative to itself (SAR), of a comparator's offset in steps
  /// (flash), of the middle of the ramp in steps (ramp).
  double element_sigma = 0.0;
  double noise_sigma = 0.0;  ///< fresh at every conversion, in steps

  /// One ADC step in MAC units.
  double step() const { return (bipolar ? 2.0 : 1.0) * range / std::ldexp(1.0, bits); }
  int codes() const { return 1 << bits; }
  int lowest_code() const { return bipolar ? -(1 << (bits - 1)) : 0; }
  int highest_code() const { return lowest_code() + codes() - 1; }
  bool has_static_errors() const { return offset_sigma > 0 || gain_sigma > 0 || element_sigma > 0; }
};

/// Code of an analog value in MAC units by the ideal ADC: rounded to the nearest step (ties away from zero), clipped.
inline int adc_code(const AdcOptions& adc, double value) {
  const double scaled = value / adc.step();
  const double bounded =
      std::clamp(scaled, static_cast<double>(adc.lowest_code()), static_cast<double>(adc.highest_code()));
  return static_cast<int>(std::lround(bounded));
}

/// Transitions of one physical ADC: code lowest + k begins at entry k − 1, in steps; 2^bits − 1 entries, not
/// descending (a missing code has equal neighbours). A pure function of (options, seed, chip, number). Draws come from
/// RandomStream(seed, kAdc, number, 0, chip).
std::vector<double> adc_transitions(const AdcOptions& adc, std::uint64_t seed, std::uint64_t chip,
                                    std::uint64_t number);

/// Code of a value in MAC units by an ADC with these transitions.
int adc_code(const AdcOptions& adc, std::span<const double> transitions, double value);

/// Integral nonlinearity of each transition in steps, against the line through the first and last one (end-point fit).
std::vector<double> integral_nonlinearity(const AdcOptions& adc, std::span<const double> transitions);

/// Smallest range, rounded up to a whole MAC unit, that clips at most `clipped` of the values; at least one unit.
double calibrated_range(std::span<const double> values, double clipped);

/// Digit number `place` of an input code applied in digits of `dac_bits` bits, least significant first (methods.md §2:
/// one input slice is one DAC code).
inline std::uint8_t input_digit(std::uint32_t code, int dac_bits, int place) {
  return static_cast<std::uint8_t>((code >> (place * dac_bits)) & ((1u << dac_bits) - 1u));
}
/// Digits that an input of `input_bits` bits needs.
inline int input_digits(int input_bits, int dac_bits) { return (input_bits + dac_bits - 1) / dac_bits; }

}  // namespace errata
