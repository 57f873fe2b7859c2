#include "verification/verdict.h"

#include <gtest/gtest.h>

#include "core/random_stream.h"
#include "tests/support/temporary_folder.h"
#include "verification/simultaneous.h"

namespace errata::verification {
namespace {

TEST(Judge, WholeIntervalDecides) {
  EXPECT_EQ(judge({0.0, -0.1, 0.1}, -0.5, 0.5), Color::kGreen);
  EXPECT_EQ(judge({0.4, 0.3, 0.6}, -0.5, 0.5), Color::kInconclusive);
  EXPECT_EQ(judge({0.7, 0.6, 0.8}, -0.5, 0.5), Color::kRed);
  EXPECT_EQ(judge({0.0, -9, 9}, -0.5, 0.5), Color::kInconclusive);  // absence of evidence is not equivalence
}

TEST(Overall, WorstDecides) {
  Check green, red, open;
  green.color = Color::kGreen;
  red.color = Color::kRed;
  open.color = Color::kInconclusive;
  EXPECT_EQ(overall({green, green}), Color::kGreen);
  EXPECT_EQ(overall({green, open}), Color::kInconclusive);
  EXPECT_EQ(overall({green, open, red}), Color::kRed);
}

TEST(Simultaneous, IntervalsHoldTogether) {
  // Twelve equal pairs: all intervals must hold at once in 95 % of experiments. 300 experiments know a coverage of
  // 0.95 to 0.0126; the bound below is four of them (and the bootstrap of 20 chips undercovers slightly).
  int together = 0;
  constexpr int kExperiments = 300;
  for (int e = 0; e < kExperiments; ++e) {
    RandomStream stream(9, StreamPurpose::kTest, static_cast<std::uint64_t>(e));
    std::vector<TwoSample> samples(12);
    for (auto& s : samples) {
      for (int k = 0; k < 20; ++k) s.a.push_back(1.0 + stream.normal());
      for (int k = 0; k < 40; ++k) s.b.push_back(1.0 + stream.normal());
    }
    bool all = true;
    for (const auto& i : simultaneous_differences(samples, 0.95, 300, static_cast<std::uint64_t>(e)))
      all = all && i.contains(0.0);
    together += all ? 1 : 0;
  }
  EXPECT_GT(together / double{kExperiments}, 0.95 - 4 * 0.0126);
}

TEST(Verification, SurvivesItsFile) {
  const testing::TemporaryFolder folder;
  Verification v;
  v.provenance.format = Verification::kFormat;
  v.checks.push_back({3, "a name", {1, 0.5, 1.5}, 0, 2, "points", Color::kInconclusive, "do this"});
  v.accuracy.push_back({"ideal", "table", 500, {90, 91}, {90.5, 89, 92}, 0.7, 90.1});
  v.layers.push_back({0, {0.5, 0.4, 0.6}, {0.5, 0.4, 0.6}, {1, 0.9, 1.1}, {1, 0.9, 1.1}, 0.01, 0.02, 0.03});
  v.bins.push_back({-1, 1, 0.5, 0.1, 0.2, 0.3, 0.4, 0.05, 0.06});
  v.save(folder / "v.h5");
  const Verification u = Verification::load(folder / "v.h5");
  EXPECT_EQ(u.checks[0].name, "a name");
  EXPECT_EQ(u.checks[0].color, Color::kInconclusive);
  EXPECT_EQ(u.checks[0].value.high, 1.5);
  EXPECT_EQ(u.accuracy[0].accuracy, v.accuracy[0].accuracy);
  EXPECT_EQ(u.layers[0].out_of_support, 0.03);
  EXPECT_EQ(u.bins[0].allowed, 0.06);
  EXPECT_NE(u.find("ideal", "table"), nullptr);
  EXPECT_EQ(u.find("ideal", "nowhere"), nullptr);
}

}  // namespace
}  // namespace errata::verification
