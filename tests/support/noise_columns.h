#pragma once

#include "tests/support/cell_project.h"
#include "tests/support/example_project.h"
#include "tests/support/transient_noise.h"
#include "tests/support/transient_project.h"

namespace errata::testing {

/// A clamped column of transistor and resistor whose clamp and wires count.
inline Settings clamped_column(const std::filesystem::path& folder) {
  return write_project(folder, kExampleProject, kTransistorCell,
                       small_campaign({{"circuit.design.columns", "1"},
                                       {"circuit.mismatch", "[]"},
                                       {"array.wire_resistance", "500 Ohm"},
                                       {"array.clamp_resistance", "5 kOhm"}}));
}

/// Two stacked transistors without capacitances, the lower one opened by the stored level: saturated while the line is
/// high, a resistor once it has fallen.
inline const char* const kReadStack =
    "* read stack\n.model nm nmos level=1 vto=0.4 kp=300u lambda=0.05\n.subckt cell bl wl w\n"
    "m1 bl wl mid 0 nm w=1u l=1u\nm2 mid w 0 0 nm w=1u l=1u\n.ends\n";

inline Settings read_stack_column(const std::filesystem::path& folder, const std::string& farads) {
  return write_project(
      folder, kDischargeProject, kReadStack,
      small_campaign(
          {{"circuit.design.columns", "1"}, {"circuit.mismatch", "[]"}, {"array.bit_line_capacitance", farads}}));
}

/// The shipped 8T cell, with BSIM4.
inline Settings sram_column(const std::filesystem::path& folder) {
  return write_project(folder, sram_project(), "unused\n",
                       small_campaign({{"circuit.design.columns", "1"},
                                       {"circuit.mismatch", "[]"},
                                       {"circuit.input.levels", R"(["0 V", "1 V"])"}}));
}

}  // namespace errata::testing
