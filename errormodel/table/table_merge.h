#pragma once

#include <span>

#include "errormodel/error_table.h"

namespace errata::errormodel {

/// One table out of several that were made from different chips of the same hardware at the same operating point: more
/// chips behind every term. Deterministic and dynamic surfaces are weighted by the observations behind each node, the
/// chip term by chips, the column and cell terms by columns; intervals shrink accordingly. Axes and basis are the
/// first's. Throws Error (artefact, E407) when hardware, transfer line or operating point differ, or the chips are the
/// same ones.
ErrorTable merge_chips(std::span<const ErrorTable> tables);

}  // namespace errata::errormodel
