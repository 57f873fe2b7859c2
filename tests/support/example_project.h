#pragma once

#include <string>

namespace errata::testing {

/// A valid project of a 1T1R cell; one key per line, so that a test can name the line of what it changes.
/// Line 1 is "[project]".
inline const char* const kExampleProject = R"([project]
name = "example"
seed = 7
[circuit]
netlist = "cell.cir"
cell = "cell"
[circuit.pins]
word_line = "wl"
bit_line = "bl"
source_line = "sl"
[circuit.input]
levels = ["0 V", "1 V"]
[circuit.weight]
device = "rmem"
parameter = "resistance"
levels = ["250 kOhm", "50 kOhm", "27.5 kOhm", "19 kOhm"]
[[circuit.mismatch]]
name = "programming"
device = "rmem"
parameter = "resistance"
distribution = "lognormal"
sigma = ["20 %", "9 %", "6 %", "5 %"]
[[circuit.mismatch]]
name = "clamp_offset"
scope = "column"
device = "clamp"
parameter = "voltage"
sigma = "2 mV"
[[circuit.noise_source]]
name = "rtn"
kind = "cell_relative"
sigma = "2 %"
[array]
rows = 8
wire_resistance = "1 Ohm"
)";

/// The text with one line (from 1) replaced; an empty replacement leaves an empty line.
inline std::string with_line(std::string text, int line, const std::string& replacement) {
  std::size_t at = 0;
  for (int i = 1; i < line; ++i) at = text.find('\n', at) + 1;
  return text.replace(at, text.find('\n', at) - at, replacement);
}

}  // namespace errata::testing
