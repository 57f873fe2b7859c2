#pragma once

#include "circuit/campaign/campaign.h"
#include "circuit/characterize.h"

namespace errata::circuit {

/// Takes the noise of a finished campaign from point `first` on, in the order of plan_noise; the point behind its last.
/// Fills the cell's noise, the columns' shares by source and the elements without noise.
std::size_t collect_noise(const CampaignPlan& plan, const CampaignResult& result, std::size_t first,
                          Characterization& c);

}  // namespace errata::circuit
