#pragma once

#include <vector>

#include "circuit/deck/compose.h"
#include "circuit/deck/deck_options.h"

namespace errata::circuit {

/// Problems of the project against the netlist: unknown cell or column, pins, devices, models, nodes (E202, E203,
/// E208). Names of a whole column are checked for each of its `rows`.
std::vector<Diagnostic> check_against_netlist(const Netlist& netlist, const DeckOptions& options,
                                              const PartSlots& slots, std::size_t rows, const Settings& settings);

}  // namespace errata::circuit
