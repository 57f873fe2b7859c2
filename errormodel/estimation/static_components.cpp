#include "errormodel/estimation/static_components.h"

#include <algorithm>
#include <cmath>
#include <memory>

namespace errata::errormodel {

namespace {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;

Matrix kronecker(const Matrix& a, const Matrix& b) {
  Matrix k(a.rows() * b.rows(), a.cols() * b.cols());
  for (Eigen::Index i = 0; i < a.rows(); ++i)
    for (Eigen::Index j = 0; j < a.cols(); ++j) k.block(i * b.rows(), j * b.cols(), b.rows(), b.cols()) = a(i, j) * b;
  return k;
}

Vector flat(const Matrix& m) { return Eigen::Map<const Vector>(m.data(), m.size()); }

/// From distinct entries to all entries: vec(Σ) = D · entries.
Matrix duplication(Eigen::Index q) {
  Matrix d = Matrix::Zero(q * q, distinct(q));
  for (Eigen::Index i = 0; i < q; ++i)
    for (Eigen::Index j = i; j < q; ++j) d(i * q + j, entry(q, i, j)) = d(j * q + i, entry(q, i, j)) = 1.0;
  return d;
}

Matrix from_entries(const Vector& entries, Eigen::Index q) {
  Matrix m(q, q);
  for (Eigen::Index i = 0; i < q; ++i)
    for (Eigen::Index j = i; j < q; ++j) m(i, j) = m(j, i) = entries(entry(q, i, j));
  return m;
}

Vector to_entries(const Matrix& m) {
  Vector v(distinct(m.rows()));
  for (Eigen::Index i = 0; i < m.rows(); ++i)
    for (Eigen::Index j = i; j < m.rows(); ++j) v(entry(m.rows(), i, j)) = m(i, j);
  return v;
}

Matrix pseudo_inverse(const Matrix& symmetric) { return symmetric.completeOrthogonalDecomposition().pseudoInverse(); }

/// Weights of one chip's columns under working Σ_C and Σ_K, in the notation of docs/methods/error-model.md.
struct ChipWeights {
  std::vector<Matrix> l, m;  ///< L_i = (1 + f_i Σ_K)⁻¹, M_i = L_i f_i
  std::vector<Vector> u;     ///< L_i h_i
  Matrix sum_m;              ///< Σ M_i
  Matrix r, t, g;            ///< R = (1 + M Σ_C)⁻¹, T = Σ_C R, G = R M
  Vector w;                  ///< R Σ u_i

  ChipWeights(const std::vector<StaticEvidence>& columns, const StaticWeights& s) {
    const Eigen::Index q = s.chip.rows();
    sum_m = Matrix::Zero(q, q);
    Vector sum_u = Vector::Zero(q);
    for (const StaticEvidence& c : columns) {
      l.push_back(shrinkage(c.f, s.column));
      m.push_back(l.back() * c.f);
      u.push_back(l.back() * c.h);
      sum_m += m.back();
      sum_u += u.back();
    }
    r = shrinkage(sum_m, s.chip);
    t = s.chip * r;
    g = r * sum_m;
    w = r * sum_u;
  }
};

/// Score and information of one chip for the entries of Σ_C, then Σ_K, and their dependence on θ.
struct ChipEquations {
  Vector score;
  Matrix information, on_cells;
};

ChipEquations equations(const std::vector<StaticEvidence>& columns, const ChipWeights& w, const StaticWeights& s,
                        const Vector& common, const Matrix& common_covariance, const Matrix& d) {
  const Eigen::Index q = s.chip.rows(), n = distinct(q);
  const Vector rest = w.w - w.g * common;  // ZᵀΩ⁻¹(e − common)
  const Vector chip = common + s.chip * rest;
  Matrix column_square = Matrix::Zero(q, q), column_trace = Matrix::Zero(q, q);
  Matrix own = Matrix::Zero(q * q, q * q), mixed = own, cross = own;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const Matrix &m = w.m[i], shared = m * w.t * m, nu = w.r * m;
    const Vector r = w.u[i] - m * chip;
    column_square += r * r.transpose();
    column_trace += m - shared - nu.transpose() * common_covariance * nu;
    own += kronecker(m, m);
    mixed += kronecker(m, shared) + kronecker(shared, m);
    cross += kronecker(nu, nu);
  }
  ChipEquations e;
  e.score.resize(2 * n);
  e.score.head(n) =
      0.5 * d.transpose() * flat(rest * rest.transpose() - (w.g - w.g * common_covariance * w.g.transpose()));
  e.score.tail(n) = 0.5 * d.transpose() * flat(column_square - column_trace);
  e.information.resize(2 * n, 2 * n);
  e.information.topLeftCorner(n, n) = 0.5 * d.transpose() * kronecker(w.g, w.g) * d;
  e.information.topRightCorner(n, n) = 0.5 * d.transpose() * cross * d;
  e.information.bottomLeftCorner(n, n) = e.information.topRightCorner(n, n).transpose();
  e.information.bottomRightCorner(n, n) = 0.5 * d.transpose() * (own - mixed + own * kronecker(w.t, w.t) * own) * d;
  // How E[b bᵀ] depends on θ through the sampling covariance of b.
  const std::size_t parts = columns[0].dependence.size();
  e.on_cells = Matrix::Zero(2 * n, static_cast<Eigen::Index>(parts));
  for (std::size_t k = 0; k < parts; ++k) {
    Matrix total = Matrix::Zero(q, q), direct = total, own_shared = total;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const Matrix part = w.l[i] * columns[i].dependence[k] * w.l[i].transpose(), mt = w.m[i] * w.t;
      total += part;
      const Matrix y = Matrix::Identity(q, q) - mt;
      direct += y * part * y.transpose();
      own_shared += mt * part * mt.transpose();
    }
    Matrix others = -own_shared;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const Matrix mt = w.m[i] * w.t;
      others += mt * total * mt.transpose();
    }
    const auto at = static_cast<Eigen::Index>(k);
    e.on_cells.col(at).head(n) = 0.5 * d.transpose() * flat(w.r * total * w.r.transpose());
    e.on_cells.col(at).tail(n) = 0.5 * d.transpose() * flat(direct + others);
  }
  return e;
}

