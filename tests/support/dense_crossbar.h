#pragma once

#include <cmath>
#include <cstddef>
#include <utility>
#include <vector>

#include "behavioral/crossbar/crossbar_options.h"
#include "core/random_stream.h"

namespace errata::testing {

/// Plain reference for the crossbar solver: node voltages *and* wire currents are unknowns,
///
///     Σ currents at a node = 0,   v_a − v_b − R i = 0 for every wire, driver and termination
///
/// so that a resistance of 0 is nothing special and a small one cancels no digits. Dense elimination with column pivots
/// in extended precision. Shares no code with the solver.
class DenseCrossbar {
 public:
  DenseCrossbar(const behavioral::CrossbarOptions& options, std::vector<double> cell_siemens)
      : o_(options), cells_(std::move(cell_siemens)) {
    using behavioral::BitLineSense;
    using behavioral::WordLineDrive;
    const std::size_t rows = o_.rows, columns = o_.columns;
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t c = 0; c + 1 < columns; ++c) wires_.push_back({word(r, c), word(r, c + 1), o_.word_wire_ohms});
    for (std::size_t r = 0; r + 1 < rows; ++r)
      for (std::size_t c = 0; c < columns; ++c) wires_.push_back({bit(r, c), bit(r + 1, c), o_.bit_wire_ohms});
    inner_wires_ = wires_.size();
    for (std::size_t r = 0; r < rows; ++r) {
      if (o_.drive != WordLineDrive::kRight) wires_.push_back({source(r), word(r, 0), o_.driver_ohms});
      if (o_.drive != WordLineDrive::kLeft) wires_.push_back({source(r), word(r, columns - 1), o_.driver_ohms});
    }
    drivers_end_ = wires_.size();
    for (std::size_t c = 0; c < columns; ++c) {
      if (o_.sense != BitLineSense::kTop) wires_.push_back({bit(rows - 1, c), sense(c), o_.sense_ohms});
      if (o_.sense != BitLineSense::kBottom) wires_.push_back({bit(0, c), sense(c), o_.sense_ohms});
    }
  }

  struct Solution {
    std::vector<double> word, bit;  ///< node voltages of the cells
    std::vector<double> output;     ///< currents into the sense terminals
    std::vector<double> wire_amperes;
    double source_watts = 0;
  };

  Solution solve(const std::vector<double>& input_volts) const { return solve_all({input_volts}).front(); }

  /// Effective conductance matrix [rows][columns], one unit vector after the other.
  std::vector<double> effective_siemens() const {
    std::vector<std::vector<double>> units(o_.rows, std::vector<double>(o_.rows, 0.0));
    for (std::size_t r = 0; r < o_.rows; ++r) units[r][r] = 1;
    std::vector<double> g;
    for (const Solution& s : solve_all(units)) g.insert(g.end(), s.output.begin(), s.output.end());
    return g;
  }

 private:
  struct Wire {
    std::size_t a, b;
    double ohms;
  };
  std::size_t word(std::size_t r, std::size_t c) const { return r * o_.columns + c; }
  std::size_t bit(std::size_t r, std::size_t c) const { return o_.rows * o_.columns + word(r, c); }
  std::size_t inner() const { return 2 * o_.rows * o_.columns; }
  std::size_t source(std::size_t r) const { return inner() + r; }
  std::size_t sense(std::size_t c) const { return inner() + o_.rows + c; }

