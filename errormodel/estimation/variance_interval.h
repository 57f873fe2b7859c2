#pragma once

#include <functional>

#include "core/statistics.h"

namespace errata::errormodel {

/// 95 % interval of a variance component whose estimate is a sum of squares less what sampling alone would give: the
/// estimate plus a floor R is about chi-square with `freedom` degrees of freedom, R and the scale following from the
/// estimate's variance. `working` is the component's value at which `variance_of_estimate` was taken (not negative).
/// Estimates may be negative; so may the lower end. Chi-square shape after Satterthwaite 1946 and Graybill & Wang 1980.
Interval variance_interval(double estimate, double working, double variance_of_estimate, double freedom);

/// The estimate plus the floor: what is chi-square about a component.
double with_floor(double estimate, double working, double variance_of_estimate, double freedom);

/// 95 % interval of a covariance from the intervals of the variances of the scaled sum and difference of its two
/// coefficients, covariance = scale · (sum − difference), by the method of variance estimates recovery (Zou & Donner
/// 2008).
Interval covariance_interval(const Interval& sum, const Interval& difference, double scale);

/// Variance of an estimate twice: as the model gives it, and as the scatter of independent units does.
struct TwoVariances {
  double model = 0.0, scatter = 0.0;
};

/// 95 % interval: normal by the model's variance or Student-t by that of the scatter, whichever is wider.
Interval student_interval(double estimate, const TwoVariances& variances, double freedom);

}  // namespace errata::errormodel
