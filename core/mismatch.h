#pragma once

#include <cstdint>
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
  std::string device;     ///< inside the cell ("m1"), or of the composed column: "clamp", "precharge", "switch.m1", …
  std::string parameter;  ///< "delvto", "resistance", …
  bool lognormal = false;
  bool uniform = false;       ///< the unit draw is even over ±√3 instead of normal
  std::vector<double> sigma;  ///< by stored level, in the parameter's SI unit, or relative when lognormal

  /// Whether it moves a device inside the reset switch.
  bool in_switch() const { return device.starts_with("switch."); }
  bool in_periphery() const {
    return device == "clamp" || device == "source_line" || device == "precharge" || device == "sense" || in_switch();
  }
  /// σ at a stored level.
  double sigma_at(std::size_t level) const { return sigma.size() == 1 ? sigma[0] : sigma[level]; }
  /// Where draws of terms go together: the draw is Σ mix[k] · (independent draw of term k), k up to this term itself.
  std::vector<double> mix;
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

/// Value of a parameter after all terms that move it: nominal plus the normal ones, times the lognormal ones.
double moved_value(double nominal, double normal_sum, double lognormal_sum);

/// A declared dynamic source (methods.md §3.3).
struct NoiseSource {
  std::string name;
  bool cell_relative = true;  ///< else at the output of each bit line, in ampere or volt
  std::vector<double> sigma;  ///< by stored level when relative
  double sigma_at(std::size_t level) const { return sigma.size() == 1 ? sigma[0] : sigma[level]; }
};

/// The sources of [[circuit.noise_source]], scaled by circuit.severity.
std::vector<NoiseSource> noise_sources(const Settings& settings);

}  // namespace errata
