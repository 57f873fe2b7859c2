#include "errormodel/estimation/variance_components.h"

#include <cmath>

namespace errata::errormodel {

namespace {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;

/// Sums of one chip: the REML equations of cells and rest, what its columns say of C and K, and the mean's equations.
struct ChipSums {
  Matrix information;  ///< tr(P V_k P V_l)
  Vector score;        ///< eᵀP V_k P e − tr(P V_k P diag(noise))
  std::vector<StaticEvidence> columns;
  std::vector<Matrix> mean_phi;  ///< XᵀV⁻¹Φ of each column
  Matrix mean_gram;              ///< Σ XᵀV⁻¹X
  Vector mean_right;             ///< Σ XᵀV⁻¹e
  double reads = 0.0;
};

StaticEvidence silent(Eigen::Index q, Eigen::Index parts) {
  return {Matrix::Zero(q, q), Vector::Zero(q),
          std::vector<Matrix>(static_cast<std::size_t>(parts), Matrix::Zero(q, q))};
}

void add_column(ChipSums& s, ColumnModel& c, const Vector& theta) {
  const Eigen::Index n = c.e.size(), parts = theta.size();
  Matrix v = c.noise.asDiagonal();
  v.diagonal().array() += theta(parts - 1);
  for (Eigen::Index k = 0; k + 1 < parts; ++k) v += theta(k) * c.components[static_cast<std::size_t>(k)];
  const Matrix inverse = v.llt().solve(Matrix::Identity(n, n));
  const Matrix inverse_phi = inverse * c.phi;
  StaticEvidence evidence{c.phi.transpose() * inverse_phi, inverse_phi.transpose() * c.e, {}};
  for (Eigen::Index k = 0; k + 1 < parts; ++k)
    evidence.dependence.push_back(inverse_phi.transpose() * c.components[static_cast<std::size_t>(k)] * inverse_phi);
  evidence.dependence.push_back(inverse_phi.transpose() * inverse_phi);
  // Singular where a column cannot tell two covariates apart (a = y when all its weights are positive).
  const Matrix f_inverse = evidence.f.completeOrthogonalDecomposition().pseudoInverse();
  const Matrix projected = inverse - inverse_phi * f_inverse * inverse_phi.transpose();
  const Vector pe = projected * c.e;
  std::vector<Matrix> weighted;
  for (const Matrix& component : c.components) weighted.push_back(projected * component);
  weighted.push_back(projected);
  for (Eigen::Index k = 0; k < parts; ++k) {
    const Matrix& wk = weighted[static_cast<std::size_t>(k)];
    const Vector vpe = k + 1 < parts ? Vector(c.components[static_cast<std::size_t>(k)] * pe) : pe;
    // tr(P V_k P diag(noise)) = Σ_p noise_p (P V_k P)_pp
    s.score(k) += pe.dot(vpe) - wk.cwiseProduct(projected).rowwise().sum().dot(c.noise);
    for (Eigen::Index l = 0; l <= k; ++l) {
      const double trace = wk.cwiseProduct(weighted[static_cast<std::size_t>(l)].transpose()).sum();
      s.information(k, l) += trace;
      if (l != k) s.information(l, k) += trace;
    }
  }
  s.columns.push_back(std::move(evidence));
  const Matrix inverse_mean = inverse * c.mean;
  s.mean_phi.push_back(inverse_mean.transpose() * c.phi);
  s.mean_gram += c.mean.transpose() * inverse_mean;
  s.mean_right += inverse_mean.transpose() * c.e;
  s.reads += static_cast<double>(n);
}

/// Symmetric inverse on the directions that the data know; the others stay 0.
Matrix known_inverse(const Matrix& gram, double negligible, double largest) {
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(gram);
  Matrix inverse = Matrix::Zero(gram.rows(), gram.cols());
  for (Eigen::Index k = 0; k < gram.rows(); ++k)
    if (solver.eigenvalues()(k) > negligible * largest)
      inverse += solver.eigenvectors().col(k) * solver.eigenvectors().col(k).transpose() / solver.eigenvalues()(k);
  return inverse;
}

class ComponentEstimator {
 public:
  ComponentEstimator(std::size_t chips, std::size_t columns, const ColumnSource& source,
                     const ComponentOptions& options)
      : columns_(columns), source_(source), options_(options), theta_(options.start), of_chip_(chips) {}

  ComponentEstimate run() {
    StaticWeights weights = options_.start_static;
    for (int iteration = 0;; ++iteration) {
      sum();
      solve_cells();
      statics_ = estimate_statics(evidence_, weights, cells_model_, options_.threads);
      weights = statics_.weights;
      const Vector next = working(cells_);
      const double change =
          ((next - theta_).cwiseAbs().array() / (next.cwiseAbs() + 1e2 * options_.floor).array()).maxCoeff();
      if (change < options_.tolerance || iteration + 1 >= options_.most_iterations) break;
      theta_ = next;
    }
    return result();
  }

 private:
  Vector working(const Vector& estimate) const {
    const Eigen::Index cells = estimate.size() - 1;
    Vector next = estimate;
    next.head(cells) = options_.admissible(estimate.head(cells));
    for (Eigen::Index k = 0; k < next.size(); ++k)
      if (options_.floor(k) > 0.0) next(k) = std::max(next(k), options_.floor(k));
    return next;
  }

