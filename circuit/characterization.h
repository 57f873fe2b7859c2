#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "circuit/deck/input_encoding.h"
#include "circuit/read_mode.h"
#include "core/artifact.h"
#include "core/mismatch.h"
#include "core/operand_design.h"

namespace errata::circuit {

/// Current of one cell between ideal sources, over input level, stored level, mismatch, source and bit-line voltage.
struct CellSurface {
  std::vector<double> input_levels_volts;  ///< word-line voltage of each input level [X]
  std::vector<double> weight_levels;       ///< parameter value of each stored level [L]
  std::vector<double> bit_line_volts;      ///< grid [B]
  std::vector<double> source_line_volts;   ///< grid [S]; one 0 where the source line has no resistance
  std::vector<std::size_t> cell_terms;     ///< indices of the mismatch terms that act inside the cell [T]
  std::vector<double> mismatch_points;     ///< unit draws of each mismatch sample [M][T]; sample 0 is nominal
  std::vector<double> current_amperes;     ///< [X][L][M][S][B]
  /// Variance over the read's bandwidth at the clamp voltage [X][L]; transient reads: mean of the line's precharge
  /// voltage and half of it.
  std::vector<double> noise_square_amperes;

  std::size_t mismatch_count() const { return cell_terms.empty() ? 1 : mismatch_points.size() / cell_terms.size(); }
  double current(std::size_t x, std::size_t level, std::size_t m, std::size_t s, std::size_t b) const {
    return current_amperes[(((x * weight_levels.size() + level) * mismatch_count() + m) * source_line_volts.size() +
                            s) *
                               bit_line_volts.size() +
                           b];
  }
};

/// Noise of one nominal cell between ideal sources, by device: variance of the current into its bit-line pin over the
/// read's bandwidth.
struct CellNoise {
  std::vector<double> bit_line_volts;  ///< the clamp voltage; of transient reads a grid over the supply [V]
  std::vector<std::string> devices;    ///< paths inside the cell [D]
  std::vector<double> square_amperes;  ///< [X][L][V][D]; NaN: ngspice knows no noise of the device

  double square(std::size_t x, std::size_t level, std::size_t levels, std::size_t v, std::size_t d) const {
    return square_amperes[((x * levels + level) * bit_line_volts.size() + v) * devices.size() + d];
  }
};

/// A named source of dynamic noise and its part in the reads whose noise was simulated: variance at the output of the
/// bit line, square of the output's unit [noise_chips][columns][branches][noise_operands].
struct NoiseShare {
  std::string name;       ///< "cell m1", "clamp", "reset kT/C", …, or the declared source's
  bool declared = false;  ///< in the project; else simulated or from kT/C
  std::vector<double> variance = {};
};

/// Transient reads: charge that one cell draws from a bit line which ends at a given voltage (decision 0005), over
/// input level, stored level, mismatch and that voltage; and what the reset switch leaves behind.
struct CellCharge {
  std::vector<double> final_volts;        ///< where the line ends [F], falling or rising away from the precharge
  std::vector<double> charge_coulombs;    ///< drawn from the line [X][L][M][F]
  std::vector<double> switch_farads;      ///< load of the reset switch [S]; empty without one
  std::vector<std::size_t> switch_terms;  ///< mismatch terms inside the switch [T']
  std::vector<double> switch_points;      ///< unit draws [N][T'], sample 0 nominal
  std::vector<double> switch_volts;       ///< voltage that is left after the release [S][N]
  std::vector<double>
      switch_probe_volts;  ///< the same, nominal, after a step of kProbeVolts behind kProbeShare of the load [S]

  static constexpr double kProbeShare = 0.1, kProbeVolts = 0.5;

  std::size_t switch_count() const { return switch_terms.empty() ? 1 : switch_points.size() / switch_terms.size(); }
};

/// What the periphery of one bit line is like on one chip.
struct LinePeriphery {
  double clamp_volts = 0.0;
  double clamp_ohms = 0.0;
  double offset_amperes = 0.0;
  double precharge_volts = 0.0;
  double offset_volts = 0.0;         ///< of the sense amplifier
  std::vector<double> switch_draws;  ///< unit draws of the terms inside the reset switch, in their order
  std::vector<double> draws;         ///< unit draws of every periphery term, in their order
};

/// A further output ([[circuit.output]]).
struct ColumnRecord {
  std::string name, unit;
  std::vector<double> values;  ///< [chips][columns][branches][operands]
};

/// Measured columns: chips × columns × operands, mismatch frozen over all operands of a chip. A column has two bit
/// lines where they are subtracted before the ADC, else one; line b of column i is line branches·i + b.
struct ColumnMeasurements {
  std::size_t chips = 0, columns = 0, branches = 2, operands = 0;
  std::vector<ColumnOperands> designs;  ///< [chips][columns]
  std::vector<double> output;           ///< A or V [chips][columns][branches][operands]; NaN where status says failed
  std::vector<std::uint8_t> status;     ///< PointStatus, same shape
  std::vector<ColumnRecord> records;    ///< what else was measured
  std::size_t noise_chips = 0;          ///< chips whose noise was simulated, the first ones
  std::size_t noise_operands = 0;       ///< operands likewise
  std::vector<double> noise_square;     ///< sum of the sources that are not declared, in the shape of NoiseShare
  std::vector<NoiseShare> noise_shares;

