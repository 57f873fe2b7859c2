#pragma once

#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "behavioral/line/line.h"
#include "circuit/characterization.h"
#include "core/nonlinear_curve.h"

namespace errata::behavioral {

/// From ampere or volt to MAC units: output = offset + unit·(y + e), one affine line (methods.md §2).
struct Transfer {
  double offset = 0.0;
  double unit = 1.0;  ///< one MAC unit; negative where a larger y lowers the output
  double to_mac(double difference) const { return (difference - offset) / unit; }
};

/// One row of the fit report: what was compared, in MAC units unless said otherwise.
struct ValidationReport {
  double rms = 0, rms_low = 0, rms_high = 0;  ///< with its 95 % interval, bootstrapped over chips
  double maximum = 0, bias = 0, r_squared = 0;
  double worst_chip_rms = 0, worst_operand_rms = 0;
  double total_sigma = 0;  ///< σ of the columns' whole error, for scale
  double full_scale = 0;   ///< largest |y| of the design
  double unit = 0;         ///< one MAC unit in A or V
  /// RMS of a model that is interpolated from the other operating points without this one, against the columns
  /// here, in nominal MAC units; NaN where the others do not surround it.
  double interpolation_rms = std::numeric_limits<double>::quiet_NaN();
  double noise_ratio = 1;  ///< thermal σ of the model over ngspice's .noise, root mean square; NaN for transient reads
  bool passed = false;
  std::vector<double> mac, model_error, circuit_error, residual;  ///< per conversion, for the pictures
};

/// The curve of methods.md §4.1 between ideal value and output, fitted to the ngspice columns: what a network's
/// NonlinearQuantizer is started with, for comparison with the trainer's own extraction.
struct CurveFit {
  NonlinearCurve curve;
  double full_scale = 1.0;           ///< y_fs, MAC units
  std::vector<Interval> parameters;  ///< in the form's order, 95 %; a point where not searched
  double rms = 0.0, maximum = 0.0;   ///< of the residuals, MAC units
  double condition_number = 0.0;     ///< of the derivatives, columns of length 1
  bool converged = false;
};

/// behavioral.h5: a column model that replaces SPICE; loads, evaluates and samples without a simulator.
struct BehavioralModel {
  static constexpr const char* kFormat = "behavioral";
  static constexpr std::int64_t kMajor = 3, kMinor = 2;

  Provenance provenance;
  circuit::ArrayConstants array;
  std::vector<MismatchTerm> mismatch;
  std::vector<std::size_t> cell_terms;  ///< which of them act inside the cell
  std::vector<NoiseSource> noise;
  std::size_t branches = 2;  ///< bit lines that one conversion reads: 2 where a pair is subtracted before the ADC
  std::shared_ptr<const ColumnFamily> family;  ///< the column model itself
  Transfer transfer;
  double minimum_conductance = 0.0;     ///< conductance of level 0 in units of one level (g_min of A, methods.md §2)
  std::vector<double> fit_quality;      ///< flattened CellFitQuality rows [tried][7], for the report
  std::vector<std::string> fit_labels;  ///< what each row tried, where the degree alone does not say it
  std::size_t chosen = 0;
  ValidationReport validation;
  std::vector<FittedParameter> parameters;  ///< of the chosen fit; files before version 3.2 have none
  std::vector<CurveFit> curves;             ///< one for each form; likewise

  std::size_t levels() const { return family->levels(); }
  std::size_t input_levels() const { return family->input_levels(); }

  /// A physical bit line of a chip with the stored levels of its selectable rows, or one without any mismatch.
  std::unique_ptr<Line> prepare(std::uint64_t seed, LineId line, std::span<const std::uint8_t> levels) const;
  std::unique_ptr<Line> prepare_nominal(std::span<const std::uint8_t> levels) const;

  /// Noise-free conversions of a column on a chip, or of one without mismatch: the line's output, or the difference of
  /// the two, for every operand, in ampere or volt.
  std::vector<double> read_column(std::uint64_t seed, std::uint64_t chip, std::uint64_t column,
                                  const ColumnOperands& operands) const;
  std::vector<double> read_nominal_column(const ColumnOperands& operands) const;

  /// Names of Line::noise_variances.
  std::vector<std::string> noise_names() const;

  void save(const std::filesystem::path& path) const;
  /// The nominal operating point of a file.
  static BehavioralModel load(const std::filesystem::path& path);
};

/// One file of the models at several operating points, the nominal one first; at least one.
void save_models(std::span<const BehavioralModel> points, const std::filesystem::path& path);
std::vector<BehavioralModel> load_models(const std::filesystem::path& path);

/// A mismatch term outside of all cells, of a line or of the second bit line that is subtracted from it.
struct PeripheryTerm {
  std::size_t term = 0;  ///< index into the mismatch terms
  bool complement = false;
};

/// Those of a line in the order of the terms, then those of its complement where the array has one.
std::vector<PeripheryTerm> periphery_terms(const circuit::ArrayConstants& array,
                                           const std::vector<MismatchTerm>& mismatch);

/// Unit draws of a line's cells [rows][cell terms], and of its periphery_terms().
std::vector<double> unit_draws_of_cells(const std::vector<MismatchTerm>& mismatch,
                                        const std::vector<std::size_t>& cell_terms, std::uint64_t seed, LineId line,
                                        std::size_t rows);
std::vector<double> unit_draws_of_periphery(const circuit::ArrayConstants& array,
                                            const std::vector<MismatchTerm>& mismatch, std::uint64_t seed, LineId line);

}  // namespace errata::behavioral
