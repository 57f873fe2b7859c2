#pragma once

#include <string>
#include <utility>
#include <vector>

#include "circuit/deck.h"
#include "circuit/input_encoding.h"
#include "circuit/read_mode.h"
#include "core/settings.h"

namespace errata::circuit {

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

/// A word line from its driver to its last cell.
struct WordLine {
  double driver_ohms = 0.0;
  double cell_ohms = 0.0, cell_farads = 0.0;  ///< wire for each cell, without the cell's own gates
  std::size_t columns = 1;                    ///< cells on the whole line
  double position = 0.5;                      ///< of the simulated columns: 0 next to the driver, 1 far away

  bool plain() const { return driver_ohms <= 0.0 && cell_ohms <= 0.0 && cell_farads <= 0.0; }
};

/// A pin that follows a voltage over time, straight between its points.
struct DrivenPin {
  std::string pin;
  std::vector<double> seconds, volts;
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
  InputEncoding input;
  double temperature_kelvin = 300.15;
  double wire_ohms = 0.0;
  double source_line_ohms = 0.0;
  double clamp_ohms = 0.0;
  double wire_farads = 0.0;  ///< for each cell
  double line_farads = 0.0;  ///< at the sense end
  double precharge_volts = 0.0;
  std::string reset_switch;  ///< subcircuit, lower case; empty: ideal release
  WordLine word_line;
  std::size_t idle_rows = 0;  ///< rows beyond the selectable ones that are never active
  std::size_t lines = 1;      ///< neighbouring bit lines that are simulated together and share their word lines
  std::vector<DrivenPin> driven_pins;
  double step_factor = 1.0;  ///< on time step and relative tolerances: half of them for the self-check
};

/// Reads DeckOptions from a project; resistances scaled by circuit.severity.
DeckOptions deck_options(const Settings& settings);

/// A (device, parameter) of every cell, or of the reset switch, that mismatch or the stored level moves.
struct CellSlot {
  std::string device, parameter;
  bool operator==(const CellSlot&) const = default;
};

}  // namespace errata::circuit
