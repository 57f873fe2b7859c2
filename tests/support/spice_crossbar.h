#pragma once

#include <fmt/format.h>

#include <cmath>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "behavioral/crossbar/crossbar_options.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace errata::testing {

/// The array as a netlist: word lines w_r_c, bit lines b_r_c, sources vin_r, sense terminals as voltage sources of 0 V.
/// With `sinh_volts` a cell's current is g·sinh_volts·sinh(v / sinh_volts). A resistance of 0 becomes a voltage source
/// of 0 V (ngspice makes it 1 mOhm otherwise).
inline std::string spice_crossbar(const behavioral::CrossbarOptions& o, std::span<const double> cell_siemens,
                                  std::span<const double> input_volts, double sinh_volts) {
  using behavioral::BitLineSense;
  using behavioral::WordLineDrive;
  std::string deck = "* crossbar\n";
  std::size_t next = 0;
  const auto wire = [&](const std::string& a, const std::string& b, double ohms) {
    deck += ohms > 0 ? fmt::format("r{} {} {} {:.17g}\n", next, a, b, ohms) : fmt::format("v{} {} {} 0\n", next, a, b);
    ++next;
  };
  const auto word = [](std::size_t r, std::size_t c) { return fmt::format("w_{}_{}", r, c); };
  const auto bit = [](std::size_t r, std::size_t c) { return fmt::format("b_{}_{}", r, c); };
  for (std::size_t r = 0; r < o.rows; ++r)
    for (std::size_t c = 0; c < o.columns; ++c) {
      const double g = cell_siemens[r * o.columns + c];
      if (g > 0 && sinh_volts > 0)
        deck += fmt::format("b{0} {1} {2} i = {3:.17g}*sinh(v({1},{2})/{4:.17g})\n", next++, word(r, c), bit(r, c),
                            g * sinh_volts, sinh_volts);
      else if (g > 0)
        wire(word(r, c), bit(r, c), 1 / g);
      if (c + 1 < o.columns) wire(word(r, c), word(r, c + 1), o.word_wire_ohms);
      if (r + 1 < o.rows) wire(bit(r, c), bit(r + 1, c), o.bit_wire_ohms);
    }
  for (std::size_t r = 0; r < o.rows; ++r) {
    deck += fmt::format("vin_{0} in_{0} 0 {1:.17g}\n", r, input_volts[r]);
    if (o.drive != WordLineDrive::kRight) wire(fmt::format("in_{}", r), word(r, 0), o.driver_ohms);
    if (o.drive != WordLineDrive::kLeft) wire(fmt::format("in_{}", r), word(r, o.columns - 1), o.driver_ohms);
  }
  for (std::size_t c = 0; c < o.columns; ++c) {
    deck += fmt::format("vout_{0} out_{0} 0 0\n", c);
    if (o.sense != BitLineSense::kTop) wire(bit(o.rows - 1, c), fmt::format("out_{}", c), o.sense_ohms);
    if (o.sense != BitLineSense::kBottom) wire(bit(0, c), fmt::format("out_{}", c), o.sense_ohms);
  }
  return deck;
}

/// Output currents of ngspice's operating point, A; empty (and `log` filled) when it gave none.
struct SpiceOutputs {
  std::vector<double> amperes;
  std::string log;
};

inline SpiceOutputs run_spice_crossbar(const behavioral::CrossbarOptions& o, std::span<const double> cell_siemens,
                                       std::span<const double> input_volts, double sinh_volts = 0) {
  const TemporaryFolder folder;
  // One thread, no transient rescue: docs/design/ngspice.md.
  folder.write(".spiceinit", "set num_threads=1\noptran 1 1 1 0 0 0\nset numdgt=16\n");
  std::string deck = spice_crossbar(o, cell_siemens, input_volts, sinh_volts);
  deck += ".options reltol=1e-9 abstol=1e-18 vntol=1e-12\n.control\nop\n";
  for (std::size_t c = 0; c < o.columns; ++c) deck += fmt::format("print i(vout_{})\n", c);
  deck += ".endc\n.end\n";
  folder.write("deck.cir", deck);
  SpiceOutputs result;
  result.log = run_shell("cd " + folder.path().string() + " && ngspice -b deck.cir").output;
  std::istringstream lines(result.log);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("i(vout_")) result.amperes.push_back(std::stod(line.substr(line.find('=') + 1)));
  if (result.amperes.size() != o.columns) result.amperes.clear();
  return result;
}

}  // namespace errata::testing
