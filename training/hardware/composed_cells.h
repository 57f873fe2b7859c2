#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "errormodel/error_table.h"
#include "training/hardware/hardware_mapping.h"

namespace errata::training {

/// Which level a cell holds, whatever is stored.
enum class Stuck : std::uint8_t { kNo, kLowest, kHighest };

/// What has happened to the cells of one tile on one chip, [rows][conversions] each; empty: nothing of that kind.
struct CellChanges {
  std::vector<Stuck> plus_stuck, minus_stuck;
  std::vector<float> plus_exponent, minus_exponent;  ///< unit draws of the drift's exponent ν
};

/// Whether a table has cells that are stuck or have drifted by its elapsed_seconds.
bool changes_cells(const errormodel::ErrorTable& table);

/// Draws them. Chips of `variant` 0 are those of draw_static_column(); variant 1 has draws of its own. Streams:
/// kTableFault and kTableDrift by physical column.
CellChanges draw_cell_changes(const errormodel::ErrorTable& table, const Tile& tile, std::uint64_t seed,
                              std::uint64_t chip, std::uint64_t variant);

/// A cell of a tile as it is on the chip.
struct ChangedCell {
  std::size_t level = 0;  ///< that it holds
  double normal = 0.0;    ///< frozen draw of its spread
  double loss = 0.0;      ///< relative change of its conductance since t0
};
ChangedCell plus_cell(const errormodel::ErrorTable& table, const CellChanges& changes, std::size_t at,
                      std::size_t stored, double normal);
ChangedCell minus_cell(const errormodel::ErrorTable& table, const CellChanges& changes, std::size_t at,
                       std::size_t stored, double normal);

/// What a cell adds to y_s at input level x, as draw_static_column() has it [MAC units]. `g_min`: of pairs, else 0.
double cell_contribution(const errormodel::ErrorTable& table, const ChangedCell& cell, std::size_t x, double g_min);

}  // namespace errata::training
