#pragma once

#include <Eigen/Dense>
#include <vector>

#include "tests/support/synthetic_truth.h"

namespace errata::testing {

/// Smallest standard errors that any unbiased estimator can have (Cramér and Rao), from the Gaussian likelihood's
/// information at the truth: plain dense algebra over all observations of a chip, the reference for the estimators'
/// own.
struct FisherBound {
  std::vector<double> chip, column;  ///< of the 6 distinct entries over the table's φ
  std::vector<double> cell;          ///< of s²(w), [levels]
  std::vector<double> level;         ///< of g(w) − g(0) in a pair, else of g(w); μ taken for known
};

namespace fisher {

/// Derivatives of a chip's covariance, and the covariance itself at the truth.
struct ChipCovariance {
  Eigen::MatrixXd omega, counts;
  std::vector<Eigen::MatrixXd> derivative;  ///< 6 of Σ_C, 6 of Σ_K, levels of s²
};

inline ChipCovariance covariance_of(const errormodel::Observations& o, const SyntheticTruth& t,
                                    const errormodel::ErrorTable& table, std::size_t chip) {
  const auto n = static_cast<Eigen::Index>(o.operands()), columns = static_cast<Eigen::Index>(o.columns),
             all = n * columns;
  const auto levels = static_cast<Eigen::Index>(t.levels);
  const errormodel::Covariance sc = in_basis_of(table, t, t.chip), sk = in_basis_of(table, t, t.column);
  ChipCovariance c;
  c.omega = Eigen::MatrixXd::Zero(all, all);
  c.counts = Eigen::MatrixXd::Zero(all, levels);
  Eigen::MatrixXd phi(all, 3);
  std::vector<Eigen::MatrixXd> active(t.levels,
                                      Eigen::MatrixXd::Zero(all, 2 * columns * static_cast<Eigen::Index>(t.rows)));
  for (Eigen::Index k = 0; k < all; ++k) {
    const Eigen::Index i = k / n;
    const ColumnOperands& d = o.designs[chip * o.columns + static_cast<std::size_t>(i)];
    const auto p = static_cast<std::size_t>(k % n);
    const double y = d.mac(p), a = d.second_axis(p, t.minimum_conductance);
    constexpr double kStep = 1e-3;
    const double slope = 1.0 + (t.mean(y + kStep, a) - t.mean(y - kStep, a)) / (2 * kStep);
    const auto f = table.phi(y, a);
    for (int j = 0; j < 3; ++j) phi(k, j) = slope * f[static_cast<std::size_t>(j)];
    for (std::size_t j = 0; j < d.rows; ++j)
      for (std::size_t b = 0; b < d.branches() && d.input(p)[j] > 0; ++b) {
        const std::size_t w = d.branch(b)[j];
        active[w](k, static_cast<Eigen::Index>((2 * static_cast<std::size_t>(i) + b) * d.rows + j)) = slope;
        c.counts(k, static_cast<Eigen::Index>(w)) += b == 0 ? slope : -slope;
      }
    if (o.reads_per_operand > 0)
      c.omega(k, k) += std::pow(t.read_sigma(y, a), 2) / static_cast<double>(o.reads_per_operand);
  }
  Eigen::MatrixXd same(all, all);
  for (Eigen::Index k = 0; k < all; ++k)
    for (Eigen::Index l = 0; l < all; ++l) same(k, l) = k / n == l / n ? 1.0 : 0.0;
  for (const bool of_chip : {true, false})
    for (int i = 0; i < 3; ++i)
      for (int j = i; j < 3; ++j) {
        Eigen::MatrixXd e = phi.col(i) * phi.col(j).transpose();
        if (i != j) e += phi.col(j) * phi.col(i).transpose();
        if (!of_chip) e = e.cwiseProduct(same);
        c.omega += (of_chip ? sc : sk)[static_cast<std::size_t>(3 * i + j)] * e;
        c.derivative.push_back(std::move(e));
      }
  for (std::size_t w = 0; w < t.levels; ++w) {
    c.derivative.push_back(active[w] * active[w].transpose());
    c.omega += t.cell[w] * t.cell[w] * c.derivative.back();
  }
  return c;
}

}  // namespace fisher

/// For one-bit inputs. The information of `sampled` chips speaks for all of them.
inline FisherBound fisher_bound(const errormodel::Observations& o, const SyntheticTruth& t,
                                const errormodel::ErrorTable& table, std::size_t sampled) {
  const auto levels = static_cast<Eigen::Index>(t.levels), n = 12 + levels;
  Eigen::MatrixXd information = Eigen::MatrixXd::Zero(n, n), mean = Eigen::MatrixXd::Zero(levels, levels);
#pragma omp parallel for schedule(dynamic)
  for (std::size_t chip = 0; chip < sampled; ++chip) {
    const auto c = fisher::covariance_of(o, t, table, chip);
    // Without read noise the covariance may be singular; so little does not matter.
    Eigen::MatrixXd omega = c.omega;
    omega.diagonal().array() += 1e-6 * omega.trace() / static_cast<double>(omega.rows());
    const Eigen::LLT<Eigen::MatrixXd> llt(omega);
    std::vector<Eigen::MatrixXd> weighted;
    for (const auto& d : c.derivative) weighted.push_back(llt.solve(d));
    Eigen::MatrixXd own(n, n);
    for (Eigen::Index k = 0; k < n; ++k)
      for (Eigen::Index l = 0; l < n; ++l)
        own(k, l) =
            0.5 *
            weighted[static_cast<std::size_t>(k)].cwiseProduct(weighted[static_cast<std::size_t>(l)].transpose()).sum();
    const Eigen::MatrixXd of_mean = c.counts.transpose() * llt.solve(c.counts);
#pragma omp critical
    {
      information += own;
      mean += of_mean;
    }
  }
  const double scale = static_cast<double>(o.chips) / static_cast<double>(sampled);
  const Eigen::MatrixXd v = (scale * information).inverse();
  const Eigen::MatrixXd m = (scale * mean).completeOrthogonalDecomposition().pseudoInverse();
  FisherBound bound;
  for (Eigen::Index k = 0; k < 6; ++k) bound.chip.push_back(std::sqrt(v(k, k)));
  for (Eigen::Index k = 6; k < 12; ++k) bound.column.push_back(std::sqrt(v(k, k)));
  for (Eigen::Index w = 0; w < levels; ++w) {
    bound.cell.push_back(std::sqrt(v(12 + w, 12 + w)));
    bound.level.push_back(std::sqrt(std::max(0.0, t.differential ? m(w, w) + m(0, 0) - 2 * m(w, 0) : m(w, w))));
  }
  return bound;
}

}  // namespace errata::testing
