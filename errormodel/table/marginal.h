#pragma once

#include <span>
#include <vector>

#include "errormodel/error_table.h"

namespace errata::errormodel {

/// Bits up to which P(code | ideal code) is kept; beyond, it would be larger than all else together.
inline constexpr int kMostCodeBits = 10;

/// Operands as a stratified design draws them for the table's array; always the same ones.
std::vector<ColumnOperands> stratified_operands(const ErrorTable& table, std::size_t columns);

/// Fills marginal_shift and marginal_cell_variance: what level errors and cells amount to, averaged over the patterns
/// of `operands`, at an ideal y and a.
void fill_marginal_terms(ErrorTable& table, std::span<const ColumnOperands> operands);

/// Fills code_pmf from the table's own terms over `operands`, every term as a normal of its variance. An ideal code
/// that no operand reaches has a uniform row.
void fill_code_view(ErrorTable& table, std::span<const ColumnOperands> operands);

/// All of the marginal view over a stratified design.
void fill_marginal_view(ErrorTable& table);

/// What a reader sees who knows nothing but the ideal y: moments over a, patterns, chips and reads, before the ADC.
struct OutputMoments {
  double output = 0.0;        ///< ideal y, MAC units
  double mean = 0.0;          ///< of the analog value
  double sigma = 0.0;         ///< of the analog value
  double static_share = 0.0;  ///< share of the variance that is frozen on a chip
  double support = 0.0;       ///< observations behind it
};
/// At every whole y from `low` to `high`; a is weighted by the observations behind each node. Needs the marginal view.
std::vector<OutputMoments> output_moments(const ErrorTable& table, int low, int high);

}  // namespace errata::errormodel
