#include "errormodel/estimation/cell_structure.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace errata::errormodel {

namespace {

/// Sets of rows as bits: which rows of a branch hold a level, which rows an operand drives at an input level.
class RowSets {
 public:
  RowSets(std::size_t count, std::size_t rows) : words_((rows + 63) / 64), bits_(count * words_, 0) {}
  void add(std::size_t set, std::size_t row) { bits_[set * words_ + row / 64] |= std::uint64_t{1} << (row % 64); }
  const std::uint64_t* set(std::size_t k) const { return bits_.data() + k * words_; }
  std::size_t words() const { return words_; }

 private:
  std::size_t words_;
  std::vector<std::uint64_t> bits_;
};

int shared_rows(const RowSets& a, std::size_t i, const RowSets& b, std::size_t j, const RowSets& of, std::size_t k) {
  int count = 0;
  for (std::size_t word = 0; word < a.words(); ++word)
    count += std::popcount(a.set(i)[word] & b.set(j)[word] & of.set(k)[word]);
  return count;
}

}  // namespace

CellStructure::CellStructure(std::size_t levels, std::size_t inputs, std::span<const double> level)
    : levels_(levels), inputs_(inputs), level_(level.begin(), level.end()) {
  for (std::size_t w = 0; w < levels; ++w) {
    if (proportional()) {
      components_.push_back({w});
      continue;
    }
    for (std::size_t x = 1; x < inputs; ++x)
      for (std::size_t z = x; z < inputs; ++z) components_.push_back({w, x, z});
  }
}

bool CellStructure::is_variance(std::size_t component) const {
  return proportional() || components_[component].first == components_[component].second;
}

double CellStructure::share_of_top(std::size_t input) const {
  const std::size_t top = levels_ - 1;
  const double full = level_[kind(inputs_ - 1, top)];
  return full != 0.0 ? level_[kind(input, top)] / full : 1.0;
}

std::vector<Eigen::MatrixXd> CellStructure::overlaps(const ColumnOperands& d, std::span<const std::size_t> operands,
                                                     const Eigen::VectorXd& slope) const {
  const std::size_t n = operands.size();
  std::vector<Eigen::MatrixXd> all;
  if (proportional()) {
    all = proportional_overlaps(d, operands);
  } else {
    std::vector<RowSets> driven(inputs_, RowSets(n, d.rows));
    for (std::size_t p = 0; p < n; ++p)
      for (std::size_t j = 0; j < d.rows; ++j) driven[d.input(operands[p])[j]].add(p, j);
    RowSets stored(d.branches() * levels_, d.rows);
    for (std::size_t b = 0; b < d.branches(); ++b)
      for (std::size_t j = 0; j < d.rows; ++j) stored.add(b * levels_ + d.branch(b)[j], j);
    for (const CellComponent& c : components_) {
      Eigen::MatrixXd m(static_cast<Eigen::Index>(n), static_cast<Eigen::Index>(n));
      for (std::size_t p = 0; p < n; ++p)
        for (std::size_t q = 0; q <= p; ++q) {
          int count = 0;
          for (std::size_t b = 0; b < d.branches(); ++b) {
            const std::size_t set = b * levels_ + c.level;
            count += shared_rows(driven[c.first], p, driven[c.second], q, stored, set);
            if (c.first != c.second) count += shared_rows(driven[c.second], p, driven[c.first], q, stored, set);
          }
          const auto i = static_cast<Eigen::Index>(p), j = static_cast<Eigen::Index>(q);
          m(i, j) = m(j, i) = count;
        }
      all.push_back(std::move(m));
    }
  }
  for (Eigen::MatrixXd& m : all) m = slope.asDiagonal() * m * slope.asDiagonal();
  return all;
}

std::vector<Eigen::MatrixXd> CellStructure::proportional_overlaps(const ColumnOperands& d,
                                                                  std::span<const std::size_t> operands) const {
  const auto n = static_cast<Eigen::Index>(operands.size()), cells = static_cast<Eigen::Index>(d.branches() * d.rows);
  std::vector<Eigen::MatrixXd> active(levels_, Eigen::MatrixXd::Zero(n, cells));
  for (Eigen::Index p = 0; p < n; ++p) {
    const std::uint8_t* x = d.input(operands[static_cast<std::size_t>(p)]);
    for (std::size_t j = 0; j < d.rows; ++j)
      for (std::size_t b = 0; b < d.branches() && x[j] > 0; ++b) {
        const std::size_t w = d.branch(b)[j];
        active[w](p, static_cast<Eigen::Index>(d.branches() * j + b)) = share_of_top(x[j]);
      }
  }
  std::vector<Eigen::MatrixXd> all;
  for (const auto& a : active) all.push_back(a * a.transpose());
  return all;
}

std::vector<double> CellStructure::spreads(const Eigen::VectorXd& components) const {
  std::vector<double> sigma((inputs_ - 1) * levels_, 0.0);
  const auto inputs = static_cast<Eigen::Index>(inputs_ - 1);
  for (std::size_t w = 0, at = 0; w < levels_; ++w) {
    if (proportional()) {
      const double top = std::sqrt(std::max(0.0, components(static_cast<Eigen::Index>(w))));
      for (std::size_t x = 1; x < inputs_; ++x) sigma[kind(x, w)] = top * share_of_top(x);
      continue;
    }
    Eigen::MatrixXd s(inputs, inputs);
    for (Eigen::Index x = 0; x < inputs; ++x)
      for (Eigen::Index z = x; z < inputs; ++z) s(x, z) = s(z, x) = components(static_cast<Eigen::Index>(at++));
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(s);
    const double largest = std::max(0.0, solver.eigenvalues()(inputs - 1));
    Eigen::VectorXd direction = solver.eigenvectors().col(inputs - 1);
    if (direction.sum() < 0.0) direction = -direction;
    for (Eigen::Index x = 0; x < inputs; ++x)
      sigma[kind(static_cast<std::size_t>(x) + 1, w)] = std::max(0.0, std::sqrt(largest) * direction(x));
  }
  return sigma;
}

Eigen::VectorXd CellStructure::admissible(const Eigen::VectorXd& components) const {
  if (proportional()) return components.cwiseMax(0.0);
  const auto sigma = spreads(components);
  Eigen::VectorXd result(components.size());
  for (std::size_t k = 0; k < components_.size(); ++k) {
    const CellComponent& c = components_[k];
    result(static_cast<Eigen::Index>(k)) = sigma[kind(c.first, c.level)] * sigma[kind(c.second, c.level)];
  }
  return result;
}

}  // namespace errata::errormodel
