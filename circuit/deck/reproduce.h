#pragma once

#include <filesystem>
#include <string>

#include "circuit/characterize.h"

namespace errata::circuit {

/// What a point of the campaign is, in words: "cell, input level 1, stored level 2, mismatch sample 0, bit line 0.2 V".
std::string describe_point(const CampaignPlan& plan, std::size_t point);

/// Commands that set every varied value of a point in a loaded deck, in the order in which errata issues them.
std::vector<std::string> slot_commands(const Deck& deck, const SimulationPoint& point);

/// Writes a folder that runs one point by hand: `cd FOLDER && ngspice -b point.cir`. It holds its own .spiceinit, the
/// composed deck and a .control block with the same commands in the same order, so that operating points and
/// transients agree bit for bit with errata's.
void write_reproduction(const CampaignPlan& plan, std::size_t point, const std::filesystem::path& folder);

}  // namespace errata::circuit
