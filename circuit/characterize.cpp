#include "circuit/characterize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "circuit/campaign/campaign.h"
#include "circuit/campaign/campaign_decks.h"
#include "circuit/campaign/cell_points.h"
#include "circuit/campaign/collector.h"
#include "circuit/campaign/column_points.h"
#include "circuit/circuit_project.h"
#include "core/operand_set.h"
#include "core/operating_point.h"

namespace errata::circuit {

namespace {

constexpr const char* kInBatches = "; batches of points in forked processes";

/// What an artefact says must follow from its project alone: a loss that a second try made good is not in it.
bool lost_for_good(const PointResult& point) {
  return point.status == PointStatus::kTimeout || point.status == PointStatus::kCrashed;
}

void add_cell_points(const Settings& s, const CircuitProject& p, CampaignPlan& plan) {
  Characterization& c = plan.skeleton;
  CellPoints cell(p, c.cell, plan.points);
  if (p.array.transient()) {
    const auto finals = static_cast<std::size_t>(s.integer("circuit.design.bit_line_points"));
    c.charge.final_volts.assign(finals, std::nan(""));
    cell.add_charges(finals);
  } else if (sweeps(p, s)) {
    cell.add_sweeps();
  } else {
    cell.add_currents();
  }
  add_switch_points(s, p, c.charge, plan.points);
}

CampaignPlan plan_of(const Settings& s, const CircuitProject& p) {
  CampaignPlan plan;
  Characterization& c = plan.skeleton;
  c.array = p.array;
  c.mismatch = p.mismatch;
  c.noise = p.noise;
  c.cell = plan_cell(s, p);
  plan.decks = campaign_decks(p, c.cell);
  if (composable(p.deck)) add_cell_points(s, p, plan);
  c.strategy = p.array.transient() ? "a transient for each point"
               : composable(p.deck) && sweeps(p, s)
                   ? "one dc analysis with external sources for each device of the cell; an operating "
                     "point for each column"
                   : "an operating point for each point";
  c.strategy += std::ranges::any_of(plan.decks[kColumnDeck].slots,
                                    [](const Slot& slot) { return slot.kind == SlotKind::kParameter; })
                    ? "; parameters by reset and alter"
                    : "; values altered in place";
  if (p.campaign.isolation == Isolation::kForkedBatches || is_heavy(plan.decks)) c.strategy += kInBatches;
  plan_columns(s, p, c.columns, plan.points);
  plan.noise = plan_noise(p, s.seed(), plan.decks, c, plan.points);
  c.silent_elements = silent_elements(p);
  plan_self_check(p, c.self_check, plan.points);
  std::vector<ArtifactInput> inputs = operand_input(s, "circuit.operands");
  inputs.insert(inputs.begin(), {"netlist", p.netlist.sha256});
  c.provenance = {.format = Characterization::kFormat,
                  .major_version = Characterization::kMajor,
                  .minor_version = Characterization::kMinor,
                  .inputs = std::move(inputs),
                  .config = s.canonical(sections_of_stage("characterize")),
                  .seed = s.seed()};
  return plan;
}

}  // namespace

CampaignPlan plan_campaign(const Settings& s, const RunContext& context) {
  return plan_of(s, read_circuit_project(s, context));
}

std::vector<CampaignPlan> plan_campaigns(const Settings& s, const RunContext& context) {
  std::vector<CampaignPlan> plans{plan_campaign(s, context)};
  const auto points = operating_points(s);
  for (std::size_t k = 1; k < points.size(); ++k)
    plans.push_back(plan_campaign(at_operating_point(s, points[k]), RunContext{.cancelled = context.cancelled}));
  return plans;
}

namespace {

/// One operating point; the shard stays until all are there.
Characterization characterize_point(const Settings& s, const std::filesystem::path& shard, const RunContext& context) {
  const CircuitProject p = read_circuit_project(s, context);
  CampaignPlan plan = plan_of(s, p);
  Characterization& c = plan.skeleton;
  c.simulator = ngspice_version(context);
  const CampaignResult result =
      run_campaign(plan.decks, plan.points, p.campaign, shard, c.provenance.fingerprint(), context);
  if (std::ranges::any_of(result.points, lost_for_good) && !c.strategy.ends_with(kInBatches))
    c.strategy += std::string(kInBatches) + " after a loss";
  if (const std::size_t again = result.repeated(); again > 0)
    context.note(fmt::format("{} points were lost with their process and simulated again in forked processes", again));
  c.suspect_points = static_cast<std::int64_t>(result.suspects());
  c.failed_points = static_cast<std::int64_t>(result.failures());
  c.remedied_points = static_cast<std::int64_t>(result.remedied());
  collect(plan, result, p.deck.lines, c);
  return c;
}

}  // namespace

std::vector<Characterization> characterize_all(const Settings& s, const std::filesystem::path& artifacts,
                                               const RunContext& context) {
  const auto points = operating_points(s);
  std::vector<Characterization> all;
  std::vector<std::filesystem::path> shards;
  for (std::size_t k = 0; k < points.size(); ++k) {
    const std::string name = k == 0 ? "characterization.journal" : fmt::format("characterization-{}.journal", k);
    shards.push_back(artifacts / "shards" / name);
    all.push_back(characterize_point(k == 0 ? s : at_operating_point(s, points[k]), shards.back(), context));
    if (points.size() > 1) all.back().array.supply_volts = points[k].supply_volts;
  }
  save_characterizations(all, artifacts / "characterization.h5");
  std::error_code ignored;
  for (const auto& shard : shards) std::filesystem::remove(shard, ignored);
  return all;
}

Characterization characterize(const Settings& s, const std::filesystem::path& artifacts, const RunContext& context) {
  return std::move(characterize_all(s, artifacts, context).front());
}

std::vector<double> simulate_columns(const Settings& s, std::uint64_t seed, const std::vector<ColumnRequest>& requests,
                                     const RunContext& context) {
  const CircuitProject p = read_circuit_project(s, RunContext{});
  const std::vector<Deck> decks = campaign_decks(p, plan_cell(s, p));
  std::vector<SimulationPoint> points;
  for (const auto& r : requests) {
    // Where several lines are simulated together, the one asked for stands first and its copies beside it.
    const std::vector<StoredLine> lines(p.deck.lines, StoredLine{r.line, r.stored_levels});
    points.push_back(column_point(p, ColumnSlots(p, seed, lines), r.input_levels.data()));
  }
  const CampaignResult result = run_campaign(decks, points, p.campaign, {}, {}, context);
  std::vector<double> outputs;
  for (const auto& point : result.points) outputs.push_back(value_or_nan(point));
  return outputs;
}

NominalPoint simulate_nominal(const Settings& s, const RunContext& context) {
  CircuitProject p = read_circuit_project(s, context);
  const CampaignPlan plan = plan_of(s, p);
  p.campaign.retries = 0;
  p.campaign.tolerated_failures = 0.0;
  const std::size_t column = static_cast<std::size_t>(
      std::ranges::find_if(plan.points, [](const SimulationPoint& q) { return q.deck == kColumnDeck; }) -
      plan.points.begin());
  const CampaignResult result =
      run_campaign(plan.decks, {plan.points.front(), plan.points[column]}, p.campaign, {}, {}, context);
  const double cell = composable(p.deck) ? result.points[0].values.back() : std::numeric_limits<double>::quiet_NaN();
  return {p.array.read, cell, value_or_nan(result.points[1]), std::string(p.array.unit)};
}

}  // namespace errata::circuit
