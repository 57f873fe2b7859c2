#pragma once

#include <string>
#include <vector>

#include "circuit/campaign/noise_points.h"
#include "circuit/campaign/simulation.h"
#include "circuit/characterization.h"
#include "circuit/deck/deck.h"
#include "core/run_context.h"
#include "core/settings.h"

namespace errata::circuit {

/// Everything that the campaign will simulate, in order; a pure function of project, netlist and seed.
struct CampaignPlan {
  std::vector<Deck> decks;  ///< cell first, then the column; transient reads have more
  std::vector<SimulationPoint> points;
  NoisePlan noise;
  Characterization skeleton;  ///< axes, operands and physics; numbers still missing
};

/// Reads and checks the project's netlist and lays the campaign at the nominal operating point out. Throws ProjectError
/// with all problems.
CampaignPlan plan_campaign(const Settings& settings, const RunContext& context);
/// The same at every operating point (core/operating_point.h).
std::vector<CampaignPlan> plan_campaigns(const Settings& settings, const RunContext& context);

/// Tier 1: runs the plan (methods.md §3.3, §5.1) at every operating point on the same chips and operands, and writes
/// characterization.h5. Resumes from the shards in `artifacts`/shards. Returns the operating points.
std::vector<Characterization> characterize_all(const Settings& settings, const std::filesystem::path& artifacts,
                                               const RunContext& context);
/// The nominal operating point of characterize_all().
Characterization characterize(const Settings& settings, const std::filesystem::path& artifacts,
                              const RunContext& context);

/// Simulates given columns: what verification replays. Returns the output of each request in A or V (NaN: failed).
struct ColumnRequest {
  LineId line;
  std::vector<std::uint8_t> stored_levels;  ///< [rows], the selectable ones
  std::vector<std::uint8_t> input_levels;   ///< [rows]
};
std::vector<double> simulate_columns(const Settings& settings, std::uint64_t seed,
                                     const std::vector<ColumnRequest>& requests, const RunContext& context);

/// One cell and one column at the first point of the campaign.
struct NominalPoint {
  ReadMode read = ReadMode::kCurrent;
  double cell = 0.0;    ///< current in A, or charge drawn from the line in C; NaN: only columns are simulated
  double column = 0.0;  ///< in `unit`
  std::string unit;
};

/// Simulates one cell and one column: what `errata check` does. Throws Error (E207, E501).
NominalPoint simulate_nominal(const Settings& settings, const RunContext& context);

}  // namespace errata::circuit
