#pragma once

#include <vector>

#include "circuit/circuit_project.h"
#include "core/settings.h"

namespace errata::circuit {

/// What the campaign simulates for noise, in the order of NoiseCollector: of each device of the nominal cell, then of
/// columns.
struct NoisePlan {
  bool cell = false;               ///< the cell's devices
  bool rows = false;               ///< each row's current, and what its noise does to the output
  std::size_t points_of_read = 0;  ///< simulations of one column read; 0: no column's noise is simulated
  std::size_t line_outputs = 0;    ///< values of a point before those of the probes
  std::vector<double> seconds;     ///< NoiseProbes::seconds
  double fixed_farads = 0.0;       ///< transient reads: line and wire
  double sampling_farads = 0.0;    ///< behind a column switch
  bool sampling_apart = false;     ///< the switch closes after the line was released
};

/// Whether the noise of columns can be simulated: errata's clamp or precharge is at hand, and one line is the result.
bool measures_column_noise(const DeckOptions& options);
/// Whether the cell stands alone between sources with all that makes noise in it.
bool measures_cell_noise(const DeckOptions& options);

/// Elements of the project whose noise is not known: those without a noise model in ngspice, and the devices of a whole
/// column while its lines float. "cell b1", "reset switch b1", …
std::vector<std::string> silent_elements(const CircuitProject& project);

/// When a released line is looked at.
NoiseProbes noise_probes(const DeckOptions& options);

/// Makes a point a noise analysis over the read's bandwidth.
void set_noise_band(SimulationPoint& point, const ArrayConstants& array);

/// Adds the points of the nominal cell's and the columns' noise behind all others, and the number of chips and operands
/// to `skeleton`.
NoisePlan plan_noise(const CircuitProject& project, std::uint64_t seed, const std::vector<Deck>& decks,
                     Characterization& skeleton, std::vector<SimulationPoint>& points);

}  // namespace errata::circuit
