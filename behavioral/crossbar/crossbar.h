#pragma once

#include <memory>
#include <span>
#include <vector>

#include "behavioral/crossbar/crossbar_options.h"

namespace errata::behavioral {

struct CrossbarParts;  // network and symbolic analysis
class CrossbarFactor;

/// Voltages against the sense terminals at the two nodes of every cell, [rows][columns] each, V.
struct CrossbarVoltages {
  std::vector<double> word, bit;

  /// Across every cell, word line minus bit line, V.
  std::vector<double> across() const;
};

/// Where the power goes, W. `sources` comes from currents at the word lines' sources, the others from voltages inside.
struct CrossbarPower {
  double sources = 0.0;
  double cells = 0.0, word_wires = 0.0, bit_wires = 0.0, drivers = 0.0, senses = 0.0;
  double dissipated() const { return cells + word_wires + bit_wires + drivers + senses; }
};

/// Thermal noise of one output's current by origin, A²/Hz (one-sided).
struct CrossbarNoise {
  double cells = 0.0, word_wires = 0.0, bit_wires = 0.0, drivers = 0.0, senses = 0.0;
  double total() const { return cells + word_wires + bit_wires + drivers + senses; }
};

/// An array with given cell conductances, factored (methods.md §5.3). Immutable, thread safe; copies share the factors.
///
/// All sense terminals stand at one potential, against which the input voltages count. Arrays are row-major:
/// inputs [rows], outputs [columns], cells [rows][columns].
class FactoredCrossbar {
 public:
  std::size_t rows() const;
  std::size_t columns() const;

  /// G with I_k = Σ_i V_i G_ik: all cells, wires, drivers and terminations in one matrix, [rows][columns], S.
  std::span<const double> effective_siemens() const { return effective_; }
  /// The same for interleaved ± pairs: column 2m minus column 2m + 1, [rows][columns / 2], S. An even number of
  /// columns.
  std::vector<double> pair_siemens() const;
  /// Conductance between any two terminals with all others at their own voltage: word lines' sources, then sense
  /// terminals, [rows + columns] squared, diagonal 0, S. For sense terminals at different potentials.
  std::span<const double> port_siemens() const;

  /// Output currents of many input vectors [count][rows] in volt, a plain matrix product: [count][columns], A.
  std::vector<double> output_amperes(std::span<const double> input_volts) const;

  CrossbarVoltages voltages(std::span<const double> input_volts) const;
  CrossbarPower power(std::span<const double> input_volts) const;

  /// Adjoint: share of a current injected across each cell, from word line to bit line, that reaches the output,
  /// [rows][columns]; 1 without wires. Depends on no input.
  std::vector<double> cell_gain(std::size_t output) const;
  /// The same for every output, [columns][rows][columns].
  std::vector<double> cell_gains() const;
  /// dI_output/dG of every cell, [rows][columns], V: its gain times the voltage across it.
  std::vector<double> conductance_sensitivity(std::span<const double> input_volts, std::size_t output) const;

  /// Variance of the output's current that independent currents of these variances in the cells cause,
  /// [rows][columns], A²; result in A².
  double output_variance(std::size_t output, std::span<const double> cell_square_amperes) const;
  /// Thermal noise of the output's current from every cell, wire, driver and termination at one temperature.
  CrossbarNoise thermal_noise(std::size_t output, double kelvin) const;

 private:
  friend class Crossbar;
  FactoredCrossbar(std::shared_ptr<const CrossbarParts> parts, std::span<const double> cell_siemens);
  std::vector<double> node_volts(std::span<const double> input_volts) const;
  std::vector<double> adjoint_volts(std::size_t output) const;

  std::shared_ptr<const CrossbarParts> parts_;
  std::shared_ptr<const CrossbarFactor> factor_;
  std::shared_ptr<const std::vector<double>> cells_;
  std::vector<double> effective_;
};

/// A crossbar's wires, drivers and terminations. Construction analyses the topology once; factor() is then cheap.
class Crossbar {
 public:
  /// Throws Error (E520) when an option lies outside its domain or the back end is not in this build.
  explicit Crossbar(const CrossbarOptions& options);

  const CrossbarOptions& options() const;
  const CrossbarParts& parts() const { return *parts_; }

  /// Cells of these conductances [rows][columns], S; 0 is a missing cell. Thread safe. Throws Error (E520) for a number
  /// that is no conductance.
  FactoredCrossbar factor(std::span<const double> cell_siemens) const;

 private:
  std::shared_ptr<const CrossbarParts> parts_;
};

/// Whether this build holds the CHOLMOD back end.
bool crossbar_has_cholmod();

}  // namespace errata::behavioral
