#include "errormodel/estimation/covariance.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

namespace errata::errormodel {

namespace {

using Matrix = Eigen::Matrix<double, 3, 3, Eigen::RowMajor>;

Matrix matrix_of(const Covariance& c) { return Eigen::Map<const Matrix>(c.data()); }

Covariance array_of(const Matrix& m) {
  Covariance c;
  std::copy(m.data(), m.data() + 9, c.begin());
  return c;
}

}  // namespace

Covariance cholesky_factor(const Covariance& c) {
  Covariance l{};
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j <= i; ++j) {
      double sum = c[3 * i + j];
      for (int k = 0; k < j; ++k) sum -= l[3 * i + k] * l[3 * j + k];
      if (i == j)
        l[3 * i + i] = sum > 0 ? std::sqrt(sum) : 0.0;
      else
        l[3 * i + j] = l[3 * j + j] > 0 ? sum / l[3 * j + j] : 0.0;
    }
  return l;
}

Covariance nearest_semidefinite(const Covariance& c) {
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(matrix_of(c));
  const Matrix fixed =
      solver.eigenvectors() * solver.eigenvalues().cwiseMax(0.0).asDiagonal() * solver.eigenvectors().transpose();
  return array_of(0.5 * (fixed + fixed.transpose()));
}

bool is_semidefinite(const Covariance& c) {
  constexpr double kRounding = 1e-9;
  const Matrix m = matrix_of(c);
  if (!m.allFinite()) return false;
  const double scale = m.cwiseAbs().maxCoeff();
  if ((m - m.transpose()).cwiseAbs().maxCoeff() > kRounding * scale) return false;
  return Eigen::SelfAdjointEigenSolver<Matrix>(m).eigenvalues()(0) >= -kRounding * scale;
}

Covariance symmetric(std::span<const double> entries) {
  Covariance c{};
  for (int k = 0; k < 6; ++k)
    c[static_cast<std::size_t>(3 * kEntryRow[k] + kEntryColumn[k])] =
        c[static_cast<std::size_t>(3 * kEntryColumn[k] + kEntryRow[k])] = entries[static_cast<std::size_t>(k)];
  return c;
}

double quadratic_form(const Covariance& c, const std::array<double, 3>& p) {
  double sum = 0.0;
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 3; ++j) sum += p[i] * p[j] * c[3 * i + j];
  return sum;
}

BasisChange change_of_basis(const Covariance& from, const Covariance& to) {
  if (from == to) return {kPlainBasis, true};
  // θ_from · B_from = θ_to · B_to for every [1, y, a], so θ_to = (B_from B_to⁻¹)ᵀ θ_from; with a dropped covariate B_to
  // has a row of zeros and the pseudo-inverse stands for the inverse.
  const Matrix b_from = matrix_of(from), b_to = matrix_of(to);
  const Matrix inverse = b_to.completeOrthogonalDecomposition().pseudoInverse();
  const Matrix m = b_from * inverse;
  constexpr double kRounding = 1e-9;
  const bool exists = (m * b_to - b_from).cwiseAbs().maxCoeff() <= kRounding * b_from.cwiseAbs().maxCoeff();
  return {array_of(m.transpose()), exists};
}

Covariance transformed(const Covariance& matrix, const Covariance& c) {
  const Matrix m = matrix_of(matrix), r = m * matrix_of(c) * m.transpose();
  return array_of(0.5 * (r + r.transpose()));
}

}  // namespace errata::errormodel
