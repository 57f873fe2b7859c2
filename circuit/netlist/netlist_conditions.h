#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "circuit/netlist/netlist.h"
#include "circuit/netlist/netlist_text.h"

namespace errata::circuit {

/// Decides .if, .elseif, .else and .endif while a netlist is read. ngspice 39 reads .param, .subckt and .lib inside .if
/// whatever the condition is, and a nested .if whatever the outer one is; so errata decides what depends on numbers and
/// top-level parameters, and leaves to ngspice only what depends on an instance.
class NetlistConditions {
 public:
  NetlistConditions(const Dialect& dialect, std::vector<Diagnostic>& problems)
      : dialect_(dialect), problems_(problems) {}

  /// Takes one of the four; the statement that goes into the deck, or nothing.
  std::optional<Statement> take(const Statement& statement, const std::string& first_word);

  bool active() const;              ///< what is being read counts
  bool decided_by_ngspice() const;  ///< only elements and models may stand here

  void open_subcircuit() { locals_.emplace_back(); }
  void close_subcircuit() {
    if (!locals_.empty()) locals_.pop_back();
  }
  bool inside_subcircuit() const { return !locals_.empty(); }
  /// Takes the name=value pairs of a .param or .subckt line.
  void note_parameters(const Statement& statement);

  std::size_t depth() const { return open_.size(); }
  /// At the end of a file: reports what was opened in it.
  void close_down_to(std::size_t depth);
  /// At the end: the last definition of a parameter counts in ngspice, so a condition that an earlier one decided, or
  /// one of another scope, is wrong.
  void check() const;

 private:
  struct Condition {
    SourcePosition position;
    bool decided_here = true;  ///< false: ngspice decides, for each instance
    bool taken = false;        ///< a branch before was, or this one is
    bool active = true;        ///< the branch that is being read
  };
  struct Decided {
    SourcePosition position;
    std::string expression;
    bool value = false, inside = false;
  };

  void report(std::string code, const SourcePosition& at, std::string message, std::string hint) const;
  std::optional<Statement> open(const Statement& statement);
  bool depends_on_instance(const Statement& statement) const;
  std::optional<double> value_of(std::string_view expression) const;
  bool is_true(const Statement& statement, std::string_view first_word);

  const Dialect& dialect_;
  std::vector<Diagnostic>& problems_;
  std::vector<Condition> open_;
  std::vector<Decided> decided_;
  std::unordered_map<std::string, std::string> parameters_;  ///< top-level ones so far
  std::vector<std::set<std::string>> locals_;                ///< of each open subcircuit
  std::set<std::string> all_locals_;                         ///< of all subcircuits
};

}  // namespace errata::circuit
