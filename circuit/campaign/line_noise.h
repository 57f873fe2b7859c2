#pragma once

#include <span>
#include <vector>

#include "circuit/characterization.h"

namespace errata::circuit {

/// How a released line was seen to answer a charge and a steady current, from a moment after its release up to its
/// sampling.
struct LineResponse {
  std::vector<double> seconds;            ///< [K]
  std::vector<double> volts_per_coulomb;  ///< of the line, after a charge was put on it before the first of the times
  std::vector<double> volts_per_ampere;   ///< of the line, a current flowing into it all the time
  double output_per_coulomb = 0.0;        ///< of the sampled output, after that charge
};

/// Volts at the output for each coulomb that is put on the line in an interval between two of the times [K − 1]: with
/// D the answer to the charge and H that to the current, D(output) d(H/D)/dt, whatever the line's capacitance and the
/// conductance of its cells are and however they change (methods.md §3.3; docs/methods/circuit.md).
std::vector<double> charge_gains(const LineResponse& response);

/// Variance in V² of the reset: the charge kT·C that is frozen on the line's capacitance C when it is released.
double reset_variance(const LineResponse& response, double kelvin);

/// Variance in V² of the switches through which the cells' capacitors are driven: kT/C of what is not behind a switch
/// less kT/C of all there is when the line is sampled.
double cell_switch_variance(const LineResponse& response, double fixed_farads, double kelvin);

/// Variance in V² of the switch between a line and the capacitor that its voltage is sampled on.
double sampling_variance(double line_farads, double sampling_farads, double kelvin);

/// Spectral density of a nominal cell's current, A²/Hz, one-sided, between the bit-line voltages at which it was
/// simulated; what happens over a read's bandwidth counts as white.
class CellNoiseDensity {
 public:
  CellNoiseDensity(const CellNoise& noise, const CellSurface& levels, double bandwidth_hertz)
      : noise_(noise), levels_(levels), bandwidth_(bandwidth_hertz) {}

  /// Adds each device's density [D] for a cell of a stored level under an input level, while its word line is at a
  /// voltage on the way between idle and that level's.
  void add(std::size_t input, std::size_t stored, double word_volts, double line_volts, std::span<double> sums) const;

 private:
  const CellNoise& noise_;
  const CellSurface& levels_;
  double bandwidth_;
};

/// ∫ S w² dt / 2 from densities at the times [K] and gains between them [K − 1].
double integrated_variance(std::span<const double> seconds, std::span<const double> gains,
                           std::span<const double> density);

}  // namespace errata::circuit
