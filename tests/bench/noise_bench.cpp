// errata's variance of a read against many transients of ngspice with TRNOISE sources, longer than the test does:
//   scripts/build bench && build/bench/tests/errata_noise_bench [reads]
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

#include "tests/support/noise_columns.h"

namespace errata {
namespace {

void show(const char* what, const testing::NoiseTrial& t) {
  constexpr double kTwoSided = 1.96;
  fmt::print("{:<34} {:>7} reads  predicted {:.4e}  measured {:.4e}  ratio {:.4f} +- {:.4f} (95 %)", what, t.reads,
             t.predicted, t.measured, t.ratio(), kTwoSided * t.standard_error());
  if (t.undamped > 0.0) fmt::print("  undamped formula {:.2f} of it", t.undamped / t.predicted);
  fmt::print("\n");
  std::fflush(stdout);
}

void compare(std::size_t reads) {
  {
    const testing::TemporaryFolder folder;
    show("clamped, 4 rows, 500 Ohm wire",
         testing::clamped_trial(testing::clamped_column(folder.path()), folder / "a", reads, 50));
  }
  for (const char* farads : {"200 fF", "20 fF", "4 fF"}) {
    const testing::TemporaryFolder folder;
    show(fmt::format("discharge, read stack, {}", farads).c_str(),
         testing::discharge_trial(testing::read_stack_column(folder.path(), farads), folder / "a", reads / 2, 50));
  }
  {
    const testing::TemporaryFolder folder;
    show("discharge, 8T SRAM, BSIM4, 4 rows",
         testing::discharge_trial(testing::sram_column(folder.path()), folder / "a",
                                  std::max<std::size_t>(2, reads / 20), 25));
  }
}

}  // namespace
}  // namespace errata

int main(int argc, char** argv) {
  errata::compare(argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 20000);
  return 0;
}