  ChipSums of_chip(std::size_t chip) const {
    const Eigen::Index parts = theta_.size(), q = options_.start_static.chip.rows();
    ChipSums s;
    s.information = Matrix::Zero(parts, parts);
    s.score = Vector::Zero(parts);
    for (std::size_t i = 0; i < columns_; ++i) {
      ColumnModel c = source_(chip, i);
      if (s.mean_gram.size() == 0) {
        s.mean_gram = Matrix::Zero(c.mean.cols(), c.mean.cols());
        s.mean_right = Vector::Zero(c.mean.cols());
      }
      if (c.e.size() > q + 1) {
        add_column(s, c, theta_);
        continue;
      }
      s.columns.push_back(silent(q, parts));
      s.mean_phi.push_back(Matrix::Zero(c.mean.cols(), q));
    }
    return s;
  }

  void sum() {
#pragma omp parallel for schedule(dynamic) num_threads(options_.threads)
    for (std::size_t chip = 0; chip < of_chip_.size(); ++chip) of_chip_[chip] = of_chip(chip);
    evidence_.clear();
    for (const ChipSums& s : of_chip_) evidence_.push_back(s.columns);
  }

  void solve_cells() {
    const Eigen::Index parts = theta_.size();
    Matrix information = Matrix::Zero(parts, parts);
    Vector score = Vector::Zero(parts);
    for (const ChipSums& s : of_chip_) information += s.information, score += s.score;
    const Matrix inverse = information.completeOrthogonalDecomposition().pseudoInverse();
    cells_ = inverse * score;
    cells_model_ = 2.0 * inverse;
    Matrix scatter = Matrix::Zero(parts, parts);
    for (const ChipSums& s : of_chip_) {
      const Vector own = s.score - s.information * cells_;
      scatter += own * own.transpose();
    }
    const auto chips = static_cast<double>(of_chip_.size());
    cells_sandwich_ = chips / (chips - 1.0) * inverse * scatter * inverse;
  }

  /// δ under the full covariance of a chip: V, then K, then C are integrated out.
  void solve_mean(ComponentEstimate& result) const {
    const Eigen::Index m = of_chip_[0].mean_right.size();
    Matrix gram = Matrix::Zero(m, m), whole = gram;
    std::vector<Matrix> grams;
    std::vector<Vector> rights;
    Vector right = Vector::Zero(m);
    for (const ChipSums& s : of_chip_) {
      const Eigen::Index q = statics_.chip.rows();
      Matrix g = s.mean_gram, shared = Matrix::Zero(m, q), information = Matrix::Zero(q, q);
      Vector r = s.mean_right, u = Vector::Zero(q);
      for (std::size_t i = 0; i < s.columns.size(); ++i) {
        const StaticEvidence& c = s.columns[i];
        const Matrix l = shrinkage(c.f, statics_.weights.column), known = statics_.weights.column * l;
        g -= s.mean_phi[i] * known * s.mean_phi[i].transpose();
        r -= s.mean_phi[i] * (known * c.h);
        shared += s.mean_phi[i] * l.transpose();
        information += l * c.f;
        u += l * c.h;
      }
      const Matrix t = statics_.weights.chip * shrinkage(information, statics_.weights.chip);
      g -= shared * t * shared.transpose();
      r -= shared * (t * u);
      whole += s.mean_gram;
      gram += g;
      right += r;
      grams.push_back(std::move(g));
      rights.push_back(std::move(r));
    }
    // Judged against the equations before C and K were integrated out: of two levels they leave little.
    const double largest = Eigen::SelfAdjointEigenSolver<Matrix>(whole).eigenvalues().maxCoeff();
    constexpr double kNegligible = 1e-9;
    const Matrix inverse = known_inverse(gram, kNegligible, largest);
    result.mean = inverse * right;
    result.mean_covariance.model = inverse;
    Matrix scatter = Matrix::Zero(m, m);
    for (std::size_t c = 0; c < grams.size(); ++c) {
      const Vector own = rights[c] - grams[c] * result.mean;
      scatter += own * own.transpose();
    }
    const auto chips = static_cast<double>(grams.size());
    result.mean_covariance.sandwich = chips / (chips - 1.0) * inverse * scatter * inverse;
  }

  ComponentEstimate result() const {
    ComponentEstimate r;
    r.cells = cells_;
    r.cells_covariance = {cells_model_, cells_sandwich_};
    r.statics = statics_;
    r.working = theta_;
    for (const ChipSums& s : of_chip_) r.reads += s.reads;
    solve_mean(r);
    return r;
  }

  std::size_t columns_;
  const ColumnSource& source_;
  const ComponentOptions& options_;
  Vector theta_, cells_;
  Matrix cells_model_, cells_sandwich_;
  std::vector<ChipSums> of_chip_;
  std::vector<std::vector<StaticEvidence>> evidence_;
  StaticEstimate statics_;
};

}  // namespace

ComponentEstimate estimate_components(std::size_t chips, std::size_t columns, const ColumnSource& source,
                                      const ComponentOptions& options) {
  return ComponentEstimator(chips, columns, source, options).run();
}

}  // namespace errata::errormodel
