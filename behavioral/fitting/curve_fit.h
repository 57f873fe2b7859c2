#pragma once

#include <span>
#include <vector>

#include "behavioral/model.h"

namespace errata::behavioral {

/// Each form of a conversion's curve (methods.md §4.1) by Ceres: output = y_fs f(ideal / y_fs), both in MAC units,
/// analog values. The parameters are searched that the trainer's extraction searches: all but a5. Empty where there are
/// fewer conversions than parameters.
std::vector<CurveFit> fit_curves(std::span<const double> ideal, std::span<const double> output, double full_scale);

}  // namespace errata::behavioral
