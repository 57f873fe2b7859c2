#include "behavioral/draw_monomials.h"

#include <algorithm>

namespace errata::behavioral {

std::size_t monomial_count(std::span<const std::uint8_t> exponents, std::size_t terms) {
  return terms == 0 ? 1 : exponents.size() / terms;
}

std::vector<double> draw_monomials(std::span<const std::uint8_t> exponents, std::size_t terms, double range,
                                   std::span<const double> draws) {
  std::vector<double> values(monomial_count(exponents, terms), 1.0);
  for (std::size_t k = 0; terms > 0 && k < values.size(); ++k)
    for (std::size_t t = 0; t < terms; ++t) {
      const double z = std::clamp(draws[t], -range, range) / range;
      for (int e = 0; e < exponents[k * terms + t]; ++e) values[k] *= z;
    }
  return values;
}

}  // namespace errata::behavioral
