#pragma once

#include <cstdint>

#include "core/operand_design.h"

namespace errata::errormodel {

/// Operands that look like a trained network's rather than like a design: bell-shaped weights, inputs that are sparse
/// and go together from row to row. What a table built on a design must transfer to when no network is there yet
/// (methods.md §3.2). A pure function of (design, seed, chip, column); `design.pattern` and `mac_limit` do not matter.
ColumnOperands network_like_operands(const OperandDesign& design, std::uint64_t seed, std::uint64_t chip,
                                     std::uint64_t column);

}  // namespace errata::errormodel
