#pragma once

#include <array>
#include <cmath>
#include <functional>
#include <vector>

#include "core/random_stream.h"
#include "errormodel/estimation/estimate.h"

namespace errata::testing {

/// A full generative form with known parameters (methods.md §3.1), in MAC units: what the estimators are tried on.
struct SyntheticTruth {
  std::size_t rows = 64, levels = 4, inputs = 2;
  bool differential = true;
  double minimum_conductance = 0.2;
  std::vector<double> level{0.0, 1.05, 1.95, 3.1};   ///< g(x, w) [inputs − 1][levels]
  std::vector<double> cell{0.04, 0.10, 0.14, 0.18};  ///< s(x, w) likewise
  /// φ = basis · [1, y, a], and the covariances of C and K over it.
  errormodel::Covariance basis{1, 0, 0, 0, 1.0 / 15, 0, -1.5, 0, 1.0 / 30};
  errormodel::Covariance chip{0.09, 0.02, 0, 0.02, 0.04, 0.01, 0, 0.01, 0.02};
  errormodel::Covariance column{0.64, 0.08, 0, 0.08, 0.09, -0.02, 0, -0.02, 0.0625};
  /// μ(y_s, a): even in y, so that it has no part that levels could take, on a symmetric design.
  std::function<double(double, double)> mean = [](double y, double a) { return 0.1 - 0.0004 * y * y + 0.002 * a; };
  std::function<double(double, double)> read_sigma = [](double, double) { return 0.3; };
  double cell_tail = 0.0;         ///< degrees of freedom of t-distributed cells, scaled to unit variance; 0: normal
  double position_gain = 0.0;     ///< of a row's contribution to y, from one end of the line to the other: wire drop
  double read_correlation = 0.0;  ///< AR(1) between successive reads

  std::size_t kind(std::size_t x, std::size_t w) const { return (x - 1) * levels + w; }
};

/// Four input levels: the current of a level is not in proportion to it.
inline SyntheticTruth multi_level_truth() {
  SyntheticTruth t;
  t.inputs = 4;
  t.level = {0.0, 1.05, 1.95, 3.1, 0.0, 2.0, 4.1, 6.1, 0.0, 3.2, 6.0, 9.0};
  t.cell = {0.03, 0.08, 0.10, 0.12, 0.05, 0.12, 0.17, 0.21, 0.07, 0.15, 0.22, 0.28};
  t.basis = {1, 0, 0, 0, 1.0 / 25, 0, -1.5, 0, 1.0 / 60};
  return t;
}

/// Single lines with a = X1; level 0 leaks.
inline SyntheticTruth single_ended_truth() {
  SyntheticTruth t;
  t.differential = false;
  t.level = {0.1, 1.05, 1.95, 3.1};
  t.basis = {1, 0, 0, -1.2, 1.0 / 15, 0, -1.5, 0, 1.0 / 20};
  t.mean = [](double, double) { return 0.1; };
  return t;
}

struct SyntheticSize {
  std::size_t chips = 40, columns = 20, operands = 32;
  std::size_t reads = 0;  ///< 0: v without noise, σ_D² as a named source
};

namespace synthetic {

inline std::array<double, 3> three_normals(RandomStream& stream, const errormodel::Covariance& covariance) {
  const auto l = errormodel::ErrorTable::factor(covariance);
  double n[3];
  for (double& x : n) x = stream.normal();
  std::array<double, 3> theta{};
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j <= i; ++j) theta[i] += l[3 * i + j] * n[j];
  return theta;
}

inline double cell_draw(RandomStream& stream, double tail) {
  const double z = stream.normal();
  if (tail <= 2.0) return z;
  double chi = 0.0;
  for (int k = 0; k < static_cast<int>(tail); ++k) chi += std::pow(stream.normal(), 2);
  return z / std::sqrt(chi / tail) * std::sqrt((tail - 2.0) / tail);
}

inline double quadratic(const errormodel::Covariance& basis, const std::array<double, 3>& theta, double y, double a) {
  double sum = 0.0;
  for (int i = 0; i < 3; ++i) sum += theta[i] * (basis[3 * i] + basis[3 * i + 1] * y + basis[3 * i + 2] * a);
  return sum;
}

}  // namespace synthetic

/// What the position of a row adds to its weight, for a unit of position_gain: the moment P of methods.md §2, less its
/// mean.
inline double position_weight(std::size_t row, std::size_t rows) {
  const double from_end = 1.0 - static_cast<double>(row) / static_cast<double>(rows);
  return 1.0 - from_end * from_end - 2.0 / 3.0;
}

