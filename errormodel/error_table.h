#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "core/artifact.h"
#include "core/hardware_scheme.h"
#include "core/operand_design.h"
#include "core/random_stream.h"
#include "core/readout.h"
#include "core/statistics.h"
#include "errormodel/estimation/covariance.h"
#include "errormodel/estimation/estimation_record.h"
#include "errormodel/estimation/surface.h"
#include "errormodel/table_terms.h"

namespace errata::errormodel {

/// error_table.h5 at one operating point: the generative error model of one conversion (methods.md §3.1),
///
///     y_s = Σ_j [g(x, w) + s(x, w) z] + (C + K)·φ(y, a),   v = y_s + μ(y_s, a) + σ_D(y_s, a) ε
///
/// in MAC units, before the ADC, the sum being over rows with an input level x ≥ 1, those of the second line
/// subtracted. Static terms enter before the nonlinearity (docs/design/decisions/0002). A file may hold several
/// operating points; operating_point.h reads them all.
struct ErrorTable {
  static constexpr const char* kFormat = "error_table";
  static constexpr std::int64_t kMajor = 1, kMinor = 0;

  Provenance provenance;
  std::string operands = "stratified";  ///< or "workload", "measured"
  std::string signed_scheme = "differential_before_adc";
  std::size_t rows = 64, levels = 4;  ///< stored levels
  std::size_t inputs = 2;             ///< input levels
  double minimum_conductance = 0.0;   ///< g_min in A = Σ (w⁺ + w⁻ + 2 g_min) x
  double offset = 0.0, unit = 1.0;    ///< /transfer: output = offset + unit·(y + e)
  std::string output_unit = "A";      ///< of both
  double temperature_kelvin = 300.15;
  double supply_volts = 0.0;  ///< 0: not known
  std::string corner;         ///< name of the process corner; empty: the netlist's own
  AdcOptions adc;

  SurfaceAxes axes;
  std::vector<double> level;                               ///< g(x, w) [kinds]
  std::vector<double> mu;                                  ///< μ [y][a]
  std::vector<double> slope;                               ///< ∂μ/∂y [y][a]
  std::array<double, 9> basis{1, 0, 0, 0, 1, 0, 0, 0, 1};  ///< φ = basis · [1, y, a]
  Covariance chip{};                                       ///< Σ_C, positive semi-definite part of the estimate
  Covariance column{};                                     ///< Σ_K, likewise
  std::vector<double> cell_sigma;                          ///< s(x, w) [kinds]
  std::vector<double> dynamic_sigma;                       ///< σ_D [y][a]
  std::vector<std::string> source_names;                   ///< named sources of σ_D
  std::vector<double> source_variance;                     ///< [sources][y][a]

  std::vector<double> support_count, support_error;  ///< of μ, [y][a]
  std::vector<Interval> chip_interval,
      column_interval;                  ///< raw estimates of the 6 distinct entries with 95 % intervals
  std::vector<Interval> cell_interval;  ///< of s²(x, w) [kinds]
  std::size_t columns_used = 1;         ///< chips × columns behind the static terms
  std::size_t chips_used = 0;           ///< 0: not known
  bool cells_separated = true;  ///< false: the cells' spread stands in the column term (measured without patterns)
  double residual_sigma = 0.0;  ///< what the deterministic part leaves unexplained without mismatch
  double extrapolated = 0.0;    ///< share of the reads beyond what the column model was fitted to
  EstimationRecord record;      ///< intervals of g and σ_D, memory of the reads, covariates offered and kept

  DriftTerms drift;
  FaultRates faults;
  double elapsed_seconds = 0.0;  ///< time after programming that draws are for; up to t0: no drift. Not in the file

  std::vector<double> source_memory;      ///< correlation of each source from one read to the next; empty: none
  std::vector<double> dynamic_quantiles;  ///< ε at the normal scores quantile_score(k); empty: standard normal

  /// Marginal view over the operands that filled the table, for readers who know y and a but no patterns; it mixes
  /// patterns and cannot speak of yield. Empty: not there.
  std::vector<double> code_pmf;                ///< P(code | ideal code), [codes][codes]; up to 10 bits
  std::vector<double> marginal_shift;          ///< mean of y_a − y at an ideal y and a, [y][a]
  std::vector<double> marginal_cell_variance;  ///< mean of Σ s² over the active cells, [y][a], MAC unit²

