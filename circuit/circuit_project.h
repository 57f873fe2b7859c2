#pragma once

#include <span>
#include <vector>

#include "circuit/campaign.h"
#include "circuit/characterization.h"
#include "circuit/compose.h"
#include "circuit/deck_options.h"
#include "core/run_context.h"
#include "core/settings.h"

namespace errata::circuit {

/// The varied values of a subcircuit (the cell, the reset switch, …) and how mismatch moves them.
struct VariedParameters {
  std::vector<CellSlot> slots;
  std::vector<double> nominal;            ///< of each slot; of a whole column's cells for each row [rows][slots]
  std::vector<std::size_t> terms;         ///< mismatch terms that act inside, indices of Project::mismatch
  std::vector<std::size_t> slot_of_term;  ///< which slot each of them moves
  std::vector<double> weight_levels;      ///< value of slot 0 at each stored level; empty when it stores nothing

  /// Slot values, `draws` holding one unit draw for each term.
  std::vector<double> values(const std::vector<MismatchTerm>& all, std::size_t level, std::span<const double> draws,
                             std::size_t row = 0) const;
  double nominal_at(std::size_t row, std::size_t slot) const {
    return nominal[nominal.size() > slots.size() ? row * slots.size() + slot : slot];
  }
};

/// What tier 1 makes of a project file and its netlist.
struct CircuitProject {
  Netlist netlist;
  DeckOptions deck;
  VariedParameters cell;           ///< slot 0 stores the weight
  VariedParameters reset_switch;   ///< no slots without one
  VariedParameters column_switch;  ///< likewise
  VariedParameters column;         ///< of a whole column, outside of its rows
  std::vector<MismatchTerm> mismatch;
  std::vector<NoiseSource> noise;
  ArrayConstants array;
  CampaignOptions campaign;
  PartSlots slots() const { return {cell.slots, reset_switch.slots, column_switch.slots, column.slots}; }
  std::size_t branches = 2;  ///< bit lines of a column: 2 where they are subtracted before the ADC
};

/// Reads and checks project and netlist. Nominal values that only the netlist knows are asked of ngspice.
/// Throws ProjectError with all problems, or Error (E207) when ngspice rejects the cell.
CircuitProject read_circuit_project(const Settings& settings, const RunContext& context);

}  // namespace errata::circuit