  const ColumnOperands& design(std::size_t chip, std::size_t column) const { return designs[chip * columns + column]; }
  double value(std::size_t chip, std::size_t column, std::size_t branch, std::size_t operand) const {
    return output[((chip * columns + column) * branches + branch) * operands + operand];
  }
  /// What the ADC converts: the line's output, or the difference of the two.
  double difference(std::size_t chip, std::size_t column, std::size_t operand) const {
    const double plus = value(chip, column, 0, operand);
    return branches == 2 ? plus - value(chip, column, 1, operand) : plus;
  }
};

/// What a column may yield.
inline constexpr std::string_view kOutputUnits[] = {"A", "V", "C", "V*s"};

/// Constants of the array, SI units.
struct ArrayConstants {
  std::size_t rows = 64;            ///< that inputs select
  std::size_t unselected_rows = 0;  ///< rows of other blocks on the same line, at any stored level, never active
  std::size_t dummy_rows = 0;       ///< rows at level 0, never active
  InputEncoding input;
  ReadMode read = ReadMode::kCurrent;
  double wire_ohms = 0.0;
  double source_line_ohms = 0.0;
  double clamp_ohms = 0.0;
  double clamp_volts = 0.0;
  double temperature_kelvin = 300.15;
  double supply_volts = 0.0;     ///< recorded where several operating points are characterised; 0: not recorded
  double bandwidth_hertz = 0.0;  ///< noise bandwidth 1 / (2 T_int)
  double precharge_volts = 0.0;  ///< transient reads
  double line_farads = 0.0;      ///< bit line and wire, without the cells
  double pulse_seconds = 0.0;    ///< how long the word line is up at the highest input level
  std::string_view unit = "A";   ///< of a column's output, one of kOutputUnits
  bool complement = false;       ///< a column has a second bit line, which is subtracted

  std::size_t all_rows() const { return rows + unselected_rows + dummy_rows; }
  bool transient() const { return read != ReadMode::kCurrent; }
  /// How long an active input level keeps the word line up, as a share of the highest one's time.
  double active_share(std::size_t level) const {
    const std::size_t top = input.count() - 1;
    return input.active_seconds(level, 1.0) / input.active_seconds(top, 1.0);
  }
};

/// Columns that were simulated once more with half the time step and half the tolerances: what the numbers can be
/// trusted to, in A or V.
struct SelfCheck {
  std::size_t points = 0;
  double rms = 0.0, maximum = 0.0;
};

/// characterization.h5: everything that the behavioural tier needs; no simulator is asked again.
struct Characterization {
  static constexpr const char* kFormat = "characterization";
  static constexpr std::int64_t kMajor = 3, kMinor = 1;

  Provenance provenance;
  std::string simulator;  ///< version text of ngspice
  ArrayConstants array;
  std::vector<MismatchTerm> mismatch;
  std::vector<NoiseSource> noise;
  CellSurface cell;  ///< for transient reads only its axes and noise; of a column that is no sum of cells its levels
  CellNoise cell_noise;  ///< empty where only whole columns are simulated
  CellCharge charge;     ///< empty for current reads
  ColumnMeasurements columns;
  std::int64_t suspect_points = 0, failed_points = 0, remedied_points = 0;
  std::string strategy;  ///< how the points were simulated, in words
  std::vector<std::string>
      trouble;  ///< a line for each point that gave no number or not in the usual way (the first 1000)
  SelfCheck self_check;
  /// Elements whose noise is not known: they have none in ngspice, or it cannot be taken. "cell b1", …
  std::vector<std::string> silent_elements;

  /// Whether the cell was measured alone, so that a column can be composed from it.
  bool has_cell() const { return !cell.current_amperes.empty() || !charge.charge_coulombs.empty(); }

  void save(const std::filesystem::path& path) const;
  /// The nominal operating point of a file. Throws Error (artefact) when the file is missing, damaged or of another
  /// major version.
  static Characterization load(const std::filesystem::path& path);
};

/// A source's part in the mean variance of the reads whose noise was simulated, and its own rms (A, V, C or V·s);
/// largest first. Reads without a number are left out; NaN where there is none with one.
struct MeanNoiseShare {
  std::string name;
  double share = 0.0, sigma = 0.0;
};
std::vector<MeanNoiseShare> mean_noise_shares(const Characterization& data);

/// One file of several operating points, the nominal one first; at least one.
void save_characterizations(std::span<const Characterization> points, const std::filesystem::path& path);
std::vector<Characterization> load_characterizations(const std::filesystem::path& path);

/// The second bit line of a column with a complement: lines of its own as far as random draws go.
LineId complement_line(LineId line);

/// Periphery of a bit line on its chip: nominal values moved by the periphery's mismatch terms.
LinePeriphery line_periphery(const ArrayConstants& array, const std::vector<MismatchTerm>& terms, std::uint64_t seed,
                             LineId line);

/// Stored levels of a whole line: those of its selectable rows, then of the unselected ones, drawn for the line, and of
/// the dummy rows.
std::vector<std::uint8_t> whole_line(const ArrayConstants& array, std::size_t levels, std::uint64_t seed, LineId line,
                                     std::span<const std::uint8_t> selectable);

/// Periphery without mismatch.
LinePeriphery nominal_periphery(const ArrayConstants& array, const std::vector<MismatchTerm>& terms);

/// Writes and reads mismatch terms, noise sources and array constants; also used by behavioral.h5.
void save_physics(Hdf5Writer& file, const ArrayConstants& array, const std::vector<MismatchTerm>& mismatch,
                  const std::vector<NoiseSource>& noise);
void load_physics(const Hdf5Reader& file, ArrayConstants& array, std::vector<MismatchTerm>& mismatch,
                  std::vector<NoiseSource>& noise);

/// Throws Error (artefact, E403) unless every σ fits the number of stored levels and every cell term is listed.
void check_levels(const Hdf5Reader& file, const std::vector<MismatchTerm>& mismatch,
                  const std::vector<NoiseSource>& noise, const std::vector<std::size_t>& cell_terms,
                  std::size_t levels);

}  // namespace errata::circuit
