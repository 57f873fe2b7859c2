#include "errormodel/estimation/covariates.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

namespace errata::errormodel {

std::string_view name_of(CovariateKind covariate) {
  static constexpr std::string_view kNames[kCovariates] = {"1", "y", "a", "y^2", "P"};
  return kNames[static_cast<std::size_t>(covariate)];
}

std::array<double, kCovariates> covariate_values(const ColumnOperands& o, std::size_t operand,
                                                 double minimum_conductance) {
  const double y = o.mac(operand);
  double position = 0.0;
  const std::uint8_t* x = o.input(operand);
  for (std::size_t j = 0; j < o.rows; ++j) {
    const double from_end = 1.0 - static_cast<double>(j) / static_cast<double>(o.rows);
    position += x[j] * (double{1} * o.plus[j] - (o.differential() ? o.minus[j] : 0)) * (1.0 - from_end * from_end);
  }
  return {1.0, y, o.second_axis(operand, minimum_conductance), y * y, position};
}

std::size_t CovariateBasis::size() const { return static_cast<std::size_t>(std::ranges::count(kept, true)); }

std::vector<double> CovariateBasis::phi(const std::array<double, kCovariates>& values) const {
  std::vector<double> result;
  for (std::size_t k = 0; k < offered.size(); ++k) {
    if (!kept[k]) continue;
    double sum = 0.0;
    for (std::size_t j = 0; j <= k; ++j) sum += transform[k][j] * values[static_cast<std::size_t>(offered[j])];
    result.push_back(sum);
  }
  return result;
}

CovariateBasis orthogonal_basis(const std::vector<CovariateKind>& offered,
                                const std::vector<std::array<double, kCovariates>>& values) {
  const auto q = static_cast<Eigen::Index>(offered.size());
  Eigen::MatrixXd moments = Eigen::MatrixXd::Zero(q, q);
  Eigen::VectorXd row(q);
  for (const auto& v : values) {
    for (Eigen::Index k = 0; k < q; ++k) row(k) = v[static_cast<std::size_t>(offered[static_cast<std::size_t>(k)])];
    moments += row * row.transpose() / static_cast<double>(values.size());
  }
  CovariateBasis b;
  b.offered = offered;
  // Gram-Schmidt in the metric of the design's second moments.
  std::vector<Eigen::VectorXd> done;
  for (Eigen::Index k = 0; k < q; ++k) {
    Eigen::VectorXd t = Eigen::VectorXd::Unit(q, k);
    for (const auto& d : done) t -= d * d.dot(moments * t);
    const double left = t.dot(moments * t), centred = moments(k, k) - moments(0, k) * moments(0, k);
    const double inflation = k == 0 ? 1.0 : centred / std::max(left, 1e-300);
    constexpr double kLargestInflation = 20.0;
    const bool keep = k == 0 || (inflation <= kLargestInflation && left > 0.0);
    if (keep) {
      t /= std::sqrt(left);
      done.push_back(t);
    } else {
      t.setZero();
    }
    b.kept.push_back(keep);
    b.inflation.push_back(inflation);
    b.transform.emplace_back(t.data(), t.data() + q);
  }
  return b;
}

}  // namespace errata::errormodel
