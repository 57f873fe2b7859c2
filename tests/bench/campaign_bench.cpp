// CPU time per simulation, errata's campaign against one `ngspice -b` for each point, in one run:
//   scripts/build bench && build/bench/tests/errata_campaign_bench
#include <fmt/format.h>
#include <sys/resource.h>

#include <functional>

#include "circuit/campaign.h"
#include "circuit/reproduce.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace errata {
namespace {

/// CPU seconds of all child processes that have ended.
double children_seconds() {
  rusage u{};
  getrusage(RUSAGE_CHILDREN, &u);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(u.ru_utime) + seconds(u.ru_stime);
}

double timed(const std::function<void()>& work) {
  const double before = children_seconds();
  work();
  return children_seconds() - before;
}

using Wanted = std::function<bool(const circuit::SimulationPoint&)>;

void compare(const char* what, const char* macro, std::size_t most, std::size_t spawned, double target,
             const Wanted& wanted) {
  const auto plan = circuit::plan_campaign(
      read_project(std::filesystem::path(ERRATA_SOURCE_DIR) / "netlists" / macro, {}), RunContext{});
  std::vector<std::size_t> chosen;
  std::vector<circuit::SimulationPoint> points;
  for (std::size_t p = 0; p < plan.points.size() && chosen.size() < most; ++p)
    if (wanted(plan.points[p])) {
      chosen.push_back(p);
      points.push_back(plan.points[p]);
    }
  // Half of the points twice: the difference leaves out the start of the worker and the load of the deck.
  const auto run = [&](std::size_t n) {
    return timed([&] {
      circuit::run_campaign(plan.decks, {points.begin(), points.begin() + static_cast<std::ptrdiff_t>(n)},
                            {.deadline_seconds = 600}, {}, {}, RunContext{});
    });
  };
  const double all = run(points.size()), half = run(points.size() / 2);
  const double ours = (all - half) / static_cast<double>(points.size() - points.size() / 2);
  const double with_load = all / static_cast<double>(points.size());
  const testing::TemporaryFolder folder;
  for (std::size_t k = 0; k < spawned; ++k)
    circuit::write_reproduction(plan, chosen[k * chosen.size() / spawned], folder.path() / std::to_string(k));
  const double theirs =
      timed([&] {
        for (std::size_t k = 0; k < spawned; ++k)
          testing::run_shell("cd " + (folder.path() / std::to_string(k)).string() + " && ngspice -b point.cir");
      }) /
      static_cast<double>(spawned);
  fmt::print("{:<44} {:8.3f} ms ({:.3f} ms with start and load)  spawned {:8.2f} ms  {:7.1f} x  (target {})\n", what,
             ours * 1e3, with_load * 1e3, theirs * 1e3, theirs / ours, target);
}

}  // namespace
}  // namespace errata

int main() {
  using errata::circuit::Analysis;
  const auto cell = [](const errata::circuit::SimulationPoint& p) {
    return p.deck == 0 && p.analysis != Analysis::kNoise;
  };
  const auto column = [](const errata::circuit::SimulationPoint& p) {
    return p.deck == 1 && p.analysis != Analysis::kNoise;
  };
  errata::compare("1T1R cell, operating point", "rram_1t1r", 4000, 60, 100, cell);
  errata::compare("1T1R column of 64 rows, operating point", "rram_1t1r", 400, 40, 1.1, column);
  errata::compare("6T column of 64 rows, operating point", "sram_6t", 80, 20, 1.1, column);
  errata::compare("8T column of 64 rows, transient", "sram_8t", 40, 12, 1.1, column);
  errata::compare("charge column of 64 rows, transient", "cap_charge", 40, 12, 1.1, column);
}
