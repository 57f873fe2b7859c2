#include "core/project_keys/project_keys.h"

namespace errata::project_keys {

std::vector<KeySpec> array_keys() {
  using namespace dimension;
  return {
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
  };
}

}  // namespace errata::project_keys
