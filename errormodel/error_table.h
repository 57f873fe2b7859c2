#pragma once

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "core/artifact.h"
#include "core/hardware_scheme.h"
#include "core/operand_design.h"
#include "core/readout.h"
#include "core/statistics.h"
#include "errormodel/surface.h"

namespace errata::errormodel {

/// A 3 × 3 covariance of the terms on φ = [1, y, a] (orthogonalised), row-major.
using Covariance = std::array<double, 9>;

/// error_table.h5: the generative error model of one conversion (methods.md §3.1),
///
///     y_s = Σ_j [g(x, w) + s(x, w) z] + (C + K)·φ(y, a),   v = y_s + μ(y_s, a) + σ_D(y_s, a) ε
///
/// in MAC units, before the ADC, the sum being over rows with an input level x ≥ 1, those of the second line
/// subtracted. Static terms enter before the nonlinearity (docs/design/decisions/0002).
struct ErrorTable {
  static constexpr const char* kFormat = "error_table";
  static constexpr std::int64_t kMajor = 1, kMinor = 0;

  Provenance provenance;
  std::string operands = "stratified";  ///< or "workload"
  std::string signed_scheme = "differential_before_adc";
  std::size_t rows = 64, levels = 4;  ///< stored levels
  std::size_t inputs = 2;             ///< input levels
  double minimum_conductance = 0.0;   ///< g_min in A = Σ (w⁺ + w⁻ + 2 g_min) x
  double offset = 0.0, unit = 1.0;    ///< /transfer: output = offset + unit·(y + e)
  std::string output_unit = "A";      ///< of both
  double temperature_kelvin = 300.15;
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
  double residual_sigma = 0.0;          ///< what the deterministic part leaves unexplained without mismatch
  double extrapolated = 0.0;            ///< share of the reads beyond what the column model was fitted to
  std::vector<double> code_pmf;         ///< marginal view: P(code | ideal code), [codes][codes]

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
  /// Lower Cholesky factor (semi-definite) of a covariance.
  static Covariance factor(const Covariance& c);

  void save(const std::filesystem::path& path) const;
  static ErrorTable load(const std::filesystem::path& path);
};

/// Static part of one physical column (a differential pair) of one chip: what is frozen over every read.
struct StaticColumn {
  std::vector<double> weight;  ///< [inputs − 1][rows] contribution of a row at an input level to y_s
  std::vector<double> drive;   ///< [rows] contribution of a row to a, for each level of its input
  double offset = 0.0;         ///< constant part of (C + K)·φ
};

/// Draws the static part for stored levels, `minus` empty for a single-ended column; a pure function of (seed, chip,
/// column). Streams: kTableChip, kTableColumn, kTableCell (docs/formats/random-streams.md).
StaticColumn draw_static_column(const ErrorTable& table, std::uint64_t seed, std::uint64_t chip, std::uint64_t column,
                                std::span<const std::uint8_t> plus, std::span<const std::uint8_t> minus);

}  // namespace errata::errormodel
