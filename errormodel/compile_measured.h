#pragma once

#include "core/run_context.h"
#include "core/settings.h"
#include "errormodel/error_table.h"
#include "errormodel/exchange/import_campaign.h"

namespace errata::errormodel {

/// The files that [errormodel] measurements, measured_weights and measured_inputs name, and their contents as inputs.
MeasurementFiles measurement_files(const Settings& settings);
std::vector<ArtifactInput> measurement_inputs(const Settings& settings);

/// The measurements that the project names. Throws ProjectError (E110) with everything wrong in them.
Campaign project_campaign(const Settings& settings);

/// Tier 3 from silicon: fills a table from measured conversions by the same estimators. With patterns every term;
/// without them the cells' spread stands in the column term as far as φ holds it, and `cells_separated` is false. Codes
/// at the ends of the ADC, unequal numbers of columns or operands and what the table could not take are told through
/// `context`. Throws Error (computation, E504) with fewer than 8 chips, 2 columns, 8 operands or 2 reads.
ErrorTable compile_measured(const Campaign& campaign, const Settings& settings, const Provenance& provenance,
                            const RunContext& context);

}  // namespace errata::errormodel
