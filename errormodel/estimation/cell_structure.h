#pragma once

#include <Eigen/Dense>
#include <span>
#include <vector>

#include "core/operand_design.h"

namespace errata::errormodel {

/// One part of the cells' covariance: s(x, w) s(x', w) of one stored level w and a pair of input levels, or, where
/// there are many input levels, s(X − 1, w)² with s(x, w) in proportion to the mean level g(x, w).
struct CellComponent {
  std::size_t level = 0;
  std::size_t first = 1, second = 1;  ///< input levels; unused when proportional
};

/// How the spread of cells by stored and input level becomes a covariance between operands of one column
/// (methods.md §3.3): a cell has one frozen draw, so operands go together as far as they share active cells.
class CellStructure {
 public:
  /// `level` is g(x, w), [inputs − 1][levels].
  CellStructure(std::size_t levels, std::size_t inputs, std::span<const double> level);

  const std::vector<CellComponent>& components() const { return components_; }
  /// Whether a component is a variance, so that it cannot be negative.
  bool is_variance(std::size_t component) const;
  /// Whether s(x, w) follows g(x, w): more than four input levels.
  bool proportional() const { return inputs_ > kMostFreeInputs; }
  /// How the spread at an input level compares with that at the highest one, when proportional.
  double share_of_top(std::size_t input) const;

  /// Covariance matrix of the operands for a unit of each component. Operand p reaches the output with slope[p].
  std::vector<Eigen::MatrixXd> overlaps(const ColumnOperands& column, std::span<const std::size_t> operands,
                                        const Eigen::VectorXd& slope) const;

  /// s(x, w) [inputs − 1][levels] from estimated components: of each stored level the matrix S(x, x') has one direction
  /// only, since a cell has one draw; negative estimates give 0.
  std::vector<double> spreads(const Eigen::VectorXd& components) const;
  /// Components that such spreads amount to: positive semi-definite, for use as weights.
  Eigen::VectorXd admissible(const Eigen::VectorXd& components) const;

 private:
  /// Few input levels: every pair of them has a variance of its own.
  static constexpr std::size_t kMostFreeInputs = 4;
  std::size_t kind(std::size_t input, std::size_t level) const { return (input - 1) * levels_ + level; }
  std::vector<Eigen::MatrixXd> proportional_overlaps(const ColumnOperands& column,
                                                     std::span<const std::size_t> operands) const;

  std::size_t levels_, inputs_;
  std::vector<double> level_;
  std::vector<CellComponent> components_;
};

}  // namespace errata::errormodel
