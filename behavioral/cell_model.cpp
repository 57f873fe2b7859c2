#include "behavioral/cell_model.h"

#include <algorithm>
#include <cmath>

namespace errata::behavioral {

std::vector<std::uint8_t> CellModel::full_basis(std::size_t variables, int degree) {
  std::vector<std::uint8_t> all, current(variables, 0);
  const auto extend = [&](const auto& self, std::size_t variable, int left) -> void {
    if (variable == variables) {
      all.insert(all.end(), current.begin(), current.end());
      return;
    }
    for (int e = 0; e <= left; ++e) {
      current[variable] = static_cast<std::uint8_t>(e);
      self(self, variable + 1, left - e);
    }
    current[variable] = 0;
  };
  extend(extend, 0, degree);
  return all;
}

double CellModel::current(std::size_t input, std::size_t level, double bit_volts, double source_volts,
                          std::span<const double> draws) const {
  constexpr std::size_t kMostPowers = 8;
  double powers[kMostVariables][kMostPowers];
  const std::size_t n = variables();
  const auto set = [&](std::size_t variable, double value) {
    powers[variable][0] = 1.0;
    for (int d = 1; d <= degree; ++d) powers[variable][d] = powers[variable][d - 1] * value;
  };
  std::size_t at = 0;
  set(at++, (bit_volts - center_volts) / scale_volts);
  if (source_axis) set(at++, source_volts / scale_volts);
  for (std::size_t t = 0; t < terms; ++t)
    set(at++, std::clamp(draws[t], -mismatch_range, mismatch_range) / mismatch_range);
  const std::size_t count = monomials();
  const double* c = coefficients.data() + (input * levels + level) * count;
  const std::uint8_t* e = exponents.data();
  double sum = 0.0;
  for (std::size_t k = 0; k < count; ++k, e += n) {
    double product = c[k];
    for (std::size_t v = 0; v < n; ++v) product *= powers[v][e[v]];
    sum += product;
  }
  return (bit_volts - source_volts) * std::exp(sum);
}

}  // namespace errata::behavioral
