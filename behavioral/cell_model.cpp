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

CellModel::AtDraws CellModel::at_draws(std::size_t input, std::size_t level, std::span<const double> draws) const {
  double powers[kMostVariables][kMostPowers];
  for (std::size_t t = 0; t < terms; ++t) {
    const double z = std::clamp(draws[t], -mismatch_range, mismatch_range) / mismatch_range;
    powers[t][0] = 1.0;
    for (int d = 1; d <= degree; ++d) powers[t][d] = powers[t][d - 1] * z;
  }
  AtDraws polynomial{};
  const std::size_t count = monomials(), n = variables(), volts = n - terms;
  const double* c = coefficients.data() + (input * levels + level) * count;
  const std::uint8_t* e = exponents.data();
  for (std::size_t k = 0; k < count; ++k, e += n) {
    double product = c[k];
    for (std::size_t t = 0; t < terms; ++t) product *= powers[t][e[volts + t]];
    polynomial.coefficients[e[0]][source_axis ? e[1] : 0] += product;
  }
  return polynomial;
}

double CellModel::current(const AtDraws& polynomial, double bit_volts, double source_volts) const {
  const double v = (bit_volts - center_volts) / scale_volts, s = source_volts / scale_volts;
  double sum = 0.0;
  for (int i = degree; i >= 0; --i) {
    double inner = 0.0;
    for (int j = source_axis ? degree : 0; j >= 0; --j) inner = inner * s + polynomial.coefficients[i][j];
    sum = sum * v + inner;
  }
  return (bit_volts - source_volts) * std::exp(sum);
}

double CellModel::current(std::size_t input, std::size_t level, double bit_volts, double source_volts,
                          std::span<const double> draws) const {
  return current(at_draws(input, level, draws), bit_volts, source_volts);
}

}  // namespace errata::behavioral
