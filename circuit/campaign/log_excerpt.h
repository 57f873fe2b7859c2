#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "circuit/deck/deck.h"

namespace errata::circuit {

/// The lines of ngspice's log that say what went wrong, with those they quote; each once, at most 2000 characters.
std::string relevant_lines(std::string_view log);

/// A line of the user's netlist that ngspice's log talks about.
struct LogPlace {
  SourcePosition position;
  std::string excerpt;  ///< the line as the deck has it
};

/// Finds what a log names: a line's number in the deck, a line that it repeats, a device ("m.x1.m1"), model ("x1:n") or
/// node ("x1.q") of an expanded subcircuit, an undefined parameter. Lines of the netlist only, in the order of the log,
/// each once, at most five.
std::vector<LogPlace> places_in_log(std::string_view log, const Deck& deck);

/// The log, then "file:line: excerpt" of each place, indented.
std::string log_with_places(const std::string& log, const Deck& deck);

}  // namespace errata::circuit
