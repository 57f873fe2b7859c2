#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "circuit/circuit_project.h"
#include "core/settings.h"

namespace errata::circuit {

/// A bit line of a chip with its stored levels, the selectable rows' alone.
struct StoredLine {
  LineId line;
  std::span<const std::uint8_t> levels;
};

/// Slots of a column deck: its lines' periphery, then per row the word line and each line's level and mismatch.
class ColumnSlots {
 public:
  ColumnSlots(const CircuitProject& project, std::uint64_t seed, std::span<const StoredLine> lines);

  /// Transient reads set what the pulse carries, current reads the word line's voltage.
  std::vector<double> with_inputs(const std::uint8_t* inputs) const;

 private:
  void add_line(std::uint64_t seed, LineId line);
  void add_periphery(const LinePeriphery& periphery);
  void add_varied(const VariedParameters& part, std::uint64_t seed, LineId line);

  const CircuitProject& p_;
  std::vector<double> slots_;
  std::vector<std::size_t> word_lines_;
};

/// The simulation of a column deck at one input vector.
SimulationPoint column_point(const CircuitProject& project, const ColumnSlots& lines, const std::uint8_t* inputs);

/// Lays out chips × columns × operands.
void plan_columns(const Settings& settings, const CircuitProject& project, ColumnMeasurements& columns,
                  std::vector<SimulationPoint>& points);

/// Columns spread over the campaign once more with half the step and half the tolerances.
void plan_self_check(const CircuitProject& project, SelfCheck& check, std::vector<SimulationPoint>& points);

}  // namespace errata::circuit
