#pragma once

#include <vector>

#include "core/settings.h"

namespace errata {

/// Keys that contradict each other, each alone being valid (E104, E106, E107).
std::vector<Diagnostic> project_inconsistencies(const Settings& settings);

}  // namespace errata
