#pragma once

#include <cstdint>
#include <vector>

#include "behavioral/crossbar/crossbar_options.h"

namespace errata::behavioral {

/// What a resistor of the array is.
enum class BranchKind : std::uint8_t { kWordWire, kBitWire, kDriver, kSense };

/// A resistor that is no cell, between two nodes, next to the cell (row, column).
struct CrossbarWire {
  std::uint32_t a = 0, b = 0;
  std::uint32_t row = 0, column = 0;
  double siemens = 0.0;
  BranchKind kind = BranchKind::kWordWire;
};

/// The resistor network of an array: nodes, cells and wires, with lines of zero resistance merged.
/// Nodes 0 … interior − 1 are unknown; the ports follow, one for each word line's source, then one for each bit line's
/// sense terminal.
struct CrossbarNetwork {
  std::size_t rows = 0, columns = 0;
  std::size_t interior = 0;
  std::vector<std::uint32_t> word_node, bit_node;  ///< [rows × columns] the nodes that a cell joins
  std::vector<CrossbarWire> wires;                 ///< every wire whose two ends are different nodes

  std::size_t cells() const { return rows * columns; }
  std::size_t ports() const { return rows + columns; }
  std::size_t nodes() const { return interior + ports(); }
  std::size_t input_node(std::size_t row) const { return interior + row; }
  std::size_t output_node(std::size_t column) const { return interior + rows + column; }
};

/// Throws Error (E520) when an option lies outside its domain.
CrossbarNetwork make_crossbar_network(const CrossbarOptions& options);

}  // namespace errata::behavioral
