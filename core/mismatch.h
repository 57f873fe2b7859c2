#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/settings.h"

namespace errata {

/// Where one frozen draw of a random quantity is shared.
enum class MismatchScope { kCell, kColumn, kChip };

/// One random quantity of the circuit: which instance parameter it moves, how, and by how much.
struct MismatchTerm {
  std::string name;
  MismatchScope scope = MismatchScope::kCell;
  std::string device;  ///< inside the cell ("m1"), or of the column: "clamp", "precharge", "switch.m1", "column.m9", …
  std::string parameter;  ///< "delvto", "resistance", …
  bool lognormal = false;
  bool uniform = false;       ///< the unit draw is even over ±√3 instead of normal
  std::vector<double> sigma;  ///< by stored level, in the parameter's SI unit, or relative when lognormal

  static constexpr const char* kSwitch = "switch.";               ///< devices of the reset switch
  static constexpr const char* kColumnSwitch = "column_switch.";  ///< of the column switch
  static constexpr const char* kColumn = "column.";               ///< of a whole column, outside of its rows

  bool in_switch() const { return device.starts_with(kSwitch); }
  bool in_column_switch() const { return device.starts_with(kColumnSwitch); }
  bool in_column() const { return device.starts_with(kColumn); }
  /// Whether it exists once for each bit line, not for each cell.
  bool in_periphery() const {
    return device == "clamp" || device == "source_line" || device == "precharge" || device == "sense" || in_switch() ||
           in_column_switch() || in_column();
  }
  /// σ at a stored level.
  double sigma_at(std::size_t level) const { return sigma.size() == 1 ? sigma[0] : sigma[level]; }
  /// Where draws of terms go together: the draw is Σ mix[k] · (independent draw of term k), k up to this term itself.
  std::vector<double> mix;
  /// The value that is moved, where the project gives it; else the netlist's.
  std::optional<double> nominal;
  /// Pelgrom's A_VT in V·m where the gate's area is the netlist's; σ is empty until it is known.
  double pelgrom_volt_metres = 0.0;
};

/// The terms of [[circuit.mismatch]] in their order, patterns not yet expanded, σ scaled by circuit.severity.
std::vector<MismatchTerm> mismatch_terms(const Settings& settings, std::size_t levels);

/// Physical identity of a bit line: which chip and which line on it. Chips are numbered globally so that
/// characterisation, table filling, training and verification never share one (docs/formats/random-streams.md).
struct LineId {
  std::uint64_t chip = 0;
  std::uint64_t line = 0;
};

/// First global chip number of each use.
namespace chips {
inline constexpr std::uint64_t kCharacterization = 0;
inline constexpr std::uint64_t kTable = 1'000'000;
inline constexpr std::uint64_t kTableCheck = 2'000'000;
inline constexpr std::uint64_t kTraining = 1'000'000'000;
inline constexpr std::uint64_t kEvaluation = 3'000'000;
inline constexpr std::uint64_t kReplay = 4'000'000;
}  // namespace chips

/// The frozen draw of unit variance of term number `term` for a cell (row), a line or a chip.
double unit_draw(std::uint64_t seed, const MismatchTerm& term, std::size_t term_index, LineId line, std::size_t row);

/// Those of the first rows.size() rows of a line, bit for bit.
void unit_draws(std::uint64_t seed, const MismatchTerm& term, std::size_t term_index, LineId line,
                std::span<double> rows);

/// Value of a parameter after all terms that move it: nominal plus the normal ones, times the lognormal ones.
double moved_value(double nominal, double normal_sum, double lognormal_sum);

/// A declared dynamic source (methods.md §3.3).
struct NoiseSource {
  std::string name;
  bool cell_relative = true;  ///< else at the output of each bit line, in ampere or volt
  std::vector<double> sigma;  ///< by stored level when relative
  double memory = 0.0;        ///< correlation from one read to the next
  double sigma_at(std::size_t level) const { return sigma.size() == 1 ? sigma[0] : sigma[level]; }
};

/// The sources of [[circuit.noise_source]], scaled by circuit.severity.
std::vector<NoiseSource> noise_sources(const Settings& settings);

}  // namespace errata
