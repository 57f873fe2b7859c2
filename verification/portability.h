#pragma once

#include <vector>

#include "behavioral/model.h"
#include "core/run_context.h"
#include "core/settings.h"
#include "errormodel/error_table.h"

namespace errata::verification {

/// The table that the same estimators make from other operands: from a network's own columns where `table` is
/// stratified, else from stratified ones. Everything but the terms is the table's. As many chips and columns as the
/// project's table has, at most 100 chips.
errormodel::ErrorTable other_table(const behavioral::BehavioralModel& model, const errormodel::ErrorTable& table,
                                   const std::vector<ColumnOperands>& network, std::uint64_t seed,
                                   const Settings& settings, const RunContext& context);

}  // namespace errata::verification
