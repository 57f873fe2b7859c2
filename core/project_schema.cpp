#include "core/project_schema.h"

#include <fmt/format.h>

namespace errata {

namespace {

KeySpec integer(std::string path, std::string default_text, double minimum, double maximum, std::string description) {
  return {.path = std::move(path),
          .kind = ValueKind::kInteger,
          .default_text = std::move(default_text),
          .minimum = minimum,
          .maximum = maximum,
          .description = std::move(description)};
}
KeySpec real(std::string path, std::string default_text, double minimum, double maximum, std::string description) {
  return {.path = std::move(path),
          .kind = ValueKind::kReal,
          .default_text = std::move(default_text),
          .minimum = minimum,
          .maximum = maximum,
          .description = std::move(description)};
}
KeySpec text(std::string path, std::string default_text, std::string description) {
  return {.path = std::move(path),
          .kind = ValueKind::kText,
          .default_text = std::move(default_text),
          .description = std::move(description)};
}
KeySpec flag(std::string path, std::string default_text, std::string description) {
  return {.path = std::move(path),
          .kind = ValueKind::kBoolean,
          .default_text = std::move(default_text),
          .description = std::move(description)};
}
KeySpec choice(std::string path, std::string default_text, std::vector<std::string> choices, std::string description) {
  return {.path = std::move(path),
          .kind = ValueKind::kChoice,
          .default_text = std::move(default_text),
          .choices = std::move(choices),
          .description = std::move(description)};
}
KeySpec quantity(std::string path, Dimension dimension, std::string default_text, double minimum, double maximum,
                 std::string description) {
  return {.path = std::move(path),
          .kind = ValueKind::kQuantity,
          .dimension = dimension,
          .default_text = std::move(default_text),
          .minimum = minimum,
          .maximum = maximum,
          .description = std::move(description)};
}
KeySpec need(KeySpec spec, std::string example) {
  spec.required = true;
  spec.example = std::move(example);
  return spec;
}
KeySpec unless(std::string other, KeySpec spec) {
  spec.unless = std::move(other);
  return spec;
}
KeySpec any(KeySpec spec) {
  spec.any_dimension = true;
  return spec;
}
KeySpec list(KeySpec spec) {
  spec.kind = ValueKind::kQuantityList;
  return spec;
}

std::vector<KeySpec> build_schema() {
  using namespace dimension;
  constexpr double kBig = 1e30;
  return {
      need(text("project.name", "", "Name of the project, used in reports."), "rram_1t1r"),
      integer("project.seed", "1", 0, 9e15, "Seed of every random stream; `--seed` overrides it."),

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

      integer("array.rows", "64", 1, 4096, "Cells on one bit line."),
      integer("array.unselected_rows", "0", 0, 65536, "Further rows on the bit line that no input selects."),
      integer("array.dummy_rows", "0", 0, 65536, "Further rows at stored level 0, never active."),
      integer("array.columns", "1", 1, 65536, "Cells on one word line, for its wire."),
      real("array.column_position", "0.5", 0.0, 1.0,
           "Where on the word line the simulated columns lie: 0 next to the driver, 1 at the far end."),
      quantity("array.driver_resistance", kResistance, "0 Ohm", 0, 1e9, "Output resistance of a word-line driver."),
      quantity("array.word_line_resistance", kResistance, "0 Ohm", 0, 1e9,
               "Word-line wire between neighbouring cells."),
      quantity("array.word_line_capacitance", kCapacitance, "0 F", 0, 1.0,
               "Word-line wire capacitance for each cell, without the cell's own gates."),
      quantity("array.wire_resistance", kResistance, "1 Ohm", 0, 1e9, "Bit-line wire between neighbouring cells."),
      quantity("array.source_line_resistance", kResistance, "0 Ohm", 0, 1e9,
               "Source-line wire between neighbouring cells; 0 ties every source pin to ground."),
      quantity("array.clamp_voltage", kVoltage, "0.2 V", -100, 100, "Voltage that the bit line is clamped to."),
      quantity("array.clamp_resistance", kResistance, "50 Ohm", 0, 1e9, "Output resistance of the clamp."),
      quantity("array.precharge_voltage", kVoltage, "1 V", -100, 100,
               "Transient reads: voltage that the bit line holds until it is released."),
      quantity("array.bit_line_capacitance", kCapacitance, "10 fF", 0, 1.0,
               "Transient reads: capacitance at the sense end of a bit line."),
      quantity("array.wire_capacitance", kCapacitance, "0.1 fF", 0, 1.0,
               "Transient reads: bit-line wire capacitance for each cell, without the cell's own junctions."),
      text("array.reset_switch", "",
           "Subcircuit of the netlist that holds the line until it is released; its pins are `line`, `reference`, "
           "`control` and, where it has them, `control_bar`, `supply`, `ground`. Without it the release is ideal."),

      choice("array.periphery", "errata", {"errata", "netlist"},
             "With circuit.column: whether errata adds the clamp, or the precharge and the line's capacitance, or the "
             "netlist has its own and circuit.result names what comes out."),
      text(
          "array.column_switch", "",
          "Subcircuit of the netlist between a bit line and the clamp or sense node: a column multiplexer or sense "
          "switch. Its pins are `line`, `sense`, `control` and, where it has them, `control_bar`, `supply`, `ground`."),
      integer("array.multiplexed_columns", "1", 1, 256,
              "Column switches on one sense node; all but the measured column's are open."),
      quantity("array.sense_capacitance", kCapacitance, "1 fF", 0, 1.0,
               "Transient reads: capacitance of the sense node behind a column switch."),
      quantity("circuit.timing.connect", kTime, "0 s", 0, 1.0,
               "Transient reads: when the column switch closes, from the release of the bit line; 0: it is closed "
               "always."),

      text("behavioral.model", "automatic",
           "Family of the column model: `current_mode`, `floating_line`, `black_box`, or one that was added; "
           "`automatic` "
           "takes the one that fits circuit.read, and black_box where no cell was measured alone."),
      real("behavioral.maximum_rms", "0.1", 0, 1e6,
           "Specification of the fit against held-out ngspice columns, RMS in MAC units."),
      real("behavioral.maximum_rms_full_scale", "0.01", 0, 1, "The same relative to the full scale of the design."),
      integer("errormodel.chips", "400", 8, 1e6, "Virtual chips that fill the table."),
      integer("errormodel.columns", "12", 2, 1e5, "Columns for each of them."),
      integer("errormodel.operands_per_column", "48", 8, 1e5, "Operands for each column."),
      text("errormodel.operands", "",
           "Operands that fill the table from a file, as for circuit.operands; without it they are stratified."),
      text("errormodel.measurements", "",
           "Measured conversions of test chips as CSV (docs/formats/measurements.md): they fill the table instead of "
           "the "
           "behavioural model, and the project needs no netlist. Relative to the project's folder."),
      text("errormodel.measured_weights", "",
           "CSV of the stored levels behind the measurements; with measured_inputs."),
      text("errormodel.measured_inputs", "", "CSV of the input vectors behind the measurements."),
      list(quantity("errormodel.drift_exponent", kNone, "", -1, 1,
                    "Conductance drift (t/t0)^(−ν): mean ν, one value or one for each stored level.")),
      list(quantity("errormodel.drift_spread", kNone, "", 0, 1, "Spread of ν from cell to cell, likewise.")),
      quantity("errormodel.drift_reference", kTime, "1 s", 1e-12, 1e12,
               "t0: time after programming at which the table's levels hold."),
      real("errormodel.stuck_lowest", "0", 0, 1, "Share of cells that hold the lowest level whatever is stored."),
      real("errormodel.stuck_highest", "0", 0, 1, "Share of cells that hold the highest level."),
      integer("errormodel.mac_points", "33", 5, 1025, "Grid points of the surfaces along y."),
      integer("errormodel.activity_points", "13", 4, 1025, "Grid points along the second axis."),

      text("hardware.error_table", "",
           "Error table to train and verify with, in place of artifacts/error_table.h5; relative to the project's "
           "folder. "
           "With it the project needs no netlist."),
      quantity("hardware.temperature", kTemperature, "", 1.0, 1000.0,
               "Operating point of the table; absent: its first. Between two of the table's it is interpolated."),
      quantity("hardware.supply_voltage", kVoltage, "", 0.0, 100.0, "The same for the supply."),
      text("hardware.corner", "", "The same for the process corner; never interpolated."),
      quantity("hardware.time_since_programming", kTime, "", 0.0, 1e12,
               "Time for which cells have drifted; absent: none has."),
      integer("hardware.cell_levels", "2", 2, 256,
              "Stored levels of a cell where there is no netlist; else circuit.weight.levels says it."),
      integer("hardware.input_levels", "2", 2, 256,
              "Input levels (a power of two) where there is no netlist; else circuit.input.levels says it."),
      integer("hardware.rows_per_tile", "0", 0, 4096, "Rows of a tile; 0 means array.rows."),
      integer("hardware.weight_bits", "3", 2, 8, "Bits of a signed weight: levels −(2^(b−1)−1) … 2^(b−1)−1."),
      integer("hardware.input_bits", "4", 1, 8, "Bits of an unsigned input, applied bit-serially."),
      choice("hardware.signed_scheme", "differential_before_adc",
             {"differential_before_adc", "differential_after_adc", "offset_column"},
             "How signed weights are made: a pair of bit lines subtracted before the ADC; a pair whose codes are "
             "subtracted; or weights stored with an offset, the code of a reference column being subtracted."),
      integer("hardware.adc_bits", "6", 1, 16, "Resolution of the ADC."),
      real("hardware.adc_range", "32", 1e-3, 1e9,
           "The ADC covers −adc_range … +adc_range (a pair subtracted before it) or 0 … adc_range, in MAC units."),
      choice("hardware.adc_kind", "sar", {"sar", "flash", "ramp"},
             "How the ADC is built: what `adc_element_mismatch` means and how it shows."),
      real("hardware.adc_offset", "0", 0, 1e6, "σ of the ADCs' offsets, in ADC steps."),
      real("hardware.adc_gain", "0", 0, 10, "σ of the ADCs' gains, relative."),
      real("hardware.adc_element_mismatch", "0", 0, 1e6,
           "σ of a unit capacitor (sar, relative), of a comparator's offset (flash, in steps) or of the ramp's bow "
           "(ramp, in "
           "steps)."),
      real("hardware.adc_noise", "0", 0, 1e6, "rms noise of a conversion, in ADC steps."),
      integer("hardware.columns_per_adc", "1", 1, 4096,
              "Columns that are multiplexed onto one ADC and share its errors."),

      choice("training.network", "lenet5", {"mlp", "lenet5", "vgg_small", "vgg8", "vgg16", "resnet20"}, "Network."),
      text("training.network_file", "",
           "Network of your own in place of training.network, relative to the project's folder: a list of layers in "
           "TOML "
           "(docs/formats/network.md), or a trained network in ONNX (docs/formats/onnx.md)."),
      choice("training.data_set", "glyphs", {"glyphs", "mnist", "fashion-mnist", "emnist", "cifar-10"}, "Data set."),
      integer("training.train_images", "0", 0, 1e9, "Use only the first N training images; 0 means all."),
      integer("training.test_images", "0", 0, 1e9, "Use only the first N test images; 0 means all."),
      integer("training.epochs", "8", 1, 100000, "Epochs of the first phase, on ideal quantised hardware."),
      integer("training.adaptation_epochs", "4", 0, 100000, "Epochs of the second phase, with the errors in the loop."),
      integer("training.batch_size", "64", 1, 65536, "Images in a mini-batch."),
      choice("training.optimizer", "adam", {"sgd", "adam", "adamw"}, "Optimiser."),
      real("training.momentum", "0.9", 0, 0.9999, "Momentum of sgd."),
      flag("training.nesterov", "false", "Nesterov's form of sgd's momentum."),
      real("training.learning_rate", "0.002", 0, 100,
           "Learning rate of the first phase; 0: chosen by a range test on a copy of the network."),
      real("training.adaptation_learning_rate", "0.001", 0, 100, "Learning rate of the second phase."),
      real("training.weight_decay", "0.0", 0, 10, "Weight decay."),
      choice("training.schedule", "cosine", {"constant", "cosine", "step"}, "Learning-rate schedule of each phase."),
      integer("training.warmup_steps", "0", 0, 1e9,
              "The rate rises linearly over so many steps at the start of a phase."),
      real("training.gradient_limit", "0.0", 0, 1e9, "Gradients are scaled down to this norm; 0: never."),
      real("training.label_smoothing", "0.0", 0, 0.99, "Share of the target that is spread over all classes."),
      real("training.average_decay", "0.0", 0, 0.999999,
           "Moving average of the weights, decay for each step: it is what is tested and kept. 0: off."),
      integer("training.validation_images", "0", 0, 1e9,
              "Training images held out, by which training.keep and training.patience judge an epoch."),
      choice("training.keep", "last", {"last", "best"},
             "Weights that a phase ends with: of its last or its best epoch."),
      integer("training.patience", "0", 0, 100000, "A phase ends after so many epochs without a better one; 0: never."),
      choice("training.precision", "fp32", {"fp32", "bf16"},
             "Operands of convolutions. `bf16` needs a processor with avx512_bf16 or amx_bf16; sums are fp32."),
      integer("training.shift", "1", 0, 8,
              "Augmentation: random crop of the image padded by this many black pixels on each side, that is, a random "
              "shift of up to as many."),
      flag("training.augmentation.flip", "false",
           "Augmentation: mirror left and right, one time in two. For pictures; digits and letters change their "
           "meaning."),
      choice(
          "training.normalization", "none", {"none", "scale"},
          "What is done to the images: nothing, their values lie between 0 and 1; or `scale`, each channel divided by "
          "its standard deviation over the training images, which is stored with the network. The mean stays, for "
          "inputs must not be negative; the bias takes it up."),
      flag("training.batch_norm", "false", "Batch normalisation after hidden layers (digital)."),
      choice("training.gradient", "table", {"table", "straight_through"},
             "Backward pass: with the table's slope 1 + ∂μ/∂y, or plain straight-through."),
      integer("training.chips_per_batch", "1", 1, 64,
              "Chips under each mini-batch in error-aware training; shards of 16 images take them in turn."),
      integer("training.fixed_chip", "-1", -1, 1e15,
              "Error-aware training for this one chip (with training.chips_per_batch, for it and those after it): the "
              "static errors that evaluation on that chip has. -1: new chips for each mini-batch."),
      flag("training.error_aware", "true",
           "Train a network with the error table in the loop; off, training needs no table."),
      choice("training.first_layer", "array", {"array", "digital"},
             "Where the first convolution or linear layer is worked out: on the array, or in floating point."),
      choice("training.last_layer", "array", {"array", "digital"}, "The same for the last one."),
      need(text("training.layer[].name", "", "A convolution or linear layer that differs from the others."), "conv1"),
      flag("training.layer[].digital", "false", "It stays in floating point, off the array."),
      integer("training.layer[].weight_bits", "0", 0, 8, "Bits of its weights; 0: hardware.weight_bits."),
      integer("training.layer[].input_bits", "0", 0, 8, "Bits of its inputs; 0: hardware.input_bits."),
      integer("training.layer[].adc_bits", "0", 0, 16, "Bits of its ADCs; 0: hardware.adc_bits."),
      real("training.layer[].adc_range", "0", 0, 1e9,
           "Range of its ADCs in MAC units; 0: hardware.adc_range, or as calibrated."),
      integer("training.layer[].rows_per_tile", "0", 0, 4096, "Rows of its tiles; 0: hardware.rows_per_tile."),
      choice("training.adc_calibration", "none", {"none", "layer"},
             "Ranges of the ADCs: hardware.adc_range for all, or for each layer the range that clips "
             "training.adc_clipped of its conversions in the ideal network."),
      real("training.adc_clipped", "0.001", 0, 0.5, "Share of conversions that a calibrated range clips."),
      choice("training.nonlinearity.form", "none", {"none", "polynomial", "rational", "tanh"},
             "Curve f(s) of every conversion before its ADC, s relative to the range; an arm `nonlinear` is trained "
             "through it: a0 + (1 + a1) s + a2 s² + a3 s³ + a5 s⁵, s/(1 + n|s|), or c·tanh(s/c)."),
      choice("training.nonlinearity.input", "conversion", {"conversion", "partial_sum"},
             "What goes through the curve: each conversion of the array (an input digit on a weight slice), or the "
             "whole sum of a tile, as where inputs and weights are analog."),
      real("training.nonlinearity.a0", "0", -10, 10, "Parameter of the polynomial."),
      real("training.nonlinearity.a1", "0", -10, 10, "Parameter of the polynomial."),
      real("training.nonlinearity.a2", "0", -10, 10, "Parameter of the polynomial."),
      real("training.nonlinearity.a3", "0", -10, 10, "Parameter of the polynomial."),
      real("training.nonlinearity.a5", "0", -10, 10, "Parameter of the polynomial."),
      real("training.nonlinearity.n", "0", 0, 1000, "Parameter of the rational curve."),
      real("training.nonlinearity.c", "1", 0.05, 1000, "Parameter of the tanh."),
      real("training.device.ratio", "0", 0, 1e12,
           "Devices as weights: G_max / G_min, above 1. An arm `device` is trained on them; 0: none."),
      real("training.device.nonlinearity", "0", -100, 100,
           "ν of the level map (1 − e^(−νt)) / (1 − e^(−ν)); 0 is linear."),
      real("training.device.asymmetry", "1", 1e-3, 1e3, "Gain of the branch that is subtracted, over the other's."),
      any(list(quantity("training.device.levels", kNone, "", 0, kBig,
                        "Measured conductance of every level of one device, ascending, instead of ratio and "
                        "nonlinearity."))),
      choice("training.device.pair", "pair", {"pair", "reference"},
             "Two devices for each weight, or one minus a reference at its middle level."),
      choice("training.device.gradient", "smooth", {"smooth", "straight_through"},
             "Training on a smooth staircase whose temperature falls, or on the hard one with slope 1."),
      real("training.device.temperature_start", "0.5", 1e-3, 100, "Temperature at the start, in level spacings."),
      real("training.device.temperature_end", "0.05", 1e-3, 100, "Temperature at the end of training."),
      flag("training.baselines", "true",
           "Also train, for the same number of epochs, without noise and with matched Gaussian noise."),

      integer("verification.chips", "100", 2, 1e6, "Chips, unseen before, on which accuracy is measured."),
      integer("verification.most_chips", "400", 2, 1e6,
              "Level 3 goes on to so many chips, at most four times verification.chips, where fewer give intervals too "
              "wide to "
              "decide."),
      integer("verification.images", "500", 1, 1e9, "Test images for each chip."),
      integer("verification.table_chips", "100", 8, 1e6, "Chips of the comparison of table and model (level 2)."),
      integer("verification.replay_chips", "1600", 2, 1e6, "Chips of the replay of the network's own operands."),
      integer("verification.replay_operands", "64", 4, 1e6,
              "Operands for each of the 16 columns that a layer's replay takes."),
      integer("verification.captured_columns", "64", 1, 1e6,
              "Columns of each layer that `errata evaluate --capture-operands` writes."),
      integer("verification.ngspice_operands", "8", 0, 1e6,
              "Of these, operands for each layer that are replayed in ngspice too."),
      real("verification.accuracy_tolerance", "0.5", 0, 100,
           "Level 3: largest difference between table and model, in points."),
      flag("verification.portability", "true",
           "Level 3: also predict the accuracy by a table on the network's own operands, and compare."),
      real("verification.portability_tolerance", "1.0", 0, 100, "Largest difference of the two, in points."),

      need(text("spec[].metric", "", "Metric, for example `accuracy.error_aware.mean`."), "accuracy.error_aware.mean"),
      real("spec[].minimum", "", -1e30, 1e30, "Smallest value that passes."),
      real("spec[].maximum", "", -1e30, 1e30, "Largest value that passes."),
  };
}

const char* kind_name(ValueKind kind) {
  switch (kind) {
    case ValueKind::kInteger:
      return "integer";
    case ValueKind::kReal:
      return "number";
    case ValueKind::kBoolean:
      return "true or false";
    case ValueKind::kText:
      return "text";
    case ValueKind::kChoice:
      return "one of";
    case ValueKind::kQuantity:
      return "quantity";
    case ValueKind::kQuantityList:
      return "quantity or list of quantities";
  }
  return "";
}

}  // namespace

std::span<const KeySpec> project_schema() {
  static const std::vector<KeySpec> schema = build_schema();
  return schema;
}

std::vector<std::string> sections_of_stage(std::string_view stage) {
  if (stage == "characterize") return {"circuit", "array", "hardware.signed_scheme"};
  if (stage == "fit") return {"behavioral", "hardware.adc_range", "hardware.signed_scheme"};
  if (stage == "compile")
    return {"errormodel",
            "array.rows",
            "circuit.temperature",
            "circuit.further_temperatures",
            "circuit.further_supply_voltages",
            "circuit.supply_follows",
            "circuit.corner",
            "circuit.pins.supply",
            "circuit.supply_voltage",
            "hardware.signed_scheme",
            "hardware.cell_levels",
            "hardware.input_levels",
            "hardware.adc_bits",
            "hardware.adc_range",
            "hardware.adc_kind",
            "hardware.adc_offset",
            "hardware.adc_gain",
            "hardware.adc_element_mismatch",
            "hardware.adc_noise"};
  if (stage == "train") return {"hardware", "training", "circuit.weight.levels", "circuit.input.levels"};
  if (stage == "verify") return {"circuit", "array", "hardware", "training", "verification", "spec"};
  return {"project", "circuit", "array", "behavioral", "errormodel", "hardware", "training", "verification", "spec"};
}

std::string schema_reference_page() {
  std::string page =
      "# The project file, errata.toml\n\nGenerated by `errata help project-file` from the schema that the parser "
      "uses.\n"
      "Physical values are strings with a unit, for example `\"0.2 V\"`; M is mega and m is milli.\n"
      "A key written `name[].key` stands in an array of tables, `[[name]]`.\n";
  std::string section;
  for (const auto& key : project_schema()) {
    const std::string top = key.path.substr(0, key.path.find_first_of(".["));
    if (top != section) {
      section = top;
      page += fmt::format("\n## {}\n\n| key | value | default | meaning |\n|---|---|---|---|\n", section);
    }
    std::string value = kind_name(key.kind);
    if (key.kind == ValueKind::kChoice) value += fmt::format(" `{}`", fmt::join(key.choices, "`, `"));
    if (key.kind == ValueKind::kQuantity || key.kind == ValueKind::kQuantityList)
      value += key.any_dimension ? "" : fmt::format(" in {}", unit_symbol(key.dimension));
    const std::string required = key.unless.empty() ? "required" : fmt::format("required without {}", key.unless);
    const std::string fallback = key.required               ? fmt::format("{}, e.g. `{}`", required, key.example)
                                 : key.default_text.empty() ? "absent"
                                                            : fmt::format("`{}`", key.default_text);
    page += fmt::format("| `{}` | {} | {} | {} |\n", key.path, value, fallback, key.description);
  }
  return page;
}

}  // namespace errata
