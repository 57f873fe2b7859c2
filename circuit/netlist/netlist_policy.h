#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "circuit/netlist/netlist_text.h"

namespace errata::circuit {

/// What becomes of a dot statement.
enum class Treatment {
  kKeep,           ///< it goes into the deck
  kDrop,           ///< errata issues analyses and outputs itself
  kDropAndWarn,    ///< it would have meant something
  kDropBlock,      ///< it and all up to its end word
  kDropRest,       ///< it and the rest of the file
  kRefuse,         ///< E206
  kRefuseIfNeeded  ///< E206 when something that the cell uses is not defined elsewhere
};

struct Policy {
  Treatment treatment = Treatment::kKeep;
  std::string_view reason;     ///< for the message
  std::string_view block_end;  ///< of kDropBlock
};

/// By the first word, lower case, of a statement that begins with a dot. `inside` a subcircuit `.ic` and `.nodeset`
/// belong to the cell. Nothing for a word that neither ngspice nor errata knows.
std::optional<Policy> policy_of(std::string_view word, bool inside);

/// Why ngspice 39 of Debian 12 can't run a .model card (lower case), or nothing. `trust` lets pass what writes files.
std::optional<std::string> model_refusal(std::string_view card, const Dialect& dialect, bool trust);

/// The part of a .option statement that goes into the deck; empty when nothing is left. `replaced` lists the keys that
/// errata sets itself.
struct KeptOptions {
  std::string text;
  std::string replaced;
  std::string search;  ///< value of HSPICE's `search`, a folder
  std::string scale;   ///< value of `scale`
  bool nominal_temperature = false;
};
KeptOptions kept_options(std::string_view statement);

/// True for the first word of a line that would be a command of ngspice in a .control section.
bool is_command(std::string_view word);

}  // namespace errata::circuit
