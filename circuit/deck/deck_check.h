#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "circuit/deck/deck_options.h"

namespace errata::circuit {

/// What is wrong with a name of the project file, and what to try.
struct Complaint {
  std::string message;
  std::string hint;
};

/// True for the path of a .model card inside a subcircuit: "nch", "x2.nch".
bool has_model(const Netlist& netlist, const std::string& subcircuit, std::string_view path);

/// A slot's device must be a leaf of the subcircuit's instance tree that ngspice can alter; its model or parameter must
/// be the subcircuit's own.
std::optional<Complaint> complaint_about_slot(const Netlist& netlist, const std::string& subcircuit,
                                              const CellSlot& slot);

/// A role ("circuit.pins.supply") must name a pin, or for a fixed voltage a global node; "gnd" is ground always.
std::optional<Complaint> complaint_about_role(const Subcircuit& cell, const std::string& role, const std::string& pin);

/// Global nodes of the cell and the periphery's subcircuits need a role with a fixed voltage and a name of their own.
std::vector<Complaint> complaints_about_globals(const Netlist& netlist, const DeckOptions& options);

}  // namespace errata::circuit
