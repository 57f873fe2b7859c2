#pragma once

#include <string>
#include <vector>

#include "circuit/netlist.h"
#include "core/settings.h"

namespace errata::circuit {

/// A complete ngspice deck whose varied values are all set by `alter`, also for the nominal point
/// (netlist numbers and altered numbers are rounded differently: docs/design/ngspice.md).
struct Deck {
  std::string name;
  std::vector<std::string> lines;         ///< title first, ".end" last
  std::vector<SourcePosition> positions;  ///< of each line: the user's file, or empty for composed lines
  std::vector<std::string> slots;         ///< targets of alter, for example "@m.x1.m1[delvto]"
  std::string output = "vclamp#branch";   ///< vector whose negative is the bit-line current
};

/// What a column or cell deck needs to know of the project, in SI units.
struct DeckOptions {
  std::string cell;                                                                  ///< subcircuit name, lower case
  std::string word_line_pin, bit_line_pin, source_line_pin, supply_pin, ground_pin;  ///< empty: the cell has none
  double supply_volts = 1.0;
  std::string weight_device, weight_parameter;
  double temperature_kelvin = 300.15;
  double wire_ohms = 0.0;
  double source_line_ohms = 0.0;
  double clamp_ohms = 0.0;
};

/// Reads DeckOptions from a project; resistances scaled by circuit.severity.
DeckOptions deck_options(const Settings& settings);

/// ngspice's name of a device inside instance `instance` of the cell: "m1" in "x3" is "m.x3.m1".
std::string device_path(const std::string& instance, const std::string& device);

/// A (device, parameter) of every cell that mismatch or the stored level moves.
struct CellSlot {
  std::string device, parameter;
  bool operator==(const CellSlot&) const = default;
};

/// One cell between ideal sources. Slots: word line, bit line, source line, then the cell slots.
Deck compose_cell(const Netlist& netlist, const DeckOptions& options, const std::vector<CellSlot>& cell_slots);

/// One bit line of `rows` cells with wire segments and a clamp at row 1. Slots: clamp voltage, clamp resistance,
/// offset current, then per row the word line and the cell slots.
Deck compose_column(const Netlist& netlist, const DeckOptions& options, const std::vector<CellSlot>& cell_slots,
                    std::size_t rows);

/// Problems of the project against the netlist: unknown cell, pins, devices (E202, E203, E208).
std::vector<Diagnostic> check_against_netlist(const Netlist& netlist, const DeckOptions& options,
                                              const std::vector<CellSlot>& cell_slots, const Settings& settings);

}  // namespace errata::circuit
