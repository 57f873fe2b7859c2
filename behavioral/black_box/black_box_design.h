#pragma once

#include <Eigen/Dense>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "circuit/characterization.h"

namespace errata::behavioral {

/// All line reads of a characterisation as the regression sees them (methods.md §5.2). A feature is a cell's monomial
/// of unit draws, for each input and stored level; the first one, an idle cell of level 0 without mismatch, is left
/// out.
struct LineDesign {
  using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

  std::size_t inputs = 2, levels = 2, terms = 0, monomials = 1;
  std::vector<std::uint8_t> exponents;  ///< [monomials][terms], the constant first
  double mismatch_range = 1.0, periphery_range = 0.0;
  double center = 0.0, scale = 1.0;        ///< of the outputs
  RowMajor count;                          ///< [reads][features] Σ over rows of their monomials
  RowMajor moment;                         ///< the same weighted by position (methods.md §2)
  Eigen::VectorXd active;                  ///< [reads] mean input level over the highest one
  RowMajor periphery;                      ///< [reads][groups] draws
  Eigen::VectorXd output;                  ///< [reads] (output − center) / scale
  std::vector<std::uint32_t> chip;         ///< [reads]
  std::vector<std::ptrdiff_t> of_reading;  ///< [chips][columns][branches][operands] its read; −1 where it failed
  std::vector<std::uint8_t> seen;          ///< [inputs][levels] whether there is such a cell
  std::vector<std::size_t> group;          ///< [periphery terms]
  std::vector<double> share;               ///< [periphery terms] of a term's draw in its group's

  std::size_t reads() const { return chip.size(); }
  std::size_t features() const { return levels - 1 + (inputs - 1) * levels * monomials; }
  /// The feature of a monomial; none where there is no such.
  std::optional<std::size_t> feature(std::size_t input, std::size_t level, std::size_t monomial) const {
    if (input > 0) return levels - 1 + ((input - 1) * levels + level) * monomials + monomial;
    if (level == 0 || monomial > 0) return std::nullopt;
    return level - 1;
  }
  /// Whether a feature is a cell's nominal contribution.
  bool nominal(std::size_t feature) const { return feature < levels - 1 || (feature - (levels - 1)) % monomials == 0; }
};

/// Of all readings that gave a number, with the draws of cells up to a total degree.
LineDesign line_design(const circuit::Characterization& data, int mismatch_degree);

/// The reads for which `keep` holds a 1.
LineDesign subset(const LineDesign& all, std::span<const std::uint8_t> keep);

}  // namespace errata::behavioral
