#include "training/hardware/composed_cells.h"

#include <cmath>

#include "core/random_stream.h"

namespace errata::training {

namespace {

using errormodel::ErrorTable;

bool drifts(const ErrorTable& t) { return t.drift.present() && t.elapsed_seconds > t.drift.reference_seconds; }

Stuck stuck(const ErrorTable& t, double u) {
  if (u < t.faults.lowest) return Stuck::kLowest;
  return u >= 1.0 - t.faults.highest ? Stuck::kHighest : Stuck::kNo;
}

ChangedCell cell_of(const ErrorTable& t, const std::vector<Stuck>& stuck, const std::vector<float>& exponent,
                    std::size_t at, std::size_t stored, double normal) {
  ChangedCell cell{stored, normal, 0.0};
  if (!stuck.empty() && stuck[at] != Stuck::kNo) cell.level = stuck[at] == Stuck::kLowest ? 0 : t.levels - 1;
  if (exponent.empty()) return cell;
  const double nu =
      t.drift.exponent[cell.level] + t.drift.exponent_sigma[cell.level] * static_cast<double>(exponent[at]);
  cell.loss = std::exp(-nu * std::log(t.elapsed_seconds / t.drift.reference_seconds)) - 1.0;
  return cell;
}

}  // namespace

bool changes_cells(const ErrorTable& table) { return table.faults.present() || drifts(table); }

CellChanges draw_cell_changes(const ErrorTable& table, const Tile& tile, std::uint64_t seed, std::uint64_t chip,
                              std::uint64_t variant) {
  const std::size_t cells = tile.rows * tile.conversions;
  CellChanges changes;
  if (table.faults.present()) {
    changes.plus_stuck.resize(cells);
    changes.minus_stuck.resize(cells);
  }
  if (drifts(table)) {
    changes.plus_exponent.resize(cells);
    changes.minus_exponent.resize(cells);
  }
  for (std::size_t c = 0; c < tile.conversions; ++c) {
    RandomStream fault(seed, StreamPurpose::kTableFault, tile.first_column + c, variant, chip);
    RandomStream drift(seed, StreamPurpose::kTableDrift, tile.first_column + c, variant, chip);
    // Row by row, plus before minus, also where there is no second line: as draw_static_column() does it.
    for (std::size_t at = c; at < cells; at += tile.conversions) {
      if (!changes.plus_stuck.empty()) {
        changes.plus_stuck[at] = stuck(table, fault.uniform());
        changes.minus_stuck[at] = stuck(table, fault.uniform());
      }
      if (!changes.plus_exponent.empty()) {
        changes.plus_exponent[at] = static_cast<float>(drift.normal());
        changes.minus_exponent[at] = static_cast<float>(drift.normal());
      }
    }
  }
  return changes;
}

ChangedCell plus_cell(const ErrorTable& table, const CellChanges& changes, std::size_t at, std::size_t stored,
                      double normal) {
  return cell_of(table, changes.plus_stuck, changes.plus_exponent, at, stored, normal);
}

ChangedCell minus_cell(const ErrorTable& table, const CellChanges& changes, std::size_t at, std::size_t stored,
                       double normal) {
  return cell_of(table, changes.minus_stuck, changes.minus_exponent, at, stored, normal);
}

double cell_contribution(const ErrorTable& table, const ChangedCell& cell, std::size_t x, double g_min) {
  const std::size_t k = table.kind(x, cell.level);
  const double g = table.level[k] + table.cell_sigma[k] * cell.normal;
  return g + (g + static_cast<double>(x) * g_min) * cell.loss;
}

}  // namespace errata::training