/// Noise-free values of one column; a pure function of (truth, operands, seed, chip, column).
inline std::vector<double> synthetic_column(const SyntheticTruth& t, const ColumnOperands& d, std::uint64_t seed,
                                            std::uint64_t chip, std::uint64_t column) {
  RandomStream at_chip(seed, StreamPurpose::kTest, 1, 0, chip), at(seed, StreamPurpose::kTest, 2, column, chip);
  const auto c = synthetic::three_normals(at_chip, t.chip), k = synthetic::three_normals(at, t.column);
  std::vector<double> z;
  for (std::size_t j = 0; j < d.branches() * d.rows; ++j) z.push_back(synthetic::cell_draw(at, t.cell_tail));
  std::vector<double> value;
  for (std::size_t p = 0; p < d.count(); ++p) {
    const double y = d.mac(p), a = d.second_axis(p, t.minimum_conductance);
    double v = synthetic::quadratic(t.basis, c, y, a) + synthetic::quadratic(t.basis, k, y, a);
    for (std::size_t j = 0; j < d.rows; ++j)
      for (std::size_t b = 0; b < d.branches() && d.input(p)[j] > 0; ++b) {
        const std::size_t kind = t.kind(d.input(p)[j], d.branch(b)[j]);
        const double place = t.position_gain * position_weight(j, d.rows) * d.input(p)[j] * d.branch(b)[j];
        v += (b == 0 ? 1 : -1) * (t.level[kind] + t.cell[kind] * z[d.branches() * j + b] + place);
      }
    value.push_back(v + t.mean(v, a));
  }
  return value;
}

/// Observations of a design on such chips; `design` gives the operands of a column.
inline errormodel::Observations synthetic_observations(
    const SyntheticTruth& t, const SyntheticSize& size, std::uint64_t seed,
    const std::function<ColumnOperands(std::uint64_t, std::uint64_t)>& design) {
  errormodel::Observations o;
  o.chips = size.chips;
  o.columns = size.columns;
  o.levels = t.levels;
  o.inputs = t.inputs;
  o.minimum_conductance = t.minimum_conductance;
  o.reads_per_operand = size.reads;
  if (size.reads == 0) o.source_names = {"thermal"};
  for (std::size_t chip = 0; chip < size.chips; ++chip)
    for (std::size_t column = 0; column < size.columns; ++column) {
      o.designs.push_back(design(chip, column));
      const ColumnOperands& d = o.designs.back();
      RandomStream noise(seed, StreamPurpose::kTest, 3, column, chip);
      const auto value = synthetic_column(t, d, seed, chip, column);
      for (std::size_t p = 0; p < value.size(); ++p) {
        const double sigma = t.read_sigma(d.mac(p), d.second_axis(p, t.minimum_conductance));
        if (size.reads == 0) {
          o.value.push_back(value[p]);
          o.source_variance.push_back(sigma * sigma);
          continue;
        }
        double sum = 0.0, state = noise.normal();
        const double rho = t.read_correlation;
        for (std::size_t r = 0; r < size.reads; ++r) {
          if (r > 0) state = rho * state + std::sqrt(1.0 - rho * rho) * noise.normal();
          o.reads.push_back(value[p] + sigma * state);
          sum += o.reads.back();
        }
        o.value.push_back(sum / static_cast<double>(size.reads));
      }
    }
  return o;
}

/// On the stratified design.
inline errormodel::Observations synthetic_observations(const SyntheticTruth& t, const SyntheticSize& size,
                                                       std::uint64_t seed, double mac_limit = 30) {
  const OperandDesign design{.rows = t.rows,
                             .levels = t.levels,
                             .operands = size.operands,
                             .mac_limit = mac_limit,
                             .input_levels = t.inputs,
                             .differential = t.differential};
  return synthetic_observations(t, size, seed, [&](std::uint64_t chip, std::uint64_t column) {
    return make_operands(design, seed, chip, column);
  });
}

/// Covariance over the table's φ of static terms that the truth gives over its own: θ = B⁻ᵀ B_trueᵀ θ_true.
inline errormodel::Covariance in_basis_of(const errormodel::ErrorTable& table, const SyntheticTruth& t,
                                          const errormodel::Covariance& truth) {
  // Solves Bᵀ X = B_trueᵀ by elimination; B is lower triangular with a diagonal that is not 0.
  const auto& b = table.basis;
  double x[3][3];
  for (int c = 0; c < 3; ++c)
    for (int i = 2; i >= 0; --i) {
      double sum = t.basis[static_cast<std::size_t>(3 * c + i)];
      for (int j = i + 1; j < 3; ++j) sum -= b[static_cast<std::size_t>(3 * j + i)] * x[j][c];
      x[i][c] = sum / b[static_cast<std::size_t>(3 * i + i)];
    }
  errormodel::Covariance result{};
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j)
      for (int k = 0; k < 3; ++k)
        for (int l = 0; l < 3; ++l)
          result[static_cast<std::size_t>(3 * i + j)] += x[i][k] * truth[static_cast<std::size_t>(3 * k + l)] * x[j][l];
  return result;
}

}  // namespace errata::testing
