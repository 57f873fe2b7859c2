#pragma once

#include <cstdint>
#include <vector>

#include "core/mismatch.h"

namespace errata {

/// Operands of one differential column: one stored pattern and many input vectors.
struct ColumnOperands {
  std::size_t rows = 0;
  std::vector<std::uint8_t> plus, minus;  ///< stored levels [rows] of the two bit lines
  std::vector<std::uint8_t> inputs;       ///< input levels [operands][rows], 0 or 1

  std::size_t count() const { return rows == 0 ? 0 : inputs.size() / rows; }
  const std::uint8_t* input(std::size_t operand) const { return inputs.data() + operand * rows; }
  /// Ideal MAC y of an operand (methods.md §2), in MAC units.
  double mac(std::size_t operand) const;
  /// Total drive A of an operand: Σ (w⁺ + w⁻ + 2·minimum_conductance)·x, in units of one level.
  double drive(std::size_t operand, double minimum_conductance) const;
};

/// A design stratified over (y, a): activity, which rows are active and the mean stored level vary independently.
struct OperandDesign {
  std::size_t rows = 64;
  std::size_t levels = 4;  ///< stored levels of a cell, 0 … levels − 1
  std::size_t operands = 40;
  double mac_limit = 0.0;  ///< targets of y keep |y| at or below this when positive; with many active rows a
                           ///< pattern that leans one way may still pass it
};

/// Operands of one column; a pure function of (design, seed, chip, column).
ColumnOperands make_operands(const OperandDesign& design, std::uint64_t seed, std::uint64_t chip, std::uint64_t column);

}  // namespace errata
