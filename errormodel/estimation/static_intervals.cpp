#include "errormodel/estimation/static_intervals.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

namespace errata::errormodel {

namespace {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;

/// One of the two covariances: its entries, what its weights were, and the variance of combinations of its entries.
struct Part {
  Matrix estimate, working;
  std::function<double(const Vector&)> variance;
  double freedom;
};

/// Interval of cᵀ Σ c.
Interval quadratic_interval(const Part& part, const Vector& c) {
  const Eigen::Index q = c.size();
  Vector weights(distinct(q));
  for (Eigen::Index i = 0; i < q; ++i)
    for (Eigen::Index j = i; j < q; ++j) weights(entry(q, i, j)) = (i == j ? 1.0 : 2.0) * c(i) * c(j);
  return variance_interval(c.dot(part.estimate * c), c.dot(part.working * c), part.variance(weights), part.freedom);
}

Interval entry_interval(const Part& part, Eigen::Index i, Eigen::Index j) {
  const Eigen::Index q = part.estimate.rows();
  const Vector ei = Vector::Unit(q, i), ej = Vector::Unit(q, j);
  if (i == j) return quadratic_interval(part, ei);
  // Scaled so that both coefficients vary alike, sum and difference are independent.
  const auto total = [&](Eigen::Index k) {
    const double v = part.variance(Vector::Unit(distinct(q), entry(q, k, k)));
    return std::sqrt(std::max(1e-300, with_floor(part.estimate(k, k), part.working(k, k), v, part.freedom)));
  };
  const double si = total(i), sj = total(j);
  return covariance_interval(quadratic_interval(part, ei / si + ej / sj), quadratic_interval(part, ei / si - ej / sj),
                             si * sj / 4.0);
}

std::vector<Interval> intervals(const Part& part, const std::vector<Eigen::Index>& place) {
  std::vector<Interval> result;
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = i; j < 3; ++j)
      result.push_back(place[i] < 0 || place[j] < 0 ? Interval{} : entry_interval(part, place[i], place[j]));
  return result;
}

Covariance drawn(const Matrix& estimate, const std::vector<Eigen::Index>& place) {
  const Matrix fixed = semidefinite(estimate);
  Covariance c{};
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 3; ++j)
      if (place[i] >= 0 && place[j] >= 0) c[3 * i + j] = fixed(place[i], place[j]);
  return c;
}

}  // namespace

StaticIntervals static_intervals(const StaticEstimate& s, const CovariateBasis& basis) {
  std::vector<Eigen::Index> place(3, -1);
  for (std::size_t k = 0, next = 0; k < basis.offered.size(); ++k) {
    if (!basis.kept[k]) continue;
    const int at = table_place(basis.offered[k]);
    if (at >= 0) place[static_cast<std::size_t>(at)] = static_cast<Eigen::Index>(next);
    ++next;
  }
  const Eigen::Index n = distinct(s.chip.rows());
  const auto chips = static_cast<double>(s.chips), columns = static_cast<double>(s.columns);
  const Part chip{s.chip, s.weights.chip, [&](const Vector& w) { return w.dot(s.model.topLeftCorner(n, n) * w); },
                  std::max(1.0, chips - 1.0)};
  const Part column{s.column, s.weights.column,
                    [&](const Vector& w) {
                      return std::max(w.dot(s.model.bottomRightCorner(n, n) * w),
                                      w.dot(s.sandwich.bottomRightCorner(n, n) * w));
                    },
                    std::max(1.0, columns - chips)};
  return {intervals(chip, place), intervals(column, place), drawn(s.chip, place), drawn(s.column, place)};
}

}  // namespace errata::errormodel
