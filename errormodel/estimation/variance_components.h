#pragma once

#include <Eigen/Dense>
#include <cstddef>
#include <functional>
#include <vector>

#include "errormodel/estimation/static_components.h"
#include "errormodel/estimation/variance_interval.h"

namespace errata::errormodel {

/// Linear model of one column's operands, in MAC units:
///
///     e = X δ + Φ (C + K) + cells + rest,   Cov(cells) = Σ_k θ_k V_k,   Cov(rest) = θ_last · 1 + diag(noise)
struct ColumnModel {
  Eigen::MatrixXd phi;                      ///< Φ [operands][q]
  Eigen::MatrixXd mean;                     ///< X [operands][m]
  std::vector<Eigen::MatrixXd> components;  ///< V_k of the cells
  Eigen::VectorXd noise;                    ///< known variance of the value, for example of averaged reads
  Eigen::VectorXd e;
};

/// Number `column` of a chip; no operands where the column says nothing.
using ColumnSource = std::function<ColumnModel(std::size_t chip, std::size_t column)>;

/// What the iteration may not go below, and where it starts.
struct ComponentOptions {
  Eigen::VectorXd start;  ///< working θ of cells and rest; must be positive where `is_variance`
  Eigen::VectorXd floor;  ///< least working θ
  /// Makes estimated cell components usable as weights (positive semi-definite).
  std::function<Eigen::VectorXd(const Eigen::VectorXd&)> admissible;
  StaticWeights start_static;  ///< working Σ_C and Σ_K
  int most_iterations = 12;
  double tolerance = 1e-3;  ///< relative change of the working variances that ends it
  int threads = 1;
};

/// A covariance of estimates twice: by the model's information, and by the scatter of the chips' scores (sandwich),
/// which does not trust the draws to be normal.
struct EstimateCovariance {
  Eigen::MatrixXd model, sandwich;
  /// 95 % interval of the combination `weights` of the estimates: the wider of the two, the sandwich's a Student-t one.
  Interval interval(double estimate, const Eigen::VectorXd& weights, double freedom) const {
    return student_interval(estimate, {weights.dot(model * weights), weights.dot(sandwich * weights)}, freedom);
  }
};

/// Estimated variance components. Estimates are raw: a variance may come out negative.
struct ComponentEstimate {
  Eigen::VectorXd cells;  ///< θ: components of the cells, last the rest
  EstimateCovariance cells_covariance;
  StaticEstimate statics;  ///< Σ_C and Σ_K
  Eigen::VectorXd mean;    ///< δ by generalised least squares; directions without data are 0
  EstimateCovariance mean_covariance;
  Eigen::VectorXd working;  ///< θ of the last iteration's weights
  double reads = 0.0;       ///< operands that took part
};

/// REML in two independent parts (methods.md §3.3, docs/methods/error-model.md). Cells and rest: Φ is projected out of
/// every column, so that C and K, however large, cannot leak into them. Σ_C and Σ_K: REML of the generalised
/// least-squares coefficients of all columns of a chip, their common mean removed. Unbiased whatever the working
/// weights; efficient where they are right. The same bytes for any number of threads.
ComponentEstimate estimate_components(std::size_t chips, std::size_t columns, const ColumnSource& source,
                                      const ComponentOptions& options);

}  // namespace errata::errormodel
