#pragma once

#include "circuit/campaign/campaign.h"
#include "circuit/characterize.h"

namespace errata::circuit {

/// Takes the numbers of a finished campaign, in the order in which plan_campaign laid its points out: lines that were
/// simulated together `lines` at a time.
void collect(const CampaignPlan& plan, const CampaignResult& result, std::size_t lines, Characterization& c);

/// An output of a point; NaN where it gave none.
double value_or_nan(const PointResult& result, std::size_t output = 0);

}  // namespace errata::circuit
