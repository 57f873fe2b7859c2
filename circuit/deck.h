#pragma once

#include <string>
#include <utility>
#include <vector>

#include "circuit/netlist.h"
#include "circuit/read_mode.h"
#include "circuit/simulation.h"
#include "core/settings.h"

namespace errata::circuit {

/// A vector of ngspice and the factor that makes it the deck's output: "vclamp#branch" times −1 is the bit-line
/// current.
struct Output {
  std::string vector;
  double factor = 1.0;
};

/// A complete ngspice deck whose varied values are all set from outside, also for the nominal point
/// (netlist numbers and altered numbers are rounded differently: docs/design/ngspice.md).
struct Deck {
  std::string name;
  std::vector<std::string> lines;         ///< title first, ".end" last
  std::vector<SourcePosition> positions;  ///< of each line: the user's file, or empty for composed lines
  std::vector<Slot> slots;
  std::vector<Output> outputs = {{"vclamp#branch", -1.0}};
  std::string transient;      ///< "tran STEP STOP 0 MAXIMUM_STEP" where the deck has one
  double stop_seconds = 0.0;  ///< when it ends
  std::string compatibility;  ///< ngbehavior to load it with; empty for none
};

/// How a cell keeps its stored level.
struct Storage {
  enum class Kind { kInstanceParameter, kModelParameter, kSubcircuitParameter, kNodeVoltage, kPinVoltage };
  Kind kind = Kind::kInstanceParameter;
  std::string device, parameter;  ///< device or model, and its parameter
  std::string node, complement;   ///< storage nodes inside the cell
  std::string pin;
};

/// Times of a transient read in seconds, from the release of the bit line.
struct ReadTiming {
  double delay = 0.2e-9, edge = 20e-12, pulse = 1e-9, sample = 1.5e-9, step = 0.0;
};

/// What a column or cell deck needs to know of the project, in SI units.
struct DeckOptions {
  std::string cell;                                                                  ///< subcircuit name, lower case
  std::string word_line_pin, bit_line_pin, source_line_pin, supply_pin, ground_pin;  ///< empty: the cell has none
  std::vector<std::pair<std::string, double>> tied_pins;                             ///< pin and its voltage
  double supply_volts = 1.0;
  std::string compatibility;
  Storage storage;
  ReadMode read = ReadMode::kCurrent;
  ReadTiming timing;
  double idle_word_volts = 0.0;  ///< word-line voltage of input level 0
  double temperature_kelvin = 300.15;
  double wire_ohms = 0.0;
  double source_line_ohms = 0.0;
  double clamp_ohms = 0.0;
  double wire_farads = 0.0;  ///< for each cell
  double line_farads = 0.0;  ///< at the sense end
  double precharge_volts = 0.0;
  std::string reset_switch;  ///< subcircuit, lower case; empty: ideal release
};

/// Reads DeckOptions from a project; resistances scaled by circuit.severity.
DeckOptions deck_options(const Settings& settings);

/// A (device, parameter) of every cell, or of the reset switch, that mismatch or the stored level moves.
struct CellSlot {
  std::string device, parameter;
  bool operator==(const CellSlot&) const = default;
};

/// One cell between ideal sources, at rest or with its word line at a level. Slots: word line, bit line, source line,
/// then the cell slots, of which the first stores the weight as options.storage says.
Deck compose_cell(const Netlist& netlist, const DeckOptions& options, const std::vector<CellSlot>& cell_slots);

/// One bit line of `rows` cells with wire segments. Current mode: a clamp at row 1; slots: clamp voltage, clamp
/// resistance, offset current, then per row the word line and the cell slots. Transient modes: a line that is released
/// at time 0; slots: precharge voltage, offset voltage of the sense amplifier, the switch slots, then per row the
/// word-line swing and the cell slots.
Deck compose_column(const Netlist& netlist, const DeckOptions& options, const std::vector<CellSlot>& cell_slots,
                    const std::vector<CellSlot>& switch_slots, std::size_t rows);

/// Transient modes: a cell on a bit line that follows, as a stiff source, the line of a reference cell of the top
/// stored level that is read alone (docs/design/decisions/0005). Outputs: where the line ends (V) and the charge that
/// the cell has drawn from it (C). Slots: capacitance of the reference's line, the reference's stored level and
/// word-line swing, the cell's word-line swing, then its cell slots.
Deck compose_follower(const Netlist& netlist, const DeckOptions& options, const std::vector<CellSlot>& cell_slots);

/// Transient modes: the reset switch on a capacitor, and a second capacitor to a probe that steps when the word lines
/// would rise: what of the step reaches the line tells the open switch's own capacitance. Output: voltage at the
/// sampling time. Slots: both capacitances, height of the step, precharge voltage, the switch slots.
Deck compose_switch(const Netlist& netlist, const DeckOptions& options, const std::vector<CellSlot>& switch_slots);

/// Problems of the project against the netlist: unknown cell, pins, devices, nodes (E202, E203, E208).
std::vector<Diagnostic> check_against_netlist(const Netlist& netlist, const DeckOptions& options,
                                              const std::vector<CellSlot>& cell_slots,
                                              const std::vector<CellSlot>& switch_slots, const Settings& settings);

}  // namespace errata::circuit
