#pragma once

#include <vector>

#include "circuit/campaign/campaign.h"
#include "circuit/characterization.h"
#include "circuit/deck/compose.h"
#include "circuit/deck/deck_options.h"
#include "circuit/deck/varied_parameters.h"
#include "core/run_context.h"
#include "core/settings.h"

namespace errata::circuit {

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
