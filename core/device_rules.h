#pragma once

#include <string>
#include <vector>

#include "core/settings.h"

namespace errata {

/// Whether the project's column is more than a sum of its cells, so that no model can be composed from the cell alone.
bool only_columns(const Settings& settings);

/// Unit of what a column yields: "A", "V", "C" or "V*s".
std::string column_unit(const Settings& settings);

/// Contradictions about what is simulated: cell or column, its numbered names, outputs, column switch (E106, E107).
std::vector<Diagnostic> device_inconsistencies(const Settings& settings);

}  // namespace errata
