// How often level 2 calls a right table green and wrong ones red, over seeds: table, chips, operands and reads all new.
//
//   errata_verdict_bench [--seeds N] [--first S] [--chips N] [--columns N] [--operands N] [--check-chips N]
//                        [--threads N] [--wrong-seeds N]
//
// --wrong-seeds: wrong tables on the first N seeds only, 0 for none; then every check of the right one is printed. The
// sizes are the program's defaults, but for 32 operands a column instead of 48. Promised: the right table green in at
// least 93 of 100, each wrong one red in at least 95.

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "tests/support/synthetic_verification.h"

namespace {

using namespace errata;

struct Count {
  int green = 0, red = 0, of = 0;
  std::map<std::string, int> red_by;
  void add(const verification::LevelTwoResult& r) {
    ++of;
    const auto color = verification::overall(r.checks);
    green += color == verification::Color::kGreen;
    red += color == verification::Color::kRed;
    for (const auto& c : r.checks)
      if (c.color != verification::Color::kGreen)
        ++red_by[c.name + (c.color == verification::Color::kRed ? "" : " (inconclusive)")];
  }
};

enum class Print { kAll, kNotGreen };

/// The verdict on the right table, with every check that is not green, or with all.
void print_checks(int seed, const std::vector<verification::Check>& checks, Print which) {
  fmt::print("seed {}: {}\n", seed, verification::to_string(verification::overall(checks)));
  for (const auto& c : checks)
    if (which == Print::kAll || c.color != verification::Color::kGreen)
      fmt::print("    {:<12} {:.4f} [{:.4f}, {:.4f}] in [{}, {}]  {}\n", verification::to_string(c.color),
                 c.value.estimate, c.value.low, c.value.high, c.low, c.high, c.name);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  int seeds = 100, first = 1;
  std::size_t check_chips = 100;
  int wrong_seeds = 1'000'000;
  int threads = 2;
  RunContext context;
  testing::SyntheticSize size{.chips = 400, .columns = 12, .operands = 32};
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string key = argv[i];
    if (key == "--seeds") seeds = std::atoi(argv[i + 1]);
    if (key == "--first") first = std::atoi(argv[i + 1]);
    if (key == "--chips") size.chips = static_cast<std::size_t>(std::atoi(argv[i + 1]));
    if (key == "--columns") size.columns = static_cast<std::size_t>(std::atoi(argv[i + 1]));
    if (key == "--operands") size.operands = static_cast<std::size_t>(std::atoi(argv[i + 1]));
    if (key == "--check-chips") check_chips = static_cast<std::size_t>(std::atoi(argv[i + 1]));
    if (key == "--threads") threads = std::atoi(argv[i + 1]);
    if (key == "--wrong-seeds") wrong_seeds = std::atoi(argv[i + 1]);
  }
  const auto truth = testing::verification_truth();
  context.jobs = std::max(1, threads);
  Count right;
  std::map<std::string, Count> wrong;
  for (int s = first; s < first + seeds; ++s) {
    const auto seed = static_cast<std::uint64_t>(s);
    const auto table = testing::estimated_table(truth, size, seed);
    const auto converter = testing::converter_of(truth, seed + 100'000);  // chips that the table has not seen
    const auto reference = verification::level_two_reference(
        converter, table, testing::network_columns(truth, 24, seed), seed, check_chips, context);
    const auto result = verification::compare_table(reference, table, context);
    right.add(result);
    print_checks(s, result.checks, wrong_seeds == 0 ? Print::kAll : Print::kNotGreen);
    if (s >= first + wrong_seeds) continue;
    // What is wrong with it is no matter of its size.
    const auto y_only = testing::estimated_table(truth, {size.chips / 2, size.columns, size.operands}, seed,
                                                 errormodel::EstimateOptions::Surfaces::kMac);
    for (const auto& w : testing::wrong_tables(table, y_only))
      wrong[w.what].add(verification::compare_table(reference, w.table, context));
  }
  const auto print = [](const std::string& what, const Count& c) {
    fmt::print("{:<32} green {:>3}, red {:>3} of {}\n", what, c.green, c.red, c.of);
    for (const auto& [name, n] : c.red_by) fmt::print("      {:>3} x {}\n", n, name);
  };
  print("right table", right);
  bool kept = right.green >= 0.93 * right.of;
  for (const auto& [what, c] : wrong) {
    print(what, c);
    kept = kept && c.red >= 0.95 * c.of;
  }
  fmt::print("{}\n", kept ? "kept" : "missed");
  return kept ? 0 : 1;
}
