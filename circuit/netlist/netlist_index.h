#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "circuit/netlist/netlist.h"
#include "circuit/netlist/netlist_text.h"

namespace errata::circuit {

/// One .subckt of the statements, or the top level (number 0).
struct Scope {
  std::string name;  ///< lower case; empty at the top
  std::string key;   ///< "outer.inner" for nested ones
  std::size_t parent = 0;
  std::size_t begin = 0, end = 0;  ///< statements .subckt and .ends
  std::vector<std::string> pins;
  std::map<std::string, std::string> parameters;  ///< of the .subckt line and of .param
  std::unordered_map<std::string, std::size_t> children;
  std::unordered_map<std::string, std::vector<std::size_t>> models;  ///< statements by name
  std::unordered_map<std::string, std::vector<std::size_t>> bins;    ///< those of "nfet.0", "nfet.1", … by "nfet"
  std::unordered_set<std::string> functions;
  std::vector<std::size_t> devices;         ///< statements
  std::vector<std::size_t> others;          ///< .model, .param, .ic, …: statements with expressions
  std::unordered_set<std::size_t> callers;  ///< scopes that instantiate it
  bool duplicate = false;                   ///< defined before: ngspice ignores it
};

/// What is defined where. Holds references to the statements.
class NetlistIndex {
 public:
  NetlistIndex(const std::vector<Statement>& statements, std::vector<Diagnostic>& problems,
               std::vector<Diagnostic>& warnings);

  const std::vector<Statement>& statements() const { return statements_; }
  const std::string& lower(std::size_t statement) const { return lower_[statement]; }
  const std::vector<Scope>& scopes() const { return scopes_; }
  Scope& scope(std::size_t number) { return scopes_[number]; }
  const std::set<std::string>& globals() const { return globals_; }
  /// Statements that ngspice would ignore: later definitions of the same name.
  bool ignored(std::size_t statement) const { return ignored_[statement]; }
  /// Part of a .control section that trust let pass.
  bool is_command(std::size_t statement) const { return command_[statement]; }
  /// True inside an .if that ngspice decides.
  bool conditional(std::size_t statement) const { return conditional_[statement]; }

  /// Number of the subcircuit that `name` means inside a scope; 0: none.
  std::size_t find_subcircuit(std::size_t scope, std::string_view name) const;
  /// Statements of the model that `name` means inside a scope (all bins of a binned one); null: none.
  const std::vector<std::size_t>* find_model(std::size_t scope, std::string_view name) const;
  bool is_ground(std::string_view node) const { return node == "0" || node == "gnd"; }

 private:
  void visit(std::size_t i);
  void open_scope(std::size_t i, const StatementParts& parts);
  void close_scope(std::size_t i, const StatementParts& parts);
  void add_model(std::size_t i, const StatementParts& parts);
  void add_parameters(std::size_t i, const StatementParts& parts);
  void mark_duplicates();

  const std::vector<Statement>& statements_;
  std::vector<Diagnostic>& problems_;
  std::vector<Diagnostic>& warnings_;
  std::vector<std::string> lower_;
  std::vector<bool> ignored_, conditional_, command_;
  std::vector<Scope> scopes_;
  std::vector<std::size_t> open_;
  std::set<std::string> globals_;
  int conditions_ = 0;
  bool in_control_ = false;  ///< commands that trust let pass
};

}  // namespace errata::circuit
