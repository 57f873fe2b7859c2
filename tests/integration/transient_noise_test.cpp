// errata's formulas for the noise of a read against many transients of ngspice with TRNOISE sources of the same density
// (methods.md §3.3). The seed of ngspice's noise cannot be chosen, so every run draws anew: each assertion states how
// often it fails although all is well. The long version is tests/bench/noise_bench.cpp.
#include "tests/support/transient_noise.h"

#include <gtest/gtest.h>

#include "tests/support/example_project.h"
#include "tests/support/statistical.h"
#include "tests/support/transient_project.h"

namespace errata {
namespace {

using testing::TemporaryFolder;

/// Two stacked transistors without capacitances, the lower one opened by the stored level: saturated while the line is
/// high, a resistor once it has fallen.
constexpr const char* kReadStack =
    "* read stack\n.model nm nmos level=1 vto=0.4 kp=300u lambda=0.05\n.subckt cell bl wl w\nm1 bl wl mid 0 nm w=1u "
    "l=1u\n"
    "m2 mid w 0 0 nm w=1u l=1u\n.ends\n";

Settings read_stack(const TemporaryFolder& folder, const std::string& farads) {
  return testing::write_project(
      folder.path(), testing::kDischargeProject, kReadStack,
      testing::small_campaign(
          {{"circuit.design.columns", "1"}, {"circuit.mismatch", "[]"}, {"array.bit_line_capacitance", farads}}));
}

constexpr double kFalseAlarm = 1e-6;

TEST(TransientNoise, OfAClampedColumnHasTheVarianceOfItsSpectrum) {
  const TemporaryFolder folder;
  const Settings s = testing::write_project(folder.path(), testing::kExampleProject, testing::kTransistorCell,
                                            testing::small_campaign({{"circuit.design.columns", "1"},
                                                                     {"circuit.mismatch", "[]"},
                                                                     {"array.wire_resistance", "500 Ohm"},
                                                                     {"array.clamp_resistance", "5 kOhm"}}));
  const auto trial = testing::clamped_trial(s, folder / "artifacts", 1500, 20);
  EXPECT_TRUE(testing::agrees(trial.ratio(), 1.0, trial.standard_error(), kFalseAlarm));
}

TEST(TransientNoise, OfADischargeFollowsTheLine) {
  const TemporaryFolder folder;
  const auto trial = testing::discharge_trial(read_stack(folder, "20 fF"), folder / "artifacts", 1500, 25);
  EXPECT_TRUE(testing::agrees(trial.ratio(), 1.0, trial.standard_error(), kFalseAlarm));
  // The test would notice if the line forgot nothing and its cells stayed saturated.
  EXPECT_FALSE(testing::agrees(trial.measured / trial.undamped, 1.0, trial.standard_error(), kFalseAlarm));
}

}  // namespace
}  // namespace errata