class StaticEstimator {
 public:
  StaticEstimator(const std::vector<std::vector<StaticEvidence>>& of_chip, const StaticWeights& start, int threads)
      : of_chip_(of_chip), weights_(start), threads_(threads), q_(start.chip.rows()), d_(duplication(q_)) {}

  StaticEstimate run(const Matrix& cells) {
    constexpr int kMostIterations = 30;
    for (int iteration = 0; iteration < kMostIterations; ++iteration) {
      solve();
      const StaticWeights next{semidefinite(from_entries(estimate_.head(distinct(q_)), q_)),
                               semidefinite(from_entries(estimate_.tail(distinct(q_)), q_))};
      const double scale = next.chip.trace() + next.column.trace();
      const double change = (next.chip - weights_.chip).norm() + (next.column - weights_.column).norm();
      weights_ = next;
      if (change <= 1e-4 * scale) break;
    }
    solve();
    return result(cells);
  }

 private:
  void solve() {
    const auto chips = of_chip_.size();
    chip_weights_.clear();
    chip_weights_.resize(chips);
#pragma omp parallel for schedule(static) num_threads(threads_)
    for (std::size_t c = 0; c < chips; ++c) chip_weights_[c] = std::make_unique<ChipWeights>(of_chip_[c], weights_);
    Matrix g = Matrix::Zero(q_, q_);
    Vector w = Vector::Zero(q_);
    for (const auto& c : chip_weights_) g += c->g, w += c->w;
    const Matrix common_covariance = pseudo_inverse(g);
    common_ = common_covariance * w;
    equations_.assign(chips, {});
#pragma omp parallel for schedule(static) num_threads(threads_)
    for (std::size_t c = 0; c < chips; ++c)
      equations_[c] = equations(of_chip_[c], *chip_weights_[c], weights_, common_, common_covariance, d_);
    const Eigen::Index n = 2 * distinct(q_);
    score_ = Vector::Zero(n);
    information_ = Matrix::Zero(n, n);
    on_cells_ = Matrix::Zero(n, equations_[0].on_cells.cols());
    for (const auto& e : equations_) score_ += e.score, information_ += e.information, on_cells_ += e.on_cells;
    inverse_ = pseudo_inverse(information_);
    Vector working(n);
    working << to_entries(weights_.chip), to_entries(weights_.column);
    estimate_ = working + inverse_ * score_;
    working_ = working;
  }

  StaticEstimate result(const Matrix& cells) const {
    const Eigen::Index n = distinct(q_);
    StaticEstimate s;
    s.chip = from_entries(estimate_.head(n), q_);
    s.column = from_entries(estimate_.tail(n), q_);
    s.weights = weights_;
    s.common = common_;
    double chips = 0.0;
    Matrix scatter = Matrix::Zero(2 * n, 2 * n);
    for (std::size_t c = 0; c < of_chip_.size(); ++c) {
      const auto voting = static_cast<std::size_t>(
          std::ranges::count_if(of_chip_[c], [](const StaticEvidence& column) { return !column.f.isZero(0.0); }));
      if (voting == 0) continue;
      chips += 1.0;
      s.columns += voting;
      const Vector own = equations_[c].score - equations_[c].information * (estimate_ - working_);
      scatter += own * own.transpose();
    }
    s.chips = static_cast<std::size_t>(chips);
    const double correction = chips / std::max(1.0, chips - 1.0);  // the common mean takes one chip's worth
    const Matrix carried = inverse_ * on_cells_;
    s.model = correction * inverse_ + carried * cells * carried.transpose();
    s.sandwich = correction * inverse_ * scatter * inverse_;
    predict(s);
    return s;
  }

  void predict(StaticEstimate& s) const {
    for (std::size_t c = 0; c < of_chip_.size(); ++c) {
      const ChipWeights& w = *chip_weights_[c];
      const Vector chip = weights_.chip * (w.w - w.g * common_);
      s.prediction.emplace_back();
      for (std::size_t i = 0; i < of_chip_[c].size(); ++i)
        s.prediction.back().push_back(chip + weights_.column * (w.u[i] - w.m[i] * (common_ + chip)));
    }
  }

  const std::vector<std::vector<StaticEvidence>>& of_chip_;
  StaticWeights weights_;
  int threads_;
  Eigen::Index q_;
  Matrix d_;
  std::vector<std::unique_ptr<ChipWeights>> chip_weights_;
  std::vector<ChipEquations> equations_;
  Vector common_, score_, estimate_, working_;
  Matrix information_, inverse_, on_cells_;
};

}  // namespace

Matrix semidefinite(const Matrix& symmetric) {
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(symmetric);
  return solver.eigenvectors() * solver.eigenvalues().cwiseMax(0.0).asDiagonal() * solver.eigenvectors().transpose();
}

Matrix shrinkage(const Matrix& f, const Matrix& sigma) {
  return (Matrix::Identity(f.rows(), f.cols()) + f * sigma).inverse();
}

StaticEstimate estimate_statics(const std::vector<std::vector<StaticEvidence>>& of_chip, const StaticWeights& start,
                                const Matrix& cells, int threads) {
  return StaticEstimator(of_chip, start, threads).run(cells);
}

}  // namespace errata::errormodel