  /// Kinds of active cells: input level x ≥ 1 and stored level w.
  std::size_t kinds() const { return (inputs - 1) * levels; }
  std::size_t kind(std::size_t x, std::size_t w) const { return (x - 1) * levels + w; }
  bool differential() const { return branches_of(errata::signed_scheme(signed_scheme)) == 2; }
  /// y_a of an operand: Σ g over its active cells.
  double static_sum(const ColumnOperands& operands, std::size_t operand) const;

  /// φ of an operand, and v's deterministic and dynamic parts at a static state y_s.
  std::array<double, 3> phi(double y, double a) const;
  double mean_shift(double y, double a) const { return surface_value(axes, mu, y, a); }
  double read_sigma(double y, double a) const { return surface_value(axes, dynamic_sigma, y, a); }
  /// Standardised dynamic error of a standard normal: itself, or through the quantile table.
  double dynamic_error(double normal) const;
  /// Normal score of quantile k of n: uniform over ±kLargestScore.
  static constexpr double kLargestScore = 4.0;
  static double quantile_score(std::size_t k, std::size_t n) {
    return kLargestScore * (2.0 * static_cast<double>(k) / static_cast<double>(n - 1) - 1.0);
  }
  /// Lower Cholesky factor (semi-definite) of a covariance.
  static Covariance factor(const Covariance& c) { return cholesky_factor(c); }

  void save(const std::filesystem::path& path) const;
  /// The nominal operating point of a file, its first. Throws Error (artefact) when the file is missing, damaged or
  /// holds values that no table can have.
  static ErrorTable load(const std::filesystem::path& path);
};

/// Writes one file of several operating points of one array; they must share everything outside their terms. Loads all.
void save_tables(std::span<const ErrorTable> points, const std::filesystem::path& path);
std::vector<ErrorTable> load_tables(const std::filesystem::path& path);
/// What is wrong with a table's values, in words; empty when nothing is.
std::string table_fault(const ErrorTable& table);

/// Static part of one physical column (a differential pair) of one chip: what is frozen over every read.
struct StaticColumn {
  std::vector<double> weight;  ///< [inputs − 1][rows] contribution of a row at an input level to y_s
  std::vector<double> drive;   ///< [rows] contribution of a row to a, for each level of its input
  double offset = 0.0;         ///< constant part of (C + K)·φ
};

/// Draws the static part for stored levels, `minus` empty for a single-ended column; a pure function of (seed, chip,
/// column). Stuck cells hold their level instead of the stored one, and cells have drifted for elapsed_seconds.
/// Streams: kTableChip, kTableColumn, kTableCell, kTableDrift, kTableFault (docs/formats/random-streams.md).
StaticColumn draw_static_column(const ErrorTable& table, std::uint64_t seed, std::uint64_t chip, std::uint64_t column,
                                std::span<const std::uint8_t> plus, std::span<const std::uint8_t> minus);

/// Successive reads of one column of one chip: every source of noise with its memory, then the quantile table.
/// The table must outlive it. Stream: kTableRead, one for each source.
class ReadSequence {
 public:
  ReadSequence(const ErrorTable& table, std::uint64_t seed, std::uint64_t chip, std::uint64_t column);
  /// Analog value of the next read at a static state, MAC units.
  double next(double y_s, double a);

 private:
  const ErrorTable& table_;
  std::vector<RandomStream> streams_;
  std::vector<double> state_;
  bool first_ = true;
};

/// Analog values in MAC units of conversions of which only the ideal y and a are known, not the pattern: C and K as
/// frozen for (seed, chip, column), the cells' sum and ε drawn anew for each. Needs the marginal view; faults and drift
/// are left out. Stream: kTableSample.
std::vector<double> sample_conversions(const ErrorTable& table, std::span<const double> y, std::span<const double> a,
                                       std::uint64_t seed, std::uint64_t chip, std::uint64_t column);

}  // namespace errata::errormodel
