#include "core/project_keys/project_keys.h"

namespace errata::project_keys {

std::vector<KeySpec> circuit_keys() {
  using namespace dimension;
  constexpr double kBig = 1e30;
  return {
      need(text("circuit.netlist", "", "ngspice netlist with the cell's .subckt, relative to the project's folder."),
           "cell.cir"),
      unless("circuit.column",
             need(text("circuit.cell", "",
                       "Name of the subcircuit that is the cell; errata composes the column around it."),
                  "rram_cell")),
      text("circuit.column", "",
           "Instead of circuit.cell: name of the subcircuit that is a whole column, or a small array of "
           "circuit.design.neighbours columns. Names under [circuit.pins], [circuit.weight] and [[circuit.mismatch]] "
           "hold `{row}` (and `{line}`) where its rows (and bit lines) are numbered."),
      integer("circuit.first_index", "0", 0, 1,
              "Number of the first row and bit line that `{row}` and `{line}` stand for."),
      choice(
          "circuit.read", "current", {"current", "discharge", "charge"},
          "How a column is read: `current` sums the cells' currents on a clamped bit line; `discharge` lets the active "
          "cells pull a precharged bit line down for the length of a word-line pulse; `charge` lets them push "
          "charge onto it through capacitors."),
      text(
          "circuit.corner", "",
          "Section (`ff`, `ss`, …) to take from every `.lib FILE SECTION` line of the netlist instead of the one named "
          "there, where the file has it."),
      text("circuit.compatibility", "",
           "ngspice's `ngbehavior` for netlists written for another simulator, for example `hs` (HSPICE), `ps` "
           "(PSPICE), "
           "`hsa`, `psa`; empty for none."),
      quantity("circuit.temperature", kTemperature, "27 degC", 1.0, 1000.0, "Temperature of the simulation."),
      list(quantity("circuit.further_temperatures", kTemperature, "", 1.0, 1000.0,
                    "Further temperatures to characterise, circuit.temperature being the nominal one: model and table "
                    "then hold between the lowest and the highest.")),
      real("circuit.severity", "1.0", 0.0, 100.0,
           "Scales the physical causes of error together: mismatch σ, declared noise, clamp and wire resistance. "
           "A physical change of the circuit, seen by ngspice; never a factor on the table."),
      choice(
          "circuit.strategy", "automatic", {"automatic", "point_by_point", "forked_batches"},
          "How points are simulated: `automatic` runs all biases of a device in one dc analysis where that gives the "
          "same numbers, `point_by_point` an operating point for each, `forked_batches` the analyses of `automatic`, "
          "each batch of points in a process of its own, forked from one that holds the loaded deck. The other two do "
          "that for decks of 100 kB and more, and after a crash or hang."),
      quantity("circuit.deadline", kTime, "60 s", 0.01, 1e6,
               "Wall-clock limit of one simulation; its worker is killed when it passes."),
      integer("circuit.retries", "2", 0, 20, "How often a failed simulation is tried again in a fresh worker."),
      real("circuit.tolerated_failures", "0.001", 0.0, 1.0, "Fraction of points that may fail."),

      need(
          text("circuit.pins.word_line", "", "Pin that receives the input level; of a column with `{row}`: `wl{row}`."),
          "wl"),
      need(text("circuit.pins.bit_line", "", "Pin whose current or voltage is read."), "bl"),
      text("circuit.pins.complement_bit_line", "",
           "Second pin with a line and a periphery of its own; the column's output is the difference of the two."),
      text("circuit.pins.source_line", "", "Pin returned to ground through the source line."),
      text("circuit.pins.supply", "", "Supply pin, tied to circuit.supply_voltage."),
      text("circuit.pins.ground", "", "Pin tied to node 0."),
      need(text("circuit.tied_pin[].pin", "", "A pin of the cell that stays at a fixed voltage."), "wwl"),
      need(quantity("circuit.tied_pin[].voltage", kVoltage, "", -100, 100, "Its voltage."), "0 V"),
      quantity("circuit.supply_voltage", kVoltage, "1 V", 0.0, 100.0, "Voltage of the supply pin."),
      list(quantity("circuit.further_supply_voltages", kVoltage, "", 0.0, 100.0,
                    "Further supply voltages to characterise, at every temperature.")),
      choice("circuit.supply_follows", "", {"pin", "rails"},
             "What moves with the supply from one operating point to another: the supply pin alone, or also every "
             "voltage that equals circuit.supply_voltage (inputs, stored nodes, tied and driven pins, precharge). "
             "Needed with circuit.further_supply_voltages."),

      need(text("circuit.driven_pin[].pin", "", "A pin of the cell that follows a voltage over time (a clock)."),
           "clk"),
      need(list(quantity("circuit.driven_pin[].times", kTime, "", 0, 1.0, "Times of its corners, ascending.")),
           R"(["0 s", "1 ns", "1.1 ns"])"),
      need(list(quantity("circuit.driven_pin[].voltages", kVoltage, "", -100, 100,
                         "Its voltage at each of these times.")),
           R"(["0 V", "0 V", "1 V"])"),

      text("circuit.result", "",
           "Name of the [[circuit.output]] that is the column's result; by default the current or voltage of the bit "
           "line. The other outputs are stored beside it."),
      need(text("circuit.output[].name", "", "Name of something that is measured beside the bit line."),
           "supply_charge"),
      choice("circuit.output[].quantity", "voltage", {"voltage", "current"},
             "Voltage of a node, or current of a device."),
      text("circuit.output[].node", "",
           "Voltage: a pin or an inner node of the cell or column, `bit_line` or `complement_bit_line`."),
      text("circuit.output[].reference", "", "Voltage: node whose voltage is subtracted; ground without it."),
      text("circuit.output[].device", "",
           "Current: a voltage source inside the cell or column, counted into its first terminal; or `supply` or "
           "`bit_line`, counted out of the supply or the clamp."),
      integer("circuit.output[].row", "0", 0, 4096, "With circuit.cell: the row, from 0, whose cell is meant."),
      choice("circuit.output[].measure", "sample", {"sample", "average", "integral"},
             "Transient reads: the value at a time, its mean or its integral over a span (of a current: a charge)."),
      quantity("circuit.output[].time", kTime, "0 s", 0, 1.0,
               "Of a sample: when, from the release of the bit line; 0 takes circuit.timing.sample."),
      quantity("circuit.output[].from", kTime, "0 s", 0, 1.0, "Begin of the span."),
      quantity("circuit.output[].to", kTime, "0 s", 0, 1.0, "End of the span; 0 takes circuit.timing.sample."),

      choice("circuit.input.encoding", "voltage", {"voltage", "pulse_width", "pulse_count"},
             "What of the word line carries an input level: its voltage, the width of its pulse, or the number of its "
             "pulses; pulses need a transient read."),
      need(any(list(quantity("circuit.input.levels", kNone, "", -kBig, kBig,
                             "Voltage, width or number of pulses of each input level, level 0 (idle) first; 2, 4, 8 … "
                             "levels."))),
           R"(["0 V", "1.0 V"])"),
      quantity("circuit.input.low", kVoltage, "0 V", -100, 100, "Pulses: voltage of an idle word line."),
      quantity("circuit.input.high", kVoltage, "1 V", -100, 100, "Pulses: voltage of an active word line."),
      quantity("circuit.input.period", kTime, "2 ns", 1e-15, 1.0, "Numbers of pulses: time from pulse to pulse."),
      choice(
          "circuit.weight.store", "instance_parameter",
          {"instance_parameter", "model_parameter", "subcircuit_parameter", "node_voltage", "pin_voltage"},
          "What holds the stored level: a device's instance parameter, a parameter of a .model card inside the cell, a "
          "parameter of the .subckt line, the initial voltage of a storage node, or a voltage on a pin."),
      text("circuit.weight.device", "", "Device (or .model) inside the cell whose parameter stores the weight."),
      text("circuit.weight.parameter", "", "Instance, model or subcircuit parameter that stores the weight level."),
      text("circuit.weight.node", "", "Storage node inside the cell, for `node_voltage`."),
      text("circuit.weight.complement", "",
           "Node that holds the opposite of the storage node: circuit.supply_voltage minus the level."),
      text("circuit.weight.pin", "", "Pin that carries the stored level, for `pin_voltage`."),
      need(any(list(quantity("circuit.weight.levels", kNone, "", -kBig, kBig,
                             "The parameter's value at each stored level, level 0 first."))),
           R"(["250 kOhm", "80 kOhm", "47 kOhm", "33 kOhm"])"),

      need(text("circuit.mismatch[].name", "", "Name of this random quantity."), "access_threshold"),
      choice("circuit.mismatch[].scope", "cell", {"cell", "column", "chip"},
             "One frozen draw per cell, per bit line, or per chip."),
      need(text("circuit.mismatch[].device", "",
                "Device inside the cell (`m1`, `x2.m1`), or a pattern (`m*`) that stands for every device it fits, "
                "each with a draw of its own; a .model inside the cell; the cell's own name, for a parameter of its "
                ".subckt line; or `clamp`, `precharge`, `sense` of the composed column; or `switch.m1`, a device "
                "inside array.reset_switch, and `column_switch.m1`."),
           "m1"),
      need(text("circuit.mismatch[].parameter", "",
                "Instance, model or subcircuit parameter: `delvto`, `mulu0`, `resistance`, `capacitance`, `vth0`; for "
                "`clamp`: `voltage`, `resistance`, `offset_current`; for `precharge`: `voltage`; for `sense`: "
                "`offset_voltage`."),
           "delvto"),
      any(quantity("circuit.mismatch[].nominal", kNone, "", -kBig, kBig,
                   "Value that the draw moves; by default the netlist's.")),
      choice("circuit.mismatch[].distribution", "normal", {"normal", "lognormal", "uniform"},
             "normal adds σ·z to the nominal value; lognormal multiplies it by exp(σ·z); uniform adds a value spread "
             "evenly over ±√3·σ."),
      any(list(quantity("circuit.mismatch[].sigma", kNone, "", 0, kBig,
                        "σ of the draw: one value, or one for each stored level. Relative for lognormal."))),
      quantity("circuit.mismatch[].pelgrom_coefficient", kVoltageLength, "", 0, kBig,
               "Pelgrom A_VT; σ = A_VT / sqrt(width · length)."),
      quantity("circuit.mismatch[].width", kLength, "", 1e-10, 1.0,
               "Gate width of the Pelgrom law; by default the device's own."),
      quantity("circuit.mismatch[].length", kLength, "", 1e-10, 1.0,
               "Gate length of the Pelgrom law; by default the device's own."),

      need(text("circuit.correlation[].first", "", "Name of a mismatch term."), "nmos_threshold"),
      need(text("circuit.correlation[].second", "", "Name of another one of the same scope."), "pmos_threshold"),
      real("circuit.correlation[].coefficient", "0", -1.0, 1.0, "Correlation of the two draws."),

      quantity("circuit.noise.integration_time", kTime, "10 ns", 1e-15, 1.0,
               "Integration time of a read; the noise bandwidth is 1 / (2 · integration_time)."),
      need(text("circuit.noise_source[].name", "", "Name of a declared noise source."), "rtn"),
      choice("circuit.noise_source[].kind", "cell_relative",
             {"cell_relative", "output_current", "output_voltage", "output_charge", "output_voltage_time"},
             "`cell_relative`: each active cell's current or charge fluctuates by σ relative; the others: σ at the "
             "output of each bit line, by its unit."),
      need(any(list(quantity("circuit.noise_source[].sigma", kNone, "", 0, kBig,
                             "rms of the source over one read: relative (one value or one per level), or in the "
                             "output's unit."))),
           "1 %"),
      real(
          "circuit.noise_source[].memory", "", 0.0, 0.999,
          "Correlation of the source from one read to the next (telegraph and 1/f noise); absent: fresh at every read. "
          "The error table takes it over."),

      quantity("circuit.timing.delay", kTime, "0.2 ns", 0, 1.0,
               "Transient reads: time from the release of the bit line to the word lines' edge."),
      quantity("circuit.timing.edge", kTime, "20 ps", 1e-15, 1.0, "Rise and fall time of a word line."),
      quantity("circuit.timing.pulse", kTime, "1 ns", 1e-15, 1.0, "Width of the word-line pulse."),
      quantity("circuit.timing.sample", kTime, "1.5 ns", 1e-15, 1.0, "When the bit line is sampled, from its release."),
      quantity("circuit.timing.step", kTime, "0 s", 0, 1.0,
               "Largest step of a transient; 0 takes a fiftieth of the sampling time."),

      integer("circuit.design.chips", "12", 2, 1e6, "Chips of the ngspice column campaign."),
      integer("circuit.design.columns", "4", 1, 1e5, "Column pairs for each of these chips."),
      integer("circuit.design.operands", "40", 4, 1e6, "Operands for each of these columns."),
      integer("circuit.design.bit_line_points", "9", 3, 1000,
              "Bit-line voltages of the cell's surface; for transient reads, voltages that the line ends at."),
      real("circuit.design.bit_line_low", "0.45", 0.05, 0.99,
           "Current reads: lowest bit-line voltage of the cell's surface, relative to array.clamp_voltage; the line "
           "must not "
           "sag below it."),
      real("circuit.design.mismatch_range", "4.0", 0.5, 10.0, "Range of the cell's sensitivities, in σ."),
      choice("circuit.design.sampling", "plain", {"plain", "latin_hypercube", "sobol"},
             "How the random mismatch samples of the cell's surface are spread. Columns always have plain draws: their "
             "spread is what is measured."),
      choice("circuit.design.pattern", "stratified", {"stratified", "sobol", "corners"},
             "Operands of the columns: Latin strata over activity and MAC value, a Sobol sequence over them, or the "
             "corner patterns (none, all, first, last, even, odd, near half, far half) followed by strata."),
      text("circuit.operands", "",
           "Operands of the columns from a file, `operands.h5` of `errata evaluate --capture-operands`, instead of a "
           "design; relative to the project's folder."),
      integer("circuit.design.neighbours", "1", 1, 64, "Bit lines that are simulated together on common word lines."),

      quantity("circuit.timing.connect", kTime, "0 s", 0, 1.0,
               "Transient reads: when the column switch closes, from the release of the bit line; 0: it is closed "
               "always."),
  };
}

}  // namespace errata::project_keys
