#pragma once

#include <string>

#include "tests/support/cell_project.h"

namespace errata::testing {

/// A valid discharge project of kConstantCurrentCell; one key per line, line 1 is "[project]".
inline const char* const kDischargeProject = R"([project]
name = "discharge"
seed = 7
[circuit]
netlist = "cell.cir"
cell = "cell"
read = "discharge"
[circuit.pins]
word_line = "wl"
bit_line = "bl"
[circuit.input]
levels = ["0 V", "1 V"]
[circuit.weight]
store = "pin_voltage"
pin = "w"
levels = ["0 V", "0.4 V", "0.7 V", "1 V"]
[circuit.timing]
delay = "0.1 ns"
edge = "20 ps"
pulse = "0.5 ns"
sample = "0.8 ns"
[[circuit.mismatch]]
name = "gain"
device = "gread"
parameter = "gain"
distribution = "lognormal"
sigma = "5 %"
[[circuit.mismatch]]
name = "offset"
scope = "column"
device = "sense"
parameter = "offset_voltage"
sigma = "5 mV"
[[circuit.mismatch]]
name = "reference"
scope = "chip"
device = "precharge"
parameter = "voltage"
sigma = "10 mV"
[[circuit.noise_source]]
name = "comparator"
kind = "output_voltage"
sigma = "2 mV"
[array]
rows = 8
wire_resistance = "0 Ohm"
precharge_voltage = "1 V"
bit_line_capacitance = "20 fF"
wire_capacitance = "0.25 fF"
)";

/// Draws gain·v(wl)·v(w) whatever the bit line's voltage: 2 uA for 0.52 ns are 1.04 fC.
inline const char* const kConstantCurrentCell =
    "* constant current\n.subckt cell bl wl w\nb1 ctl 0 v=v(wl)*v(w)\ngread bl 0 ctl 0 2u\n.ends\n";

/// A conductance gain·v(wl)·v(w) to ground: the line decays exponentially.
inline const char* const kOhmicCell =
    "* ohmic\n.subckt cell bl wl w\nb1 ctl 0 v=v(wl)*v(w)*v(bl)\ngread bl 0 ctl 0 2u\n.ends\n";

/// Pushes v(wl)·v(w) through 2 fF onto the bit line.
inline const char* const kCapacitorCell =
    "* capacitor\n.subckt cell bl wl w\nb1 bottom 0 v=v(wl)*v(w)\ncmom bl bottom 2f\n.ends\n";

/// A reset switch of 1 uS that injects the fall of its control through 1 fF.
inline const char* const kInjectingSwitch =
    ".subckt reset line reference control\nb1 line reference i=1u*v(control)*v(line,reference)\ncinj control line 1f\n"
    ".ends\n";

/// The shipped 8T SRAM cell, read by discharge.
inline std::string sram_project() {
  return "[project]\nname = \"sram_8t\"\n[circuit]\nnetlist = \"" + std::string(ERRATA_SOURCE_DIR) +
         R"(/netlists/sram_8t/cell.cir"
cell = "sram8t_cell"
read = "discharge"
[circuit.pins]
word_line = "rwl"
bit_line = "rbl"
supply = "vdd"
ground = "vss"
[[circuit.tied_pin]]
pin = "wwl"
voltage = "0 V"
[[circuit.tied_pin]]
pin = "wbl"
voltage = "1 V"
[[circuit.tied_pin]]
pin = "wblb"
voltage = "1 V"
[circuit.input]
levels = ["0 V", "0.6 V"]
[circuit.weight]
store = "node_voltage"
node = "q"
complement = "qb"
levels = ["0 V", "1 V"]
[circuit.timing]
delay = "0.1 ns"
edge = "20 ps"
pulse = "0.1 ns"
sample = "0.4 ns"
[[circuit.mismatch]]
name = "vt_read"
device = "mread"
parameter = "delvto"
sigma = "30 mV"
[[circuit.mismatch]]
name = "offset"
scope = "column"
device = "sense"
parameter = "offset_voltage"
sigma = "5 mV"
[[circuit.noise_source]]
name = "comparator"
kind = "output_voltage"
sigma = "2 mV"
[array]
rows = 8
wire_resistance = "1 Ohm"
bit_line_capacitance = "20 fF"
wire_capacitance = "0.2 fF"
[hardware]
weight_bits = 2
adc_range = 6
)";
}

}  // namespace errata::testing
