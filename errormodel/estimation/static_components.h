#pragma once

#include <Eigen/Dense>
#include <vector>

namespace errata::errormodel {

/// What one column says of its static coefficients C + K: f = ΦᵀV⁻¹Φ and h = ΦᵀV⁻¹e, V the covariance of cells and
/// rest.
struct StaticEvidence {
  Eigen::MatrixXd f;                        ///< [q][q]; zero where the column has no vote
  Eigen::VectorXd h;                        ///< [q]
  std::vector<Eigen::MatrixXd> dependence;  ///< ΦᵀV⁻¹V_kV⁻¹Φ of every component k of V
};

/// Positive semi-definite Σ_C and Σ_K from which weights are made.
struct StaticWeights {
  Eigen::MatrixXd chip, column;  ///< [q][q]
};

/// Estimate of Σ_C and Σ_K.
struct StaticEstimate {
  Eigen::MatrixXd chip, column;  ///< raw: a variance may come out negative
  StaticWeights weights;         ///< of the last iteration
  /// Of the distinct entries (0,0) (0,1) … (q−1,q−1), first those of Σ_C, then those of Σ_K: by the REML information
  /// with the uncertainty of V carried over, and by the scatter of the chips' scores.
  Eigen::MatrixXd model, sandwich;
  Eigen::VectorXd common;  ///< mean of C over these chips, generalised least squares
  std::vector<std::vector<Eigen::VectorXd>>
      prediction;                      ///< best linear prediction of C + K less `common` [chips][columns]
  std::size_t chips = 0, columns = 0;  ///< chips and columns that took part
};

/// Number of distinct entries of a symmetric q × q matrix, and the place of entry (i, j), i ≤ j, among them.
constexpr Eigen::Index distinct(Eigen::Index q) { return q * (q + 1) / 2; }
constexpr Eigen::Index entry(Eigen::Index q, Eigen::Index i, Eigen::Index j) { return i * q - i * (i - 1) / 2 + j - i; }

/// REML of Σ_C and Σ_K from the generalised least-squares coefficients of all columns, their common mean removed, by
/// scoring on 3 × 3 algebra (docs/methods/error-model.md). `cells` is the covariance of the estimated θ behind V.
StaticEstimate estimate_statics(const std::vector<std::vector<StaticEvidence>>& of_chip, const StaticWeights& start,
                                const Eigen::MatrixXd& cells, int threads);

/// The nearest positive semi-definite matrix: negative eigenvalues, which noise of the estimate makes, become 0.
Eigen::MatrixXd semidefinite(const Eigen::MatrixXd& symmetric);

/// (1 + f Σ)⁻¹: what weighting by one covariance leaves of evidence f.
Eigen::MatrixXd shrinkage(const Eigen::MatrixXd& f, const Eigen::MatrixXd& sigma);

}  // namespace errata::errormodel
