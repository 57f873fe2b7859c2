#include <fmt/format.h>

#include <chrono>
#include <fstream>

#include "circuit/campaign.h"
#include "circuit/characterize.h"
#include "cli/pipeline.h"
#include "core/operating_point.h"

namespace errata::cli {

namespace {
/// Seconds per point of each deck, by simulating a few points of the plan on one worker.
std::vector<double> pilot(const circuit::CampaignPlan& plan, double deadline) {
  std::vector<double> seconds(plan.decks.size(), 0.0);
  for (std::size_t deck = 0; deck < plan.decks.size(); ++deck) {
    std::vector<circuit::SimulationPoint> few;
    for (const auto& point : plan.points)
      if (point.deck == deck && few.size() < 24) few.push_back(point);
    if (few.empty()) continue;
    const auto timed = [&](std::size_t n) {
      const std::vector<circuit::SimulationPoint> some(few.begin(), few.begin() + static_cast<std::ptrdiff_t>(n));
      const auto began = std::chrono::steady_clock::now();
      circuit::run_campaign(plan.decks, some, {.deadline_seconds = deadline, .tolerated_failures = 1.0}, {}, {},
                            RunContext{});
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    };
    const double one = timed(1), all = timed(few.size());  // the difference leaves out start and load of the worker
    seconds[deck] = few.size() > 1 ? std::max(0.0, all - one) / static_cast<double>(few.size() - 1) : one;
  }
  return seconds;
}
}  // namespace

ExitStatus run_plan(Session& session) {
  const Settings s = session.project();
  require_netlist(s);
  const auto plan = circuit::plan_campaign(s, session.context);
  std::vector<std::size_t> points(plan.decks.size(), 0);
  for (const auto& point : plan.points) ++points[point.deck];
  const auto seconds = pilot(plan, s.number("circuit.deadline"));
  double total = 0.0;
  for (std::size_t d = 0; d < plan.decks.size(); ++d) total += seconds[d] * static_cast<double>(points[d]);
  const std::size_t operating = operating_points(s).size();  // each of them is the same campaign
  total *= static_cast<double>(operating) / session.invocation.jobs;
  const std::size_t all = operating * plan.points.size();
  const double megabytes = static_cast<double>(all) * 50e-6;
  for (const auto& stage : stages()) {
    const auto state = state_of(session, s, stage);
    std::string text = fmt::format("{:<13} {}", stage.name, to_string(state.freshness));
    if (stage.name == "characterize") {
      for (std::size_t d = 0; d < plan.decks.size(); ++d)
        if (points[d] > 0)
          text += fmt::format(", {} points of {} ({:.2g} ms each)", points[d], plan.decks[d].name, seconds[d] * 1e3);
      if (operating > 1) text += fmt::format(", at {} operating points", operating);
      text += fmt::format("; about {:.0f} s on {} workers, {:.1f} MB", total, session.invocation.jobs, megabytes);
    }
    session.out.line(text);
    session.out.append("stages",
                       {{"name", std::string(stage.name)}, {"state", std::string(to_string(state.freshness))}}, {});
  }
  session.out.set("points", static_cast<std::int64_t>(all));
  session.out.set("seconds", total);
  session.out.set("megabytes", megabytes);
  return ExitStatus::kOk;
}

}  // namespace errata::cli
