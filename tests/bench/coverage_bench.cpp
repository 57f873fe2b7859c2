// How often the 95 % intervals of the error table's terms hold the truth, and how wide they are against what the
// likelihood allows (Cramér and Rao). Synthetic truth in its full generative form, and with each component at zero.
//
//   errata_coverage_bench [--repetitions N] [--scenario NAME] [--chips N] [--columns N] [--operands N] [--reads N]
//
// Every component must be covered in 91 … 98.5 % of 400 repetitions, with a median width of at most 1.3 times the
// bound.

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <string>

#include "tests/support/fisher_bound.h"
#include "tests/support/synthetic_truth.h"

namespace {

using namespace errata;

struct Scenario {
  std::string name;
  testing::SyntheticTruth truth;
};

std::vector<Scenario> scenarios() {
  std::vector<Scenario> all{{"everything", {}}};
  testing::SyntheticTruth t;
  t.chip.fill(0.0);
  all.push_back({"no chip term", t});
  t = {};
  t.column.fill(0.0);
  all.push_back({"no column term", t});
  t = {};
  std::fill(t.cell.begin(), t.cell.end(), 0.0);
  all.push_back({"no cell term", t});
  t = {};
  t.cell[2] = 0.0;
  all.push_back({"one level without spread", t});
  t = {};
  t.read_sigma = [](double, double) { return 0.02; };
  all.push_back({"next to no read noise", t});
  t = {};
  t.read_sigma = [](double, double) { return 0.0; };
  all.push_back({"no read noise", t});
  all.push_back({"single-ended", testing::single_ended_truth()});
  t = {};
  t.cell_tail = 5;
  all.push_back({"heavy-tailed cells", t});
  return all;
}

/// One component over the repetitions.
struct Component {
  double bound = 0.0;
  std::size_t covered = 0, count = 0;
  std::vector<double> width, error, truth;
  void add(const Interval& i, double value) {
    truth.push_back(value);  // over the table's own φ, which differs a little from design to design
    constexpr double kRounding = 1e-9;
    covered += i.low <= value + kRounding && value - kRounding <= i.high;
    ++count;
    width.push_back(i.high - i.low);
    error.push_back(i.estimate - value);
  }
};

constexpr int kRow[6] = {0, 0, 0, 1, 1, 2}, kColumn[6] = {0, 1, 2, 1, 2, 2};

std::map<std::string, Component> run(const Scenario& s, const testing::SyntheticSize& size, int repetitions) {
  std::map<std::string, Component> all;
  const errormodel::EstimateOptions options{.y_points = 21, .a_points = 9, .y_limit = 40, .threads = 1};
#pragma omp parallel for schedule(dynamic)
  for (int r = 0; r < repetitions; ++r) {
    const auto o = testing::synthetic_observations(s.truth, size, static_cast<std::uint64_t>(1000 + r));
    errormodel::ErrorTable t;
    estimate_terms(o, options, t);
    const auto chip = testing::in_basis_of(t, s.truth, s.truth.chip),
               column = testing::in_basis_of(t, s.truth, s.truth.column);
    testing::FisherBound bound;
    if (r == 0) bound = testing::fisher_bound(o, s.truth, t, 2);
#pragma omp critical
    {
      for (std::size_t k = 0; k < 6; ++k) {
        const auto at = static_cast<std::size_t>(3 * kRow[k] + kColumn[k]);
        Component& c = all[fmt::format("chip   {}{}", kRow[k], kColumn[k])];
        Component& d = all[fmt::format("column {}{}", kRow[k], kColumn[k])];
        c.add(t.chip_interval[k], chip[at]);
        d.add(t.column_interval[k], column[at]);
        if (r == 0) c.bound = bound.chip[k], d.bound = bound.column[k];
      }
      for (std::size_t w = 0; w < s.truth.levels; ++w) {
        Component& c = all[fmt::format("s^2({})", w)];
        c.add(t.cell_interval[w], s.truth.cell[w] * s.truth.cell[w]);
        if (r == 0) c.bound = bound.cell[w];
        if (s.truth.differential && w == 0) continue;
        Component& g = all[fmt::format("g({})", w)];
        g.add(t.record.level[w], s.truth.level[w]);
        if (r == 0) g.bound = bound.level[w];
      }
      const double sigma = s.truth.read_sigma(0, 0);
      Component& d = all["sigma_D"];
      d.add(t.record.read_sigma, sigma);
      // Var σ̂ = σ²/(2 ν) with ν = operands (reads − 1).
      if (size.reads > 1) d.bound = sigma / std::sqrt(2.0 * static_cast<double>(o.size() * (size.reads - 1)));
    }
  }
  return all;
}

int report(const std::map<std::string, Component>& all, bool judged) {
  int bad = 0;
  fmt::print("  component   truth       bias        coverage   width/bound   rmse/bound\n");
  for (const auto& [name, c] : all) {
    const double coverage = static_cast<double>(c.covered) / static_cast<double>(c.count);
    const double bound = 2 * 1.96 * c.bound, width = quantile(c.width, 0.5);
    const bool missed = judged && (coverage < 0.91 || coverage > 0.985 || (c.bound > 0 && width > 1.3 * bound));
    bad += missed;
    fmt::print("  {:<10} {:>9.5f}  {:>9.5f} {:>12.4f} {:>12.3f} {:>12.3f}{}\n", name, mean(c.truth), mean(c.error),
               coverage, c.bound > 0 ? width / bound : 0.0, c.bound > 0 ? root_mean_square(c.error) / c.bound : 0.0,
               missed ? "  <--" : "");
  }
  return bad;
}

}  // namespace

int main(int argc, char** argv) {
  int repetitions = 400;
  std::string only;
  testing::SyntheticSize size{.reads = 4};
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string key = argv[i];
    const auto number = static_cast<std::size_t>(std::atoi(argv[i + 1]));
    if (key == "--repetitions") repetitions = static_cast<int>(number);
    if (key == "--scenario") only = argv[i + 1];
    if (key == "--chips") size.chips = number;
    if (key == "--columns") size.columns = number;
    if (key == "--operands") size.operands = number;
    if (key == "--reads") size.reads = number;
  }
  int bad = 0;
  for (const auto& s : scenarios()) {
    if (!only.empty() && s.name != only) continue;
    const auto start = std::chrono::steady_clock::now();
    const auto all = run(s, size, repetitions);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    fmt::print("{}: {} repetitions of {} chips x {} columns x {} operands x {} reads, {:.2f} s each on {} threads\n",
               s.name, repetitions, size.chips, size.columns, size.operands, size.reads, seconds / repetitions,
               omp_get_max_threads());
    bad += report(all, true);
  }
  fmt::print("{} components outside\n", bad);
  return bad == 0 ? 0 : 1;
}
