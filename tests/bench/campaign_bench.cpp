// CPU time per simulation, errata's campaign (workers and parent) against the ngspice program, spawned once for each
// point with one thread, in one run:
//   scripts/build bench && build/bench/tests/errata_campaign_bench [ROW...]   rows: cell sweep heavy column charge
//   workers
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <set>

#include "circuit/campaign/campaign.h"
#include "circuit/campaign/campaign_decks.h"
#include "circuit/deck/reproduce.h"
#include "tests/support/cell_project.h"
#include "tests/support/example_project.h"
#include "tests/support/heavy_library.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"

namespace errata {
namespace {

using circuit::Analysis;
using circuit::CampaignPlan;
using circuit::SimulationPoint;
using testing::TemporaryFolder;

double cpu_seconds(int who) {
  rusage u{};
  getrusage(who, &u);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(u.ru_utime) + seconds(u.ru_stime);
}

struct Cost {
  double cpu = 0.0;  ///< of this process and of the children that ended
  double children = 0.0;
  double wall = 0.0;
};

Cost cost_of(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  const double self = cpu_seconds(RUSAGE_SELF), children = cpu_seconds(RUSAGE_CHILDREN);
  work();
  Cost c{.children = cpu_seconds(RUSAGE_CHILDREN) - children,
         .wall = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count()};
  c.cpu = c.children + cpu_seconds(RUSAGE_SELF) - self;
  return c;
}

Cost campaign(const CampaignPlan& plan, const std::vector<SimulationPoint>& points, int jobs = 1,
              circuit::Isolation isolation = circuit::Isolation::kAutomatic) {
  return cost_of([&] {
    circuit::run_campaign(plan.decks, points, {.deadline_seconds = 600, .isolation = isolation}, {}, {},
                          RunContext{.jobs = jobs});
  });
}

/// CPU seconds for each further point once a worker runs and has loaded its deck.
double per_point(const CampaignPlan& plan, const std::vector<SimulationPoint>& points,
                 circuit::Isolation isolation = circuit::Isolation::kAutomatic) {
  const std::size_t half = points.size() / 2;
  const std::vector<SimulationPoint> few(points.begin(), points.begin() + static_cast<std::ptrdiff_t>(half));
  return (campaign(plan, points, 1, isolation).cpu - campaign(plan, few, 1, isolation).cpu) /
         static_cast<double>(points.size() - half);
}

/// CPU seconds of one spawned `ngspice -b point.cir`, the mean over folders.
double spawned(const std::vector<std::filesystem::path>& folders) {
  return cost_of([&] {
           for (const auto& folder : folders) {
             const auto run = testing::run_shell("cd " + folder.string() + " && ngspice -b point.cir");
             if (run.status != 0 || run.output.find(" = ") == std::string::npos)
               throw std::runtime_error("ngspice failed: " + run.output);
           }
         }).children /
         static_cast<double>(folders.size());
}

/// Takes a line out of a written-out deck.
void drop_line(const std::filesystem::path& file, const std::string& line) {
  std::string text = testing::bytes_of(file);
  const auto at = text.find(line + "\n");
  if (at == std::string::npos) throw std::runtime_error("no line " + line);
  std::ofstream(file, std::ios::binary) << text.erase(at, line.size() + 1);
}

void row(const std::string& what, double ours, double theirs, double target) {
  fmt::print("{:<58} {:9.4f} ms  spawned {:9.2f} ms  {:8.1f} x  (target {}) {}\n", what, ours * 1e3, theirs * 1e3,
             theirs / ours, target, theirs / ours >= target ? "" : "MISSED");
  std::fflush(stdout);
}

CampaignPlan macro_plan(const char* macro, const std::vector<SettingOverride>& overrides = {}) {
  return circuit::plan_campaign(read_project(std::filesystem::path(ERRATA_SOURCE_DIR) / "netlists" / macro, overrides),
                                RunContext{});
}

/// The first points of a deck that are no noise analyses, and their numbers.
struct Chosen {
  std::vector<SimulationPoint> points;
  std::vector<std::size_t> numbers;
};
Chosen choose(const CampaignPlan& plan, std::size_t deck, std::size_t most) {
  Chosen chosen;
  for (std::size_t p = 0; p < plan.points.size() && chosen.points.size() < most; ++p)
    if (plan.points[p].deck == deck && plan.points[p].analysis != Analysis::kNoise) {
      chosen.points.push_back(plan.points[p]);
      chosen.numbers.push_back(p);
    }
  return chosen;
}

std::vector<std::filesystem::path> write_some(const CampaignPlan& plan, const Chosen& chosen, std::size_t count,
                                              const TemporaryFolder& folder) {
  std::vector<std::filesystem::path> folders;
  for (std::size_t k = 0; k < count; ++k) {
    folders.push_back(folder / std::to_string(k));
    circuit::write_reproduction(plan, chosen.numbers[k * chosen.numbers.size() / count], folders.back());
  }
  return folders;
}

/// Operating points of a cell in every strategy.
void cell(const std::string& what, const char* macro) {
  const auto plan = macro_plan(macro, {{"circuit.strategy", "point_by_point"}});
  const auto chosen = choose(plan, circuit::kCellDeck, 8000);
  const TemporaryFolder folder;
  const double theirs = spawned(write_some(plan, chosen, 60, folder));
  row(what + ", operating point, altered in place", per_point(plan, chosen.points), theirs, 100);
  row(what + ", operating point, forked batches", per_point(plan, chosen.points, circuit::Isolation::kForkedBatches),
      theirs, 100);
  const auto swept = macro_plan(macro);
  const auto sweeps = choose(swept, circuit::kSweepDeck, 200);
  row(what + ", operating point, as a bias of its sweep",
      per_point(swept, sweeps.points) / static_cast<double>(swept.decks[circuit::kSweepDeck].sweep.count()), theirs,
      100);
}

/// 101 bit-line voltages of one cell: our sweep against one spawned `.dc`.
void sweep(const std::string& what, const char* macro) {
  auto plan = macro_plan(macro);
  auto& biases = plan.decks[circuit::kSweepDeck].sweep;
  biases.values.clear();
  for (int k = 0; k <= 100; ++k) biases.values.insert(biases.values.end(), {1.0, 0.002 * k, 0.0});
  const auto chosen = choose(plan, circuit::kSweepDeck, 400);
  const TemporaryFolder folder;
  const auto folders = write_some(plan, chosen, 40, folder);
  for (const auto& f : folders) {  // the operating points after the first as one dc analysis
    std::string text = testing::bytes_of(f / "point.cir");
    const auto begin = text.find("\nop\n") + 1, end = text.find("quit\n.endc");
    text.replace(begin, end - begin, "dc vclamp 0 0.2 0.002\nprint vclamp#branch[100]\n");
    std::ofstream(f / "point.cir", std::ios::binary) << text;
  }
  row(what + ", DC sweep of 101 points", per_point(plan, chosen.points), spawned(folders), 10);
}

/// A cell of eight transistors out of a library of 300 bins a type.
void heavy() {
  std::string cell = ".include \"heavy.lib\"\n.subckt cell bl wl sl\nrmem bl d7 100k\n";
  for (int k = 0; k < 8; ++k)
    cell += fmt::format("x{} {} wl {} 0 nfet w={:.2f}u l=60n\n", k, k == 7 ? "d7" : fmt::format("d{}", k),
                        k == 0 ? "sl" : fmt::format("d{}", k - 1), 0.4 + 0.01 * k);
  cell += ".ends\n";
  const TemporaryFolder folder;
  const std::string library = testing::heavy_library(300);
  folder.write("heavy.lib", library);
  const auto plan = circuit::plan_campaign(
      testing::write_project(folder.path(), testing::kExampleProject, "* heavy\n" + cell,
                             {{"circuit.strategy", "point_by_point"}, {"circuit.design.bit_line_points", "40"}}),
      RunContext{});
  fmt::print("heavy library: {} lines, {:.1f} MB; deck of the cell: {} lines\n", std::ranges::count(library, '\n'),
             static_cast<double>(library.size()) / 1e6, plan.decks[0].lines.size());
  const auto chosen = choose(plan, circuit::kCellDeck, 1000);
  const double first = campaign(plan, {chosen.points.front()}).cpu;
  fmt::print("first point with its load {:.2f} s\n", first);
  const double theirs = spawned(write_some(plan, chosen, 3, folder));
  row("cell out of a heavy library, operating point", per_point(plan, chosen.points), theirs, 300);
}

void column(const char* what, const char* macro, std::size_t most, std::size_t spawns, double default_target) {
  const auto plan = macro_plan(macro);
  const auto chosen = choose(plan, circuit::kColumnDeck, most);
  const TemporaryFolder folder;
  const auto folders = write_some(plan, chosen, spawns, folder);
  const double ours = per_point(plan, chosen.points), theirs = spawned(folders);
  row(what, ours, theirs, 1.1);
  if (default_target <= 0) return;
  const std::vector<std::filesystem::path> few(folders.begin(), folders.begin() + 2);
  for (const auto& f : few) drop_line(f / "point.cir", "set num_threads=1");
  row(fmt::format("{} (Debian's two threads)", what), ours, spawned(few), default_target);
}

/// Two workers against one: wall clock, and the CPU time that each needs (equal on a machine that has two cores free).
void workers(const char* what, const CampaignPlan& plan, const std::vector<SimulationPoint>& points) {
  constexpr int kRepeats = 7;
  std::vector<double> wall, cpu;
  for (int k = 0; k < kRepeats; ++k) {
    const Cost one = campaign(plan, points, 1), two = campaign(plan, points, 2);
    wall.push_back(one.wall / two.wall);
    cpu.push_back(2 * one.cpu / two.cpu);
  }
  std::ranges::sort(wall);
  std::ranges::sort(cpu);
  fmt::print(
      "{:<44} two workers: wall {:.2f} x ({:.2f} to {:.2f}), by CPU time {:.2f} x ({:.2f} to {:.2f})  "
      "(target 1.8, medians of {})\n",
      what, wall[kRepeats / 2], wall.front(), wall.back(), cpu[kRepeats / 2], cpu.front(), cpu.back(), kRepeats);
  std::fflush(stdout);
}

void all_workers() {
  const auto cells = macro_plan("rram_1t1r", {{"circuit.strategy", "point_by_point"}});
  workers("1T1R cell, 10000 operating points", cells, choose(cells, circuit::kCellDeck, 10000).points);
  const auto columns = macro_plan("sram_8t");
  workers("8T column of 64 rows, 8 transients", columns, choose(columns, circuit::kColumnDeck, 8).points);
}

}  // namespace
}  // namespace errata

int main(int argc, char** argv) {
  const std::set<std::string> wanted(argv + 1, argv + argc);
  const auto runs = [&](const char* name) { return wanted.empty() || wanted.contains(name); };
  for (const auto& [what, macro] :
       {std::pair{"1T1R cell (with a B source)", "rram_1t1r"}, {"FeFET cell", "fefet_1t"}}) {
    if (runs("cell")) errata::cell(what, macro);
    if (runs("sweep")) errata::sweep(what, macro);
  }
  if (runs("heavy")) errata::heavy();
  if (runs("column")) {
    errata::column("1T1R column of 64 rows, operating point", "rram_1t1r", 400, 40, 0);
    errata::column("6T column of 64 rows, operating point", "sram_6t", 80, 20, 0);
    errata::column("8T column of 64 rows, transient", "sram_8t", 24, 8, 5);
  }
  if (runs("charge")) errata::column("charge column of 64 rows, transient", "cap_charge", 12, 4, 5);
  if (runs("workers")) errata::all_workers();
}
