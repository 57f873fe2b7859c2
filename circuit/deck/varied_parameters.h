#pragma once

#include <span>
#include <vector>

#include "circuit/deck/deck_options.h"
#include "core/mismatch.h"

namespace errata::circuit {

/// The varied values of a subcircuit (the cell, the reset switch, …) and how mismatch moves them.
struct VariedParameters {
  std::vector<CellSlot> slots;
  std::vector<double> nominal;            ///< of each slot; of a whole column's cells for each row [rows][slots]
  std::vector<std::size_t> terms;         ///< mismatch terms that act inside, indices of CircuitProject::mismatch
  std::vector<std::size_t> slot_of_term;  ///< which slot each of them moves
  std::vector<double> weight_levels;      ///< value of slot 0 at each stored level; empty when it stores nothing

  /// Slot values, `draws` holding one unit draw for each term.
  std::vector<double> values(const std::vector<MismatchTerm>& all, std::size_t level, std::span<const double> draws,
                             std::size_t row = 0) const;
  double nominal_at(std::size_t row, std::size_t slot) const {
    return nominal[nominal.size() > slots.size() ? row * slots.size() + slot : slot];
  }
};

}  // namespace errata::circuit
