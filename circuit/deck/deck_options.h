#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "circuit/deck/deck.h"
#include "circuit/deck/input_encoding.h"
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
  double connect = 0.0;  ///< when the column switch closes; 0: always closed
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

/// Something that is measured on a column ([[circuit.output]]).
struct OutputOptions {
  std::string name;
  bool current = false;
  std::string node, reference;  ///< of a voltage
  std::string device;           ///< of a current
  std::size_t row = 0;          ///< of the cell that the names belong to, where errata composes the column
  Output::Measure measure = Output::Measure::kSample;
  double time_seconds = 0.0, from_seconds = 0.0, to_seconds = 0.0;  ///< 0: the sampling time

  std::string_view unit() const;
};

/// Whether errata adds clamp or precharge around a whole column.
enum class Periphery { kErrata, kNetlist };

/// What a column deck measures besides, so that the noise of its first line can be referred to its output: each
/// row's current and, of static reads, its gain by the thermal noise of a resistance beside it; of transient reads
/// voltages and currents over time, and how the line answers a charge and a current.
struct NoiseProbes {
  std::vector<double> seconds = {};           ///< of transient reads: when, ascending, the last one the sampling time
  double charge_from = 0.0, charge_to = 0.0;  ///< when the charge is put on the line

  static constexpr double kOhms = 1e15;            ///< of the resistances: far above all cells
  static constexpr double kChargeSeconds = 1e-12;  ///< times its slot's value: the charge
  static constexpr const char* kRow = "row ";      ///< begins the noise groups of the resistances
};

/// What a column or cell deck needs to know of the project, in SI units.
struct DeckOptions {
  std::string subcircuit;       ///< of the cell or of the whole column, lower case
  bool whole_column = false;    ///< names of pins, devices and nodes then hold {row} and {line}
  std::size_t first_index = 0;  ///< number of the first row and line
  Periphery periphery = Periphery::kErrata;
  std::string word_line_pin, bit_line_pin, source_line_pin, supply_pin, ground_pin;  ///< empty: the cell has none
  std::string complement_pin;                             ///< second bit line of each column, subtracted
  std::vector<std::pair<std::string, double>> tied_pins;  ///< pin and its voltage
  double supply_volts = 1.0;
  std::string compatibility;
  Storage storage;
  ReadMode read = ReadMode::kCurrent;
  ReadTiming timing;
  InputEncoding input;
  double temperature_kelvin = 300.15;
  double wire_ohms = 0.0;
  double source_line_ohms = 0.0;
  double clamp_ohms = 0.0, clamp_volts = 0.0;
  double wire_farads = 0.0;  ///< for each cell
  double line_farads = 0.0;  ///< at the sense end
  double precharge_volts = 0.0;
  std::string reset_switch;             ///< subcircuit, lower case; empty: ideal release
  std::string column_switch;            ///< subcircuit between a bit line and its clamp or sense node; empty: none
  std::size_t multiplexed_columns = 1;  ///< column switches on a sense node, all but one open
  double sense_farads = 0.0;            ///< of the node behind the column switch
  WordLine word_line;
  std::size_t idle_rows = 0;  ///< rows beyond the selectable ones that are never active
  std::size_t lines = 1;      ///< neighbouring bit lines that are simulated together and share their word lines
  std::vector<DrivenPin> driven_pins;
  std::vector<OutputOptions> outputs;
  std::optional<std::size_t> result;  ///< which of them is the column's result; none: the bit line
  std::optional<NoiseProbes> probes;  ///< only where a column's noise is measured
  double step_factor = 1.0;           ///< on time step and relative tolerances: half of them for the self-check
};

/// Whether the column behaves as its cells and errata's periphery do, so that a model can be composed from the cell
/// alone; else only columns are simulated.
bool composable(const DeckOptions& options);

/// Unit of what a column yields: "A", "V", "C", "V*s".
std::string_view result_unit(const DeckOptions& options);

/// A name with {row} and {line} (from 0) replaced by their numbers.
std::string numbered(std::string name, const DeckOptions& options, std::size_t row, std::size_t line);

/// The names that a pattern of a whole column stands for, each once; of a cell the name itself.
std::vector<std::string> numbered_names(const std::string& pattern, const DeckOptions& options, std::size_t rows);

/// Reads DeckOptions from a project; resistances scaled by circuit.severity.
DeckOptions deck_options(const Settings& settings);

/// A parameter of every cell, of the reset switch or of another part that mismatch or the stored level moves: of a
/// device, of a .model inside the part, or of the part's .subckt line.
struct CellSlot {
  enum class Owner { kDevice, kModel, kSubcircuit };
  std::string device, parameter;
  Owner owner = Owner::kDevice;
  bool operator==(const CellSlot&) const = default;
};

/// What stores a cell's level; empty where a node or pin voltage does.
CellSlot stored_level_slot(const DeckOptions& options);

}  // namespace errata::circuit
