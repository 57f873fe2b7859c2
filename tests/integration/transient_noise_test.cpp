// errata's formulas for the noise of a read against many transients of ngspice with TRNOISE sources of the same density
// (methods.md §3.3). The seed of ngspice's noise cannot be chosen, so every run draws anew: each assertion states how
// often it fails although all is well. The long version is tests/bench/noise_bench.cpp.
#include <gtest/gtest.h>

#include "tests/support/noise_columns.h"
#include "tests/support/statistical.h"

namespace errata {
namespace {

using testing::TemporaryFolder;

constexpr double kFalseAlarm = 1e-6;

TEST(TransientNoise, OfAClampedColumnHasTheVarianceOfItsSpectrum) {
  const TemporaryFolder folder;
  const auto trial = testing::clamped_trial(testing::clamped_column(folder.path()), folder / "artifacts", 1500, 20);
  EXPECT_TRUE(testing::agrees(trial.ratio(), 1.0, trial.standard_error(), kFalseAlarm));
}

TEST(TransientNoise, OfADischargeFollowsTheLine) {
  const TemporaryFolder folder;
  const auto trial =
      testing::discharge_trial(testing::read_stack_column(folder.path(), "4 fF"), folder / "artifacts", 1500, 25);
  EXPECT_TRUE(testing::agrees(trial.ratio(), 1.0, trial.standard_error(), kFalseAlarm));
  // The test would notice if the line forgot nothing and its cells stayed saturated.
  EXPECT_FALSE(testing::agrees(trial.measured / trial.undamped, 1.0, trial.standard_error(), kFalseAlarm));
}

}  // namespace
}  // namespace errata
