#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/diagnostic.h"

namespace errata::circuit {

/// One statement of a netlist (continuation lines joined), with the place of its first line.
struct Statement {
  std::string text;
  SourcePosition position;
};

/// A .subckt of the netlist.
struct Subcircuit {
  std::string name;                            ///< lower case
  std::vector<std::string> pins;               ///< lower case
  std::map<std::string, std::string> devices;  ///< name → statement text, lower case
  SourcePosition position;
};

/// A user's netlist with its includes inlined, ready to stand inside a composed deck.
struct Netlist {
  std::vector<Statement> statements;
  std::map<std::string, Subcircuit> subcircuits;  ///< by lower-case name
  std::vector<Diagnostic> warnings;
  std::string sha256;  ///< over all statements
};

struct NetlistOptions {
  /// Lets file-writing and script-loading statements pass (architecture.md §9). A .control section is dropped always.
  bool trust = false;
  /// Section to take from every `.lib FILE SECTION` of the top file that has it; empty: the one that is named.
  std::string corner;
};

/// Reads a netlist and everything it includes. Throws ProjectError with every problem found: missing files,
/// undefined parameters and models, unbalanced subcircuits, statements that Debian's ngspice cannot run.
Netlist read_netlist(const std::filesystem::path& path, const NetlistOptions& options);

/// Words of a statement, split at white space, commas and parentheses kept together with braces.
std::vector<std::string> words_of(const std::string& statement);

}  // namespace errata::circuit
