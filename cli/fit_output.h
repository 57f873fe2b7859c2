#pragma once

#include <span>
#include <string>
#include <vector>

#include "behavioral/model.h"
#include "cli/output.h"
#include "cli/report/report.h"
#include "core/operating_point.h"

namespace errata::cli {

/// "85 degC: " before what is said of one of several operating points; empty for one alone.
std::string point_heading(std::size_t points, const OperatingPoint& point);
OperatingPoint point_of(const behavioral::BehavioralModel& model);

/// Curves of a conversion (methods.md §4.1) of the model's columns: by Ceres, as behavioral.h5 has them, and by the
/// trainer's own optimiser on the same conversions.
std::vector<report::FittedCurve> fitted_curves(const behavioral::BehavioralModel& model, const Settings& settings);

/// What the fit says at each of several operating points; empty for one.
std::vector<report::PointFit> point_fits(std::span<const behavioral::BehavioralModel> models);

/// What the text of the fit report leaves out, and every number of it for --json. At least one model.
void tell_fit(Output& out, std::span<const behavioral::BehavioralModel> models, const Settings& settings);

}  // namespace errata::cli
