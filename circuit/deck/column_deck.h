#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "circuit/deck/compose.h"
#include "circuit/deck/composer.h"

namespace errata::circuit {

/// Makes the deck of compose_column: each bit line's periphery, then either rows of cells with their wires or the
/// netlist's own column.
class ColumnDeck {
 public:
  ColumnDeck(const Netlist& netlist, const DeckOptions& options, const PartSlots& slots, std::size_t rows);

  Deck compose();

 private:
  static constexpr const char* kColumn = "xdut";  ///< the netlist's own column in the deck

  static std::string name(std::size_t rows, const DeckOptions& options);

  // Names. A bit line's suffix tells it from the others: line 0 has none, a complement has "c".
  std::vector<std::string> suffixes() const;
  std::string bit(std::size_t j, const std::string& suffix) const;
  std::string source(std::size_t j, const std::string& suffix) const;
  /// Where clamp or sense amplifier see the line: behind its column switch where it has one.
  std::string sense(const std::string& suffix) const;

  void periphery(const std::string& suffix);
  void clamp(const std::string& suffix);
  void release(const std::string& suffix);
  void column_switch(const std::string& suffix);
  void switch_instance(const std::string& name, const std::string& line, const std::string& sense,
                       const std::string& control);
  void capacitances(const std::string& suffix);

  void row(std::size_t j);
  void wires(std::size_t j, const std::string& suffix);

  void whole_column();
  std::string own_parameters(std::size_t row, std::size_t line) const;
  std::vector<CellSlot> numbered_slots(std::span<const CellSlot> slots, std::size_t row, std::size_t line) const;
  Storage numbered_storage(std::size_t row, std::size_t line) const;
  std::map<std::string, std::string> pin_nets() const;

  void noise_output();
  bool probes_rows() const { return options_.probes && !options_.whole_column && options_.complement_pin.empty(); }
  /// Where the cell of a row of line `s` is connected: behind its probe where it has one.
  std::string cell_net(std::size_t j, const std::string& s) const;
  void row_probe(std::size_t j, const std::string& s);
  void line_probes();
  void probe_slots();
  std::string probed_node() const { return bit(wire_ ? (all_rows_ + 1) / 2 : 1, ""); }
  std::vector<Output> probe_outputs() const;
  void name_noise();
  std::vector<Output> outputs() const;
  Output output(const OutputOptions& wanted, std::size_t line) const;
  std::string vector_of_node(const std::string& node, const OutputOptions& wanted, std::size_t line) const;

  const Netlist& netlist_;
  const DeckOptions& options_;
  const PartSlots& slots_;
  std::size_t rows_, all_rows_;
  bool current_, wire_, source_wire_, periphery_;
  Composer c_;
};

}  // namespace errata::circuit
