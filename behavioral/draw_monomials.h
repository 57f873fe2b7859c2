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

}  // namespace errata::behavioral
