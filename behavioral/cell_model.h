#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace errata::behavioral {

/// Current of a cell as (V_bl − V_sl)·exp(p(u)), p a polynomial of total degree `degree` in the scaled bit-line
/// voltage, the source-line voltage and the cell's unit mismatch draws (methods.md §5.1). Positive by construction
/// and exact for a lognormal leakage. One set of coefficients for each input level and stored level.
struct CellModel {
  static constexpr std::size_t kMostVariables = 16;  ///< voltages and mismatch draws together
  std::size_t inputs = 2, levels = 4, terms = 0;     ///< X, L and the number of mismatch draws T
  bool source_axis = false;                          ///< whether V_sl is a variable
  double center_volts = 0.1, scale_volts = 0.1;      ///< v = (V_bl − center) / scale, also the scale of V_sl
  int degree = 3;
  std::vector<std::uint8_t> exponents;             ///< [monomials][variables], variables = v, (s), z…
  std::vector<double> coefficients;                ///< [X][L][monomials]
  double mismatch_range = 4.0;                     ///< |z| beyond this is clamped: the fit knows no more
  double lowest_volts = 0.0, highest_volts = 1.0;  ///< bit-line range of the fit

  std::size_t variables() const { return 1 + (source_axis ? 1 : 0) + terms; }
  std::size_t monomials() const { return variables() == 0 ? 0 : exponents.size() / variables(); }

  /// Exponents of all monomials of total degree ≤ degree.
  static std::vector<std::uint8_t> full_basis(std::size_t variables, int degree);

  /// p(u) at given draws as a polynomial in the voltages alone, [power of V_bl][power of V_sl, with a source axis].
  static constexpr std::size_t kMostPowers = 8;
  struct AtDraws {
    double coefficients[kMostPowers][kMostPowers];
  };
  AtDraws at_draws(std::size_t input, std::size_t level, std::span<const double> draws) const;
  /// Current at a bias, in ampere, by what at_draws gave: for several biases of one cell.
  double current(const AtDraws& polynomial, double bit_volts, double source_volts) const;

  /// Current at a bias, in ampere. `draws` has `terms` entries.
  double current(std::size_t input, std::size_t level, double bit_volts, double source_volts,
                 std::span<const double> draws) const;
};

}  // namespace errata::behavioral