  std::vector<Solution> solve_all(const std::vector<std::vector<double>>& inputs) const {
    const std::size_t n = inner() + wires_.size(), count = inputs.size(), width = n + count;
    std::vector<long double> m(n * width, 0.0L);
    const auto at = [&](std::size_t i, std::size_t j) -> long double& { return m[i * width + j]; };
    for (std::size_t r = 0; r < o_.rows; ++r)
      for (std::size_t c = 0; c < o_.columns; ++c) {
        const long double g = cells_[r * o_.columns + c];
        at(word(r, c), word(r, c)) += g;
        at(bit(r, c), bit(r, c)) += g;
        at(word(r, c), bit(r, c)) -= g;
        at(bit(r, c), word(r, c)) -= g;
      }
    for (std::size_t k = 0; k < wires_.size(); ++k) {
      const std::size_t row = inner() + k;
      at(row, row) = -static_cast<long double>(wires_[k].ohms);
      for (const auto& [node, sign] : {std::pair{wires_[k].a, 1.0L}, std::pair{wires_[k].b, -1.0L}}) {
        if (node < inner()) {
          at(node, row) += sign;
          at(row, node) += sign;
        } else if (node < sense(0)) {
          for (std::size_t i = 0; i < count; ++i) at(row, n + i) -= sign * inputs[i][node - source(0)];
        }
      }
    }
    eliminate(m, n, width);
    std::vector<Solution> solutions;
    for (std::size_t i = 0; i < count; ++i) solutions.push_back(read(m, n, width, i, inputs[i]));
    return solutions;
  }

  /// Gauss-Jordan with row exchanges.
  static void eliminate(std::vector<long double>& m, std::size_t n, std::size_t width) {
    for (std::size_t k = 0; k < n; ++k) {
      std::size_t best = k;
      for (std::size_t i = k + 1; i < n; ++i)
        if (std::fabs(m[i * width + k]) > std::fabs(m[best * width + k])) best = i;
      if (best != k)
        for (std::size_t j = k; j < width; ++j) std::swap(m[k * width + j], m[best * width + j]);
      for (std::size_t i = 0; i < n; ++i) {
        const long double factor = m[i * width + k] / m[k * width + k];
        if (i == k || factor == 0) continue;
        for (std::size_t j = k; j < width; ++j) m[i * width + j] -= factor * m[k * width + j];
      }
    }
  }

  Solution read(const std::vector<long double>& m, std::size_t n, std::size_t width, std::size_t i,
                const std::vector<double>& input) const {
    const auto unknown = [&](std::size_t k) { return static_cast<double>(m[k * width + n + i] / m[k * width + k]); };
    Solution s;
    const std::size_t cells = o_.rows * o_.columns;
    for (std::size_t k = 0; k < cells; ++k) {
      s.word.push_back(unknown(k));
      s.bit.push_back(unknown(cells + k));
    }
    for (std::size_t k = 0; k < wires_.size(); ++k) s.wire_amperes.push_back(unknown(inner() + k));
    for (std::size_t k = inner_wires_; k < drivers_end_; ++k)
      s.source_watts += input[wires_[k].a - source(0)] * s.wire_amperes[k];
    s.output.assign(o_.columns, 0.0);
    for (std::size_t k = drivers_end_; k < wires_.size(); ++k) s.output[wires_[k].b - sense(0)] += s.wire_amperes[k];
    return s;
  }

  behavioral::CrossbarOptions o_;
  std::vector<double> cells_;
  std::vector<Wire> wires_;
  std::size_t inner_wires_ = 0, drivers_end_ = 0;
};

/// Conductances between 10 and 100 µS; a share of the cells is missing.
inline std::vector<double> random_cells(std::size_t count, std::uint64_t seed, double missing = 0.1) {
  RandomStream stream(seed, StreamPurpose::kTest, 77);
  std::vector<double> siemens(count);
  for (double& g : siemens) {
    const double u = stream.uniform();
    g = stream.uniform() < missing ? 0.0 : 1e-5 + 9e-5 * u;
  }
  return siemens;
}

inline std::vector<double> random_volts(std::size_t count, std::uint64_t seed) {
  RandomStream stream(seed, StreamPurpose::kTest, 78);
  std::vector<double> volts(count);
  for (double& v : volts) v = 0.4 * stream.uniform() - 0.2;
  return volts;
}

}  // namespace errata::testing
