#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace errata::behavioral {

/// Number of monomials of unit draws, from their exponents [monomials][terms]; 1, the constant, without terms.
std::size_t monomial_count(std::span<const std::uint8_t> exponents, std::size_t terms);

/// Values of the monomials at unit draws [terms]; draws beyond `range` are clamped, since the fit knows no more, and
/// scaled by it.
std::vector<double> draw_monomials(std::span<const std::uint8_t> exponents, std::size_t terms, double range,
                                   std::span<const double> draws);

/// Polynomials in the unit draws of a cell, several side by side for each stored level, evaluated for all cells of a
/// line at once.
class DrawPolynomials {
 public:
  /// `exponents` is [monomials][terms]. All coefficients are 0 at first.
  DrawPolynomials(std::vector<std::uint8_t> exponents, std::size_t terms, double range, std::size_t levels,
                  std::size_t outputs);

  /// Coefficients of one monomial in the polynomials of a level, [outputs].
  std::span<double> coefficients(std::size_t level, std::size_t monomial);
  /// Outputs, rounded up to four; those beyond are 0.
  std::size_t width() const { return width_; }
  /// Values [rows][width()] of cells with stored levels [rows] and unit draws [rows][terms].
  std::vector<double> evaluate(std::span<const std::uint8_t> levels, std::span<const double> draws) const;

  /// What the kernel of evaluate() needs.
  struct Sums {
    const double* monomials;     ///< [count][rows]
    const double* coefficients;  ///< [levels][count][width]
    const std::uint8_t* levels;  ///< [rows]
    std::size_t count, rows, width;
  };

 private:
  std::vector<double> monomials(std::span<const double> draws, std::size_t rows) const;

  std::vector<std::uint8_t> exponents_;
  std::size_t terms_, monomials_, powers_, outputs_, width_;
  double range_;
  std::vector<double> coefficients_;  ///< [levels][monomials][width]
};

}  // namespace errata::behavioral
