#pragma once

#include <map>
#include <string>
#include <vector>

#include "circuit/netlist/netlist.h"
#include "circuit/netlist/netlist_device.h"
#include "circuit/netlist/netlist_file.h"
#include "circuit/netlist/netlist_index.h"

namespace errata::circuit {

/// Every element taken apart, and which subcircuits the roots need.
struct NetlistAnalysis {
  const NetlistIndex& index;
  Dialect dialect;
  std::vector<std::vector<ParsedDevice>> devices;  ///< [scope][element], as Scope::devices
  std::vector<std::vector<std::size_t>> targets;   ///< scope that each of them instantiates; 0: none
  std::vector<bool> reachable;                     ///< [scope]: to be checked
  bool prunes = false;                             ///< the others are dropped
};

/// Takes the elements apart and follows the instances from the roots of `options`.
NetlistAnalysis analyse_netlist(NetlistIndex& index, const NetlistOptions& options);

/// Problems and warnings of one kind are told apart by what they are about; more than three about the same are counted
/// in the last one.
class NetlistReport {
 public:
  NetlistReport(const NetlistIndex& index, std::vector<Diagnostic>& problems, std::vector<Diagnostic>& warnings)
      : index_(index), problems_(problems), warnings_(warnings) {}

  /// `about` lies in the statement's lower-case text where a caret is wanted.
  void problem(std::string code, std::size_t statement, std::string_view about, std::string message, std::string hint);
  void warning(std::string code, std::size_t statement, std::string_view about, std::string message, std::string hint);
  /// Writes the counts behind the last messages.
  void finish();

 private:
  struct Seen {
    std::size_t count = 0;
    std::size_t last = 0;
    bool warning = false;
  };
  void add(Diagnostic diagnostic, std::size_t statement, std::string_view about);

  const NetlistIndex& index_;
  std::vector<Diagnostic>& problems_;
  std::vector<Diagnostic>& warnings_;
  std::map<std::string, Seen> seen_;
};

/// Undefined models and subcircuits (E205, E202), wrong connections (E231), recursion (E232), elements of the same name
/// (E233), what Debian's ngspice lacks or misreads (E206), parameters that go nowhere (W225). `files` knows sections.
void check_devices(const NetlistAnalysis& analysis, const NetlistFiles& files, bool trust, NetlistReport& report);

/// Parameters and functions that are defined nowhere (E204), stray words behind .param (E206), in kept statements.
void check_names(const NetlistAnalysis& analysis, const std::vector<bool>& kept, NetlistReport& report);

/// Nodes that one terminal touches, or that no DC path leads to (W223).
void check_nodes(const NetlistAnalysis& analysis, NetlistReport& report);

/// Statements that go into a deck.
std::vector<bool> kept_statements(const NetlistAnalysis& analysis);

/// The subcircuits with their devices, for Netlist.
std::map<std::string, Subcircuit> subcircuits_of(const NetlistAnalysis& analysis);

/// Gives subcircuits that ngspice confuses another name (Subcircuit::deck_name), in the statements too: those whose
/// name has special characters, is a parameter's, or that are nested and share it with another one.
void rename_subcircuits(const NetlistAnalysis& analysis, std::vector<Statement>& statements,
                        std::map<std::string, Subcircuit>& subcircuits);

}  // namespace errata::circuit
