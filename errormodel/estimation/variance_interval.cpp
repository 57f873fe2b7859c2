#include "errormodel/estimation/variance_interval.h"

#include <algorithm>
#include <boost/math/distributions/chi_squared.hpp>
#include <cmath>

namespace errata::errormodel {

namespace {
constexpr double kConfidence = 0.95;
}

double with_floor(double estimate, double working, double variance_of_estimate, double freedom) {
  const double total = std::sqrt(std::max(0.0, variance_of_estimate) * freedom / 2.0);
  const double floor = std::max(0.0, total - working);
  // What a chi-square variable has with a chance of one in 10⁵: below it the estimate tells nothing of the scale.
  constexpr double kLeast = 0.05;
  return std::max(estimate + floor, kLeast * total);
}

Interval variance_interval(double estimate, double working, double variance_of_estimate, double freedom) {
  const double total = with_floor(estimate, working, variance_of_estimate, freedom), floor = total - estimate;
  const boost::math::chi_squared chi(freedom);
  return {estimate, total * freedom / boost::math::quantile(chi, 0.5 + kConfidence / 2) - floor,
          total * freedom / boost::math::quantile(chi, 0.5 - kConfidence / 2) - floor};
}

Interval covariance_interval(const Interval& sum, const Interval& difference, double scale) {
  const double estimate = scale * (sum.estimate - difference.estimate);
  return {estimate, estimate - scale * std::hypot(sum.estimate - sum.low, difference.high - difference.estimate),
          estimate + scale * std::hypot(sum.high - sum.estimate, difference.estimate - difference.low)};
}

Interval student_interval(double estimate, const TwoVariances& v, double freedom) {
  const double p = 0.5 + kConfidence / 2;
  const double half = std::max(normal_quantile(p) * std::sqrt(std::max(0.0, v.model)),
                               student_t_quantile(p, freedom) * std::sqrt(std::max(0.0, v.scatter)));
  return {estimate, estimate - half, estimate + half};
}

}  // namespace errata::errormodel
