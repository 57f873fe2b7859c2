#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/diagnostic.h"

namespace errata::circuit {

/// One statement of a netlist (continuation lines joined), with the place of its first character.
struct Statement {
  std::string text;
  SourcePosition position;
  std::size_t first_line_length = 0;  ///< characters that stand on its first line; 0: the text was rewritten
};

/// An element inside a subcircuit. Names are lower case.
struct Device {
  std::string name;                ///< its first letter is the type: m, r, x, …
  std::string text;                ///< the statement
  std::vector<std::string> nodes;  ///< what its terminals touch; of an x: in the order of the pins
  std::vector<std::string> reads;  ///< nodes it only looks at: controlling ones, those in v(…) of expressions
  std::string model;               ///< name of the .model as written, a binned one without its number; may be empty
  std::string subcircuit;          ///< of an x: key of its Subcircuit in Netlist::subcircuits; empty: not defined
  std::vector<std::pair<std::string, std::string>> parameters;  ///< name=value of the statement
  SourcePosition position;

  char type() const { return name.empty() ? '?' : name.front(); }
};

/// A .subckt of the netlist.
struct Subcircuit {
  std::string name;               ///< lower case
  std::string parent;             ///< key of the subcircuit that it is nested in; empty: none
  std::string deck_name;          ///< what it is called in the statements, where ngspice can't take its name
  std::vector<std::string> pins;  ///< lower case
  std::map<std::string, std::string> parameters;  ///< those of the .subckt line with their defaults, and its own .param
  std::map<std::string, Device> devices;          ///< by name; of subcircuits that the roots need
  std::set<std::string> nodes;                    ///< internal ones: neither pins nor ground nor global
  std::set<std::string> globals;                  ///< global nodes that it or a subcircuit inside it touches
  std::set<std::string> models;                   ///< .model cards inside it
  SourcePosition position;
};

/// A user's netlist with its includes inlined, ready to stand inside a composed deck.
struct Netlist {
  std::vector<Statement> statements;
  std::map<std::string, Subcircuit> subcircuits;  ///< by lower-case name; one inside "a" is "a.name"
  std::set<std::string> globals;                  ///< nodes of .global lines, without ground
  double scale = 1.0;                             ///< of `.option scale`; NaN: an expression
  bool sets_nominal_temperature = false;          ///< by `.option tnom`
  std::vector<Diagnostic> warnings;
  std::string sha256;  ///< over all statements
};

struct NetlistOptions {
  /// Lets statements pass that run commands or write files (architecture.md §9). The rest of a .control section is
  /// dropped always.
  bool trust = false;
  /// Section to take from every `.lib FILE SECTION` of the top file that has it; empty: the one that is named.
  std::string corner;
  /// ngspice's `ngbehavior` that the deck will be loaded with.
  std::string compatibility;
  /// The subcircuits that decks are built from. Only they and what they need is checked and kept; where one of them
  /// does not exist, or with none, everything is kept.
  std::vector<std::string> roots;
};

/// Reads a netlist and everything it includes; elements outside subcircuits are dropped (docs/reference/netlists.md).
/// Throws ProjectError with every problem found: missing files, undefined parameters and models, unbalanced
/// subcircuits, statements that Debian's ngspice cannot run or reads in another way than it is meant.
Netlist read_netlist(const std::filesystem::path& path, const NetlistOptions& options);

/// Words of a statement, split at white space, commas and parentheses kept together with braces.
std::vector<std::string> words_of(const std::string& statement);

/// A device that is no subcircuit, by its path inside a subcircuit: "m1", "x2.m1".
struct LeafDevice {
  std::string path;
  char type = '?';
  std::string model;
};

/// All leaf devices of a subcircuit through its whole instance tree, sorted by path. Throws Error (E234) for more than
/// a million.
std::vector<LeafDevice> leaf_devices(const Netlist& netlist, const std::string& subcircuit);

/// The device at a path inside a subcircuit ("x2.m1"), or null. Instances are devices too ("x2").
const Device* find_device(const Netlist& netlist, const std::string& subcircuit, std::string_view path);

/// ngspice's name of the device at a path inside instance `instance` of a subcircuit: "x2.m1" in "x3" is "m.x3.x2.m1".
/// A subcircuit that is defined inside another one is expanded with it, so the type stands before its part again:
/// "m.x3.m.x2.m1".
std::string expanded_device_name(const Netlist& netlist, const std::string& subcircuit, const std::string& instance,
                                 std::string_view path);

/// ngspice's name of a .model inside a subcircuit, likewise: "x2.nch" in "x3" is "x3.x2:nch", or "x3:x2:nch".
std::string expanded_model_name(const Netlist& netlist, const std::string& subcircuit, const std::string& instance,
                                std::string_view path);

/// True when the subcircuit has the node at a path: "q", "x2.q"; a pin counts as a node.
bool has_node(const Netlist& netlist, const std::string& subcircuit, std::string_view path);

}  // namespace errata::circuit
