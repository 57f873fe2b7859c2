#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace errata {

/// Operands of one column: one stored pattern and many input vectors. A differential column has two bit lines that are
/// subtracted before the ADC; a single-ended one has only `plus`.
struct ColumnOperands {
  std::size_t rows = 0;
  std::vector<std::uint8_t> plus;    ///< stored levels [rows]
  std::vector<std::uint8_t> minus;   ///< stored levels of the second bit line [rows]; empty: single-ended
  std::vector<std::uint8_t> inputs;  ///< input levels [operands][rows]

  bool differential() const { return !minus.empty(); }
  /// Bit lines of the column: 2 or 1. Line b of column i is physical line branches()·i + b of its chip.
  std::size_t branches() const { return differential() ? 2 : 1; }
  const std::vector<std::uint8_t>& branch(std::size_t b) const { return b == 0 ? plus : minus; }
  std::size_t count() const { return rows == 0 ? 0 : inputs.size() / rows; }
  const std::uint8_t* input(std::size_t operand) const { return inputs.data() + operand * rows; }
  /// Ideal MAC y of an operand (methods.md §2), in MAC units.
  double mac(std::size_t operand) const;
  /// Second axis a of an operand (methods.md §2): the total drive A = Σ (w⁺ + w⁻ + 2·minimum_conductance)·x of a
  /// differential column, the activity X1 = Σ x of a single-ended one, in units of one level.
  double second_axis(std::size_t operand, double minimum_conductance) const;
};

/// How the operands of a column are chosen.
enum class OperandPattern : std::uint8_t {
  kStratified,  ///< Latin strata of activity and of y
  kSobol,       ///< a scrambled Sobol sequence over the same quantities
  kCorners,     ///< the corner patterns first (all on, one on, checkerboard, near and far half, …), then stratified
};

/// A design over (y, a): activity, which rows are active and the mean stored level vary independently.
struct OperandDesign {
  std::size_t rows = 64;
  std::size_t levels = 4;  ///< stored levels of a cell, 0 … levels − 1
  std::size_t operands = 40;
  double mac_limit = 0.0;        ///< keeps |y| at or below this when positive, at the cost of activity where a pattern
                                 ///< leans one way; corner patterns may pass it
  std::size_t input_levels = 2;  ///< 0 … input_levels − 1
  bool differential = true;
  OperandPattern pattern = OperandPattern::kStratified;
};

/// Operands of one column; a pure function of (design, seed, chip, column).
ColumnOperands make_operands(const OperandDesign& design, std::uint64_t seed, std::uint64_t chip, std::uint64_t column);

/// Names of the corner patterns that kCorners begins with, in order.
std::vector<std::string_view> corner_names();

}  // namespace errata
