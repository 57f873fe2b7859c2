#pragma once

#include <vector>

#include "circuit/circuit_project.h"
#include "core/settings.h"

namespace errata::circuit {

/// Axes of the cell's measurements; the currents or charges come later. Of columns that are no sum of cells only the
/// levels.
CellSurface plan_cell(const Settings& settings, const CircuitProject& project);

/// Lays out the simulations of one cell, in the order in which they are collected.
class CellPoints {
 public:
  CellPoints(const CircuitProject& project, const CellSurface& surface, std::vector<SimulationPoint>& points)
      : p_(project), c_(surface), points_(points) {}

  /// One sweep over all biases for each device: stored level and mismatch.
  void add_sweeps();
  /// An operating point for each bias and device.
  void add_currents();
  /// Transient reads: the cell behind a reference whose line ends at `final_points` voltages. N identical cells on a
  /// line of capacitance C behave as one on C / N, so the reference's loads run through N up to all rows.
  void add_charges(std::size_t final_points);

 private:
  template <class Add>
  void for_each(Add add);
  std::vector<double> values(std::size_t level, std::size_t m) const;
  void add_static(std::size_t deck, std::size_t x, std::size_t level, std::size_t m, double bit, double source);

  const CircuitProject& p_;
  const CellSurface& c_;
  std::vector<SimulationPoint>& points_;
};

/// The reset switch on loads about the line's capacitance, which the cells raise.
void add_switch_points(const Settings& settings, const CircuitProject& project, CellCharge& charge,
                       std::vector<SimulationPoint>& points);

}  // namespace errata::circuit
