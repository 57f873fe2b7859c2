#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace errata::circuit {

/// What of the word line carries an input level.
enum class InputKind : std::uint8_t { kVoltage, kPulseWidth, kPulseCount };

/// How an input level reaches the word line. Level 0 leaves it idle.
struct InputEncoding {
  InputKind kind = InputKind::kVoltage;
  std::vector<double> levels = {0.0, 1.0};   ///< V, s or number of pulses; level 0 first
  double low_volts = 0.0, high_volts = 1.0;  ///< of the word line, where a pulse carries the level
  double period_seconds = 0.0;               ///< from pulse to pulse, where their number carries it

  std::size_t count() const { return levels.size(); }
  double idle_volts() const { return kind == InputKind::kVoltage ? levels.front() : low_volts; }
  /// Voltage of the word line while a level is applied.
  double word_volts(std::size_t level) const {
    if (kind == InputKind::kVoltage) return levels[level];
    return levels[level] > 0.0 ? high_volts : low_volts;
  }
  /// What a word-line slot of a transient deck is set to: the swing of the pulse, its width, or the number of pulses.
  double transient_value(std::size_t level) const {
    return kind == InputKind::kVoltage ? levels[level] - levels.front() : levels[level];
  }
  /// How long the word line is up; `pulse_seconds` is the width of one pulse.
  double active_seconds(std::size_t level, double pulse_seconds) const {
    if (kind == InputKind::kPulseWidth) return levels[level];
    if (kind == InputKind::kPulseCount) return levels[level] * pulse_seconds;
    return pulse_seconds;
  }
};

}  // namespace errata::circuit
