#pragma once

#include <array>
#include <span>

namespace errata::errormodel {

/// A 3 × 3 covariance of the terms on φ = [1, y, a] (orthogonalised), row-major; also any 3 × 3 matrix.
using Covariance = std::array<double, 9>;

/// Lower Cholesky factor of a positive semi-definite matrix; a direction without variance stays 0. With + − × ÷ √ only,
/// so that every reader draws the same columns.
Covariance cholesky_factor(const Covariance& c);

/// The nearest positive semi-definite matrix: negative eigenvalues, which noise of an estimate makes, become 0.
Covariance nearest_semidefinite(const Covariance& c);

/// Whether it is symmetric and positive semi-definite, up to rounding relative to its largest entry.
bool is_semidefinite(const Covariance& c);

/// The symmetric matrix of 6 distinct entries in the order (0,0) (0,1) (0,2) (1,1) (1,2) (2,2).
Covariance symmetric(std::span<const double> entries);
/// Row and column of entry k of that order.
inline constexpr int kEntryRow[6] = {0, 0, 0, 1, 1, 2}, kEntryColumn[6] = {0, 1, 2, 1, 2, 2};

/// pᵀ C p.
double quadratic_form(const Covariance& c, const std::array<double, 3>& p);

/// M with C·φ_from = (M-transformed C)·φ_to where φ = basis · [1, y, a]: coefficients transform as θ_to = M θ_from.
/// `exists` is false where φ_to cannot express φ_from (it lacks a covariate).
struct BasisChange {
  Covariance matrix{};
  bool exists = false;
};
BasisChange change_of_basis(const Covariance& from, const Covariance& to);

/// M C Mᵀ.
Covariance transformed(const Covariance& matrix, const Covariance& c);

/// Plain φ = [1, y, a].
inline constexpr Covariance kPlainBasis = {1, 0, 0, 0, 1, 0, 0, 0, 1};

}  // namespace errata::errormodel
