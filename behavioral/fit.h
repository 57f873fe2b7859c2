#pragma once

#include "behavioral/model.h"
#include "core/run_context.h"
#include "core/settings.h"

namespace errata::behavioral {

/// Tier 2: fits the cell's surface and validates the column model against every ngspice column of the
/// characterisation (methods.md §5.1, §6.1). The columns play no part in the fit, so all of them are held out.
/// The model is returned whether or not it meets its specification; `validation.passed` tells.
BehavioralModel fit_model(const circuit::Characterization& data, const Settings& settings,
                          const Provenance& provenance);

/// A model of each operating point, the nominal one first. One between others is also predicted from them and compared
/// with its own columns (validation.interpolation_rms). Throws Error (E525) when the points form no grid.
std::vector<BehavioralModel> fit_models(std::span<const circuit::Characterization> points, const Settings& settings,
                                        const Provenance& provenance);

/// Mismatch terms that act inside the cells: those of the cell's own measurements, or of a whole column all that do not
/// belong to its periphery.
std::vector<std::size_t> cell_terms_of(const circuit::Characterization& data);

/// The family that the project names, or the first that fits. Throws ProjectError (E107) when there is none of that
/// name or it cannot be fitted to what was measured.
const FamilyEntry& project_family(const Settings& settings, Measured measured);

/// The fit report as text for the terminal.
std::string fit_report(const BehavioralModel& model);

/// Affine line of nominal columns, least squares over uniformly weighted y with |y| ≤ `mac_limit` (methods.md §2).
Transfer nominal_transfer(const BehavioralModel& model, double mac_limit, std::uint64_t seed);

}  // namespace errata::behavioral
