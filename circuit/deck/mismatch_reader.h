#pragma once

#include <optional>
#include <string>
#include <vector>

#include "circuit/circuit_project.h"

namespace errata::circuit {

/// Reads [[circuit.mismatch]] and what stores the weight against the netlist: which values of which parts are varied,
/// and what they are nominally.
class MismatchReader {
 public:
  MismatchReader(const Settings& settings, CircuitProject& project);

  /// "m*" becomes one term for each device of its part that it fits. In a whole column a device without {row} is the
  /// column's own.
  void expand_patterns();

  /// [[circuit.correlation]] as one factor over all terms: L with L Lᵀ the matrix of coefficients.
  void correlate();

  void collect_terms();

  std::vector<Diagnostic> check();

  /// A lognormal draw on a nominal value of 0 does nothing; known only once every nominal value is.
  std::vector<Diagnostic> check_lognormal();

  /// σ of Pelgrom's law where the gate's width and length are the netlist's.
  void find_gate_areas(const RunContext& context);

  /// Asks ngspice for the nominal values that are not the same for every device.
  void find_nominal_values(const RunContext& context);

 private:
  /// A part of the column whose values are varied.
  struct Part {
    std::string prefix;      ///< of its devices in MismatchTerm::device; empty: the cell
    std::string subcircuit;  ///< what it is an instance of
    std::string instance;    ///< its name in the decks that nominal values are taken from
    VariedParameters* values = nullptr;
  };

  std::size_t rows() const;
  const Part& part_of(const MismatchTerm& term) const;
  /// The device by its path inside its part.
  std::string inner_device(const MismatchTerm& term) const { return term.device.substr(part_of(term).prefix.size()); }

  /// Paths of the leaf devices that a pattern fits; with {row} those of the first row, the number taken out again.
  std::vector<std::string> devices_that_fit(const std::string& pattern, const std::string& subcircuit) const;

  CellSlot::Owner owner_of(const Part& part, const std::string& device) const;

  void add(const Part& part, std::size_t term, CellSlot slot);

  /// What can be told without asking ngspice; else no number.
  double known_nominal(const Part& part, std::size_t term, const CellSlot& slot);

  Deck deck_of(const Part& part) const;

  std::string device_name(const Part& part, const std::string& device) const;

  /// ngspice's name of a value, of a whole column in its first line.
  std::string target(const Part& part, const CellSlot& slot, std::size_t row) const;

  std::optional<std::size_t> term_named(const std::string& path);

  void report_at(const std::string& path, std::string code, std::string message, std::string hint);
  void report_setting(std::size_t entry, const char* key, std::string message, std::string hint);
  void report(std::size_t term, std::string message, std::string hint);

  void check_term(std::size_t i, const MismatchTerm& term);

  const Settings& s_;
  CircuitProject& p_;
  std::vector<Part> parts_;
  std::vector<std::size_t> setting_;  ///< which entry of [[circuit.mismatch]] a term comes from
  std::vector<Diagnostic> problems_;
};

}  // namespace errata::circuit
