#pragma once

#include "behavioral/black_box/column_surface.h"
#include "behavioral/line/line.h"

namespace errata::behavioral {

/// Black-box column (methods.md §5.2): a regression on whole columns, for users who have no cell to measure alone.
/// Every row adds a contribution that depends on its input level x, its stored level w and its cell's unit draws z,
///
///     u = Σ_j g_j,   g_j = Σ_m contribution[x_j][w_j][m] · z_j^m,      contribution[0][0][nominal] = 0
///     P = Σ_j g_j h_j,   h_j = 1 − (1 − j/n)²                          position moment (methods.md §2)
///     output = c0 + u + surface(u, a, P) + Σ_q d_q (B_q0 + B_q1 u + B_q2 a)
///
/// with a the mean input level over the highest one and d the draws of the line's periphery. Beyond the design's part
/// of (u, a, P) the surface is held at the border, and Line::extrapolated counts such reads.
class BlackBox final : public ColumnFamily {
 public:
  static constexpr const char* kName = "black_box";

  std::size_t stored_inputs = 2, stored_levels = 2;
  std::size_t terms = 0;                ///< mismatch draws of a cell
  double mismatch_range = 1.0;          ///< |z| of cells beyond this is held: the fit knows no more
  std::vector<std::uint8_t> exponents;  ///< [monomials][terms], the constant first
  std::vector<double> contribution;     ///< [X][L][monomials] in the output's unit
  std::vector<std::uint8_t> seen;       ///< [X][L] 0 where the design holds no such cell
  double offset = 0.0;                  ///< c0
  ColumnSurface surface;
  ColumnSupport support;
  std::size_t periphery_terms = 0;
  double periphery_range = 0.0;   ///< largest |d| of the design; beyond it the line in d goes on
  std::vector<double> periphery;  ///< [periphery terms][3] B
  std::array<double, 3> noise{};  ///< thermal variance over (1, a, u), in the output's unit squared
  double noise_floor = 0.0;       ///< it is never less

  std::size_t monomials() const;
  std::string name() const override { return kName; }
  std::size_t levels() const override { return stored_levels; }
  std::size_t input_levels() const override { return stored_inputs; }
  std::unique_ptr<Line> line(const LineConditions& conditions) const override;
  std::string fitted_to() const override { return "whole lines, errors relative to the spread of their outputs"; }
  std::string validity() const override;
  void save(Hdf5Writer& file) const override;
  static std::shared_ptr<const ColumnFamily> load(const Hdf5Reader& file, TermCounts counts);

  /// Contributions of a cell's monomials at an input and stored level, [monomials].
  std::span<const double> cell(std::size_t input, std::size_t level) const {
    return std::span(contribution).subspan((input * stored_levels + level) * monomials(), monomials());
  }
};

/// h_j of row j (0 is nearest to the output) among n.
double position_weight(std::size_t row, std::size_t rows);

/// Fits candidates to all lines of the characterisation, given their draws, and chooses by cross-validation with chips
/// held out. Throws Error (E504) when the lines are too few or a candidate's fit does not converge.
FamilyFit fit_black_box(const circuit::Characterization& data);

}  // namespace errata::behavioral
