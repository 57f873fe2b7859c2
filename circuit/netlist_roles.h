#pragma once

#include <vector>

#include "circuit/deck_options.h"

namespace errata::circuit {

/// Problems of the project against the netlist: unknown cell, pins, devices, nodes (E202, E203, E208).
std::vector<Diagnostic> check_against_netlist(const Netlist& netlist, const DeckOptions& options,
                                              const std::vector<CellSlot>& cell_slots,
                                              const std::vector<CellSlot>& switch_slots, const Settings& settings);

}  // namespace errata::circuit
