// Built with contraction of a·b + c (behavioral/CMakeLists.txt): its results are compared within tolerances.
#include "behavioral/line/cell_expansion.h"

#include <algorithm>
#include <bit>
#include <cstdint>

#include "behavioral/fitting/draw_monomials.h"

namespace errata::behavioral {

namespace {

/// eˣ to a few units in the last place, |x| ≤ 700 (held beyond); without branches, so that loops over it are vectors.
inline double exponential(double x) {
  constexpr double kInverseLn2 = 1.4426950408889634, kLn2High = 0x1.62e42fee00000p-1, kLn2Low = 0x1.a39ef35793c76p-33;
  constexpr double kWhole = 0x1.8p52;  // adding it rounds to a whole number and leaves that in the lowest bits
  constexpr double kSeries[] = {
      1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040,
      1.0 / 720,        1.0 / 120,       1.0 / 24,       1.0 / 6,       0.5,          1.0,         1.0};
  x = x < -700.0 ? -700.0 : x > 700.0 ? 700.0 : x;
  const double shifted = x * kInverseLn2 + kWhole, whole = shifted - kWhole;
  const double r = (x - whole * kLn2High) - whole * kLn2Low;  // |r| ≤ 0.35
  double sum = kSeries[0];
  for (std::size_t k = 1; k < std::size(kSeries); ++k) sum = sum * r + kSeries[k];
  return std::bit_cast<double>(std::bit_cast<std::uint64_t>(sum) + (std::bit_cast<std::uint64_t>(shifted) << 52));
}

__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"))) void exponentials(double* values,
                                                                                                std::size_t count) {
  for (std::size_t k = 0; k < count; ++k) values[k] = exponential(values[k]);
}

struct Bias {
  double drop, rise;  ///< of the bit line and of the source line, in volt
};

std::vector<Bias> biases_of(const CellModel& cell, double clamp_volts) {
  const double d = -0.14 * clamp_volts;
  std::vector<Bias> biases = {{0, 0}, {d, 0}, {2 * d, 0}};
  if (cell.source_axis) biases.insert(biases.end(), {{0, -d}, {0, -2 * d}, {d, -d}});
  return biases;
}

/// The model's monomials by what they have of the draws.
struct DrawParts {
  std::vector<std::uint8_t> exponents;  ///< [parts][terms], each once
  std::vector<std::size_t> of;          ///< part of each monomial
};

DrawParts draw_parts(const CellModel& cell) {
  const std::size_t terms = cell.terms, variables = cell.variables(), voltages = variables - terms;
  DrawParts parts;
  std::size_t known = 0;
  for (std::size_t k = 0; k < cell.monomials(); ++k) {
    const std::uint8_t* e = cell.exponents.data() + k * variables + voltages;
    const auto is = [&](std::size_t part) {
      for (std::size_t t = 0; t < terms; ++t)
        if (e[t] != parts.exponents[part * terms + t]) return false;
      return true;
    };
    std::size_t part = 0;
    while (part < known && !is(part)) ++part;
    if (part == known) {
      parts.exponents.insert(parts.exponents.end(), e, e + terms);
      ++known;
    }
    parts.of.push_back(part);
  }
  return parts;
}

/// Powers of the voltages in each monomial at each bias, [monomials][biases].
std::vector<double> voltage_parts(const CellModel& cell, double clamp_volts, std::span<const Bias> biases) {
  std::vector<double> parts;
  parts.reserve(cell.monomials() * biases.size());
  for (std::size_t k = 0; k < cell.monomials(); ++k)
    for (const Bias& bias : biases) {
      const std::uint8_t* e = cell.exponents.data() + k * cell.variables();
      const double v = (clamp_volts + bias.drop - cell.center_volts) / cell.scale_volts;
      double product = 1.0;
      for (int i = 0; i < e[0]; ++i) product *= v;
      for (int i = 0; cell.source_axis && i < e[1]; ++i) product *= bias.rise / cell.scale_volts;
      parts.push_back(product);
    }
  return parts;
}

/// ln(I/V) at every bias and input level, [inputs][biases], as polynomials in the draws.
DrawPolynomials logarithms(const CellModel& cell, double clamp_volts, std::span<const Bias> biases) {
  const DrawParts parts = draw_parts(cell);
  const std::vector<double> volts = voltage_parts(cell, clamp_volts, biases);
  DrawPolynomials polynomials(parts.exponents, cell.terms, cell.mismatch_range, cell.levels,
                              cell.inputs * biases.size());
  const double* c = cell.coefficients.data();
  for (std::size_t x = 0; x < cell.inputs; ++x)
    for (std::size_t level = 0; level < cell.levels; ++level)
      for (std::size_t k = 0; k < cell.monomials(); ++k, ++c) {
        double* to = polynomials.coefficients(level, parts.of[k]).data() + x * biases.size();
        for (std::size_t b = 0; b < biases.size(); ++b) to[b] += *c * volts[k * biases.size() + b];
      }
  return polynomials;
}

/// The second order through conductances at the biases.
class Parabola {
 public:
  Parabola(double clamp_volts, std::span<const Bias> biases)
      : source_(biases.size() > 3), d_(biases[1].drop), inverse_(1 / d_), half_square_(0.5 * inverse_ * inverse_) {
    for (std::size_t b = 0; b < biases.size(); ++b) volts_[b] = clamp_volts + biases[b].drop - biases[b].rise;
  }
  CellExpansion through(const double* conductance) const {
    const auto at = [&](std::size_t b) { return volts_[b] * conductance[b]; };
    CellExpansion e;
    e.a = at(0);
    const double d1 = at(1);
    e.c = (at(2) - 2 * d1 + e.a) * half_square_;
    e.b = (d1 - e.a) * inverse_ - e.c * d_;
    if (!source_) return e;
    const double s = -d_, s1 = at(3);  // the source line rises where the bit line drops
    e.r = (at(4) - 2 * s1 + e.a) * half_square_;
    e.p = (e.a - s1) * inverse_ - e.r * s;
    e.q = (at(5) - e.a - e.b * d_ - e.c * d_ * d_ - e.p * s - e.r * s * s) * -(inverse_ * inverse_);
    return e;
  }

 private:
  bool source_;
  double d_, inverse_, half_square_, volts_[6];
};

}  // namespace

std::vector<CellExpansion> expand_cells(const CellModel& cell, double clamp_volts, std::span<const std::uint8_t> levels,
                                        std::span<const double> draws) {
  const std::vector<Bias> biases = biases_of(cell, clamp_volts);
  const DrawPolynomials polynomials = logarithms(cell, clamp_volts, biases);
  std::vector<double> conductance = polynomials.evaluate(levels, draws);
  exponentials(conductance.data(), conductance.size());
  const std::size_t rows = levels.size();
  const Parabola parabola(clamp_volts, biases);
  std::vector<CellExpansion> cells(cell.inputs * rows);
  for (std::size_t x = 0; x < cell.inputs; ++x)
    for (std::size_t j = 0; j < rows; ++j)
      cells[x * rows + j] = parabola.through(conductance.data() + j * polynomials.width() + x * biases.size());
  return cells;
}

}  // namespace errata::behavioral
