#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "behavioral/cell_model.h"
#include "behavioral/column_solver.h"
#include "circuit/characterization.h"

namespace errata::behavioral {

/// From volts (here ampere) to MAC units: output = offset + unit·(y + e), one affine line (methods.md §2).
struct Transfer {
  double offset_amperes = 0.0;
  double unit_amperes = 1.0;  ///< one MAC unit
  double to_mac(double difference_amperes) const { return (difference_amperes - offset_amperes) / unit_amperes; }
};

/// One row of the fit report: what was compared, in MAC units unless said otherwise.
struct ValidationReport {
  double rms = 0, rms_low = 0, rms_high = 0;  ///< with its 95 % interval, bootstrapped over chips
  double maximum = 0, bias = 0, r_squared = 0;
  double worst_chip_rms = 0, worst_operand_rms = 0;
  double total_sigma = 0;  ///< σ of the columns' whole error, for scale
  double full_scale = 0;   ///< largest |y| of the design
  double unit_amperes = 0;
  double noise_ratio = 1;  ///< thermal σ of the model over ngspice's .noise, root mean square
  bool passed = false;
  std::vector<double> mac, model_error, circuit_error, residual;  ///< per conversion, for the pictures
};

/// Read noise of one line without solving for sensitivities: sums over active rows, scaled by the line's common sag.
/// Within 5 % of noise_variances in σ (tests/unit/behavioral).
struct ReadNoise {
  std::vector<double> current;                ///< [rows] unloaded current that an active row adds, A
  std::vector<double> thermal;                ///< [rows] thermal variance that it adds, A²
  std::vector<double> relative;               ///< [rows] variance of the declared relative sources, A²
  double idle_current = 0, idle_thermal = 0;  ///< of the line with no row active
  double output = 0;                          ///< declared sources at the output, A²
  double clamp = 0;                           ///< voltage variance of the clamp resistance, V²
  double clamp_volts = 1;

  /// Total variance in A² of a read with this line current and these sums over its active rows.
  double variance(double line_current, double current_sum, double thermal_sum, double relative_sum) const {
    const double sag = current_sum > 0.0 ? (line_current - idle_current) / current_sum : 1.0, gain = sag * sag;
    const double conductance = line_current / clamp_volts * sag;
    return output + clamp * conductance * conductance + gain * (idle_thermal + thermal_sum) +
           gain * gain * relative_sum;
  }
};

/// behavioral.h5: a column model that replaces SPICE; loads, evaluates and samples without a simulator.
struct BehavioralModel {
  static constexpr const char* kFormat = "behavioral";
  static constexpr std::int64_t kMajor = 1, kMinor = 0;

  Provenance provenance;
  circuit::ArrayConstants array;
  std::vector<MismatchTerm> mismatch;
  std::vector<std::size_t> cell_terms;  ///< which of them act inside the cell
  std::vector<NoiseSource> noise;
  CellModel cell;
  std::vector<double> thermal_square_amperes;  ///< [X][L] variance of a cell's current over the read's bandwidth
  Transfer transfer;
  double minimum_conductance = 0.0;  ///< conductance of level 0 in units of one level (g_min of A, methods.md §2)
  std::vector<double> fit_quality;   ///< flattened CellFitQuality rows [tried][7], for the report
  std::size_t chosen = 0;
  ValidationReport validation;

  /// A physical bit line of a chip with stored levels. `nominal` mode has no mismatch at all.
  PreparedLine prepare(std::uint64_t seed, LineId line, std::span<const std::uint8_t> levels) const;
  PreparedLine prepare_nominal(std::span<const std::uint8_t> levels) const;

  /// Variances of a read by source in A²: thermal first, then the declared ones in order.
  std::vector<double> noise_variances(const PreparedLine& line, const std::uint8_t* inputs) const;
  std::vector<std::string> noise_names() const;
  /// What read_variance needs of a line.
  ReadNoise read_noise(const PreparedLine& line) const;

  void save(const std::filesystem::path& path) const;
  static BehavioralModel load(const std::filesystem::path& path);

 private:
  PreparedLine expand(const circuit::LinePeriphery& periphery, std::span<const std::uint8_t> levels,
                      std::span<const double> draws) const;
};

}  // namespace errata::behavioral
