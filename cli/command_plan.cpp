#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "circuit/campaign/campaign.h"
#include "circuit/characterize.h"
#include "cli/pipeline.h"
#include "core/operating_point.h"

namespace errata::cli {

namespace {

using Clock = std::chrono::steady_clock;

/// Points of one deck and kind of analysis, and what a few of them cost.
struct PointClass {
  std::string name;
  std::vector<std::size_t> points;
  double start_seconds = 0.0;  ///< of a worker that loads the deck
  double seconds = 0.0;        ///< for each point
};

std::vector<PointClass> classes_of(const circuit::CampaignPlan& plan) {
  std::vector<PointClass> classes(2 * plan.decks.size());
  for (std::size_t p = 0; p < plan.points.size(); ++p) {
    const bool noise = plan.points[p].analysis == circuit::Analysis::kNoise;
    PointClass& c = classes[2 * plan.points[p].deck + (noise ? 1 : 0)];
    c.name = plan.decks[plan.points[p].deck].name + (noise ? " (noise)" : "");
    c.points.push_back(p);
  }
  std::erase_if(classes, [](const PointClass& c) { return c.points.empty(); });
  return classes;
}

/// Simulates points that are spread over the class, one worker, about two seconds.
void pilot(PointClass& c, const circuit::CampaignPlan& plan, double deadline) {
  const auto few = [&](std::size_t n) {
    std::vector<circuit::SimulationPoint> some;
    for (std::size_t k = 0; k < n; ++k) some.push_back(plan.points[c.points[k * c.points.size() / n]]);
    return some;
  };
  Clock::time_point first;
  RunContext context;
  context.progress = [&](std::string_view, std::uint64_t done, std::uint64_t) {
    if (done == 1) first = Clock::now();
  };
  const auto timed = [&](std::size_t n) {
    const auto begin = Clock::now();
    circuit::run_campaign(plan.decks, few(n), {.deadline_seconds = deadline, .tolerated_failures = 1.0}, {}, {},
                          context);
    const double to_first = std::chrono::duration<double>(first - begin).count(),
                 after = std::chrono::duration<double>(Clock::now() - first).count();
    c.seconds = n > 1 ? after / static_cast<double>(n - 1) : to_first;
    c.start_seconds = n > 1 ? std::max(0.0, to_first - c.seconds) : 0.0;
  };
  constexpr double kSeconds = 2.0;
  constexpr std::size_t kMost = 200;
  timed(1);
  const auto affordable = static_cast<std::size_t>(std::min<double>(kMost, kSeconds / std::max(c.seconds, 1e-6)));
  const std::size_t n = std::min(std::max<std::size_t>(affordable, 3), c.points.size());
  if (n > 1) timed(n);
}

/// Bytes of the journal, and about those of characterization.h5, which is written when the journal is full.
struct Disk {
  double journal = 0.0, artefact = 0.0;
};

Disk disk_of(const circuit::CampaignPlan& plan) {
  constexpr double kFingerprint = 64, kRecord = 34, kObjects = 30e3;  // docs/formats/journal.md; HDF5's own needs
  Disk disk{kFingerprint, kObjects};
  for (const auto& point : plan.points) {
    const auto& deck = plan.decks[point.deck];
    const double values = point.analysis == circuit::Analysis::kNoise   ? 1.0
                          : point.analysis == circuit::Analysis::kSweep ? static_cast<double>(deck.sweep.count())
                                                                        : static_cast<double>(deck.outputs.size());
    disk.journal += kRecord + 8 * values;
    // Of a cell behind a reference only the charge is kept; the voltage is the reference's.
    const bool charge = plan.skeleton.array.transient() && point.deck == 0 && deck.outputs.size() > 1;
    disk.artefact += 8 * (charge ? 1.0 : values);
  }
  for (const auto& design : plan.skeleton.columns.designs)
    disk.artefact += static_cast<double>(design.rows * (2 + design.count()));
  return disk;
}

std::string duration_text(double seconds) {
  return seconds < 120    ? fmt::format("{:.2g} s", seconds)
         : seconds < 7200 ? fmt::format("{:.0f} min", seconds / 60)
                          : fmt::format("{:.1f} h", seconds / 3600);
}

}  // namespace

ExitStatus run_plan(Session& session) {
  const Settings s = session.project();
  require_netlist(s);
  const auto plan = circuit::plan_campaign(s, session.context);
  auto classes = classes_of(plan);
  double total = 0.0;
  for (PointClass& c : classes) {
    pilot(c, plan, s.number("circuit.deadline"));
    total += c.start_seconds + c.seconds * static_cast<double>(c.points.size()) / session.invocation.jobs;
  }
  const std::size_t operating = operating_points(s).size();  // each of them is the same campaign
  const std::size_t all = operating * plan.points.size();
  total *= static_cast<double>(operating);
  Disk disk = disk_of(plan);
  disk.journal *= static_cast<double>(operating);
  disk.artefact *= static_cast<double>(operating);
  for (const auto& stage : stages()) {
    const auto state = state_of(session, s, stage);
    std::string text = fmt::format("{:<13} {}", stage.name, to_string(state.freshness));
    if (stage.name == "characterize") {
      for (const PointClass& c : classes)
        text += fmt::format(", {} points of {} ({:.2g} ms each)", c.points.size(), c.name, c.seconds * 1e3);
      if (operating > 1) text += fmt::format(", at {} operating points", operating);
      text +=
          fmt::format("; about {} on {} workers; characterization.h5 of {:.2g} MB, and {:.2g} MB of journal until then",
                      duration_text(total), session.invocation.jobs, disk.artefact * 1e-6, disk.journal * 1e-6);
    }
    session.out.line(text);
    session.out.append("stages",
                       {{"name", std::string(stage.name)}, {"state", std::string(to_string(state.freshness))}}, {});
  }
  session.out.set("points", static_cast<std::int64_t>(all));
  session.out.set("seconds", total);
  session.out.set("megabytes", (disk.artefact + disk.journal) * 1e-6);
  session.out.set("strategy", plan.skeleton.strategy);
  return ExitStatus::kOk;
}

}  // namespace errata::cli
