#include "verification/error_distributions.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/random_stream.h"

namespace errata::verification {
namespace {

/// Errors of a chip's own offset and of reads, over y = −8 … 7; `shift` in all of them.
SampledConversions sample(std::size_t chips, double shift, std::uint64_t seed) {
  SampledConversions s;
  s.chips = chips;
  for (std::uint32_t chip = 0; chip < chips; ++chip) {
    RandomStream stream(seed, StreamPurpose::kTest, 9, 0, chip);
    const double offset = 0.5 * stream.normal();
    for (int k = 0; k < 320; ++k) {
      s.y.push_back(k % 16 - 8);
      s.error.push_back(shift + offset + stream.normal());
      s.chip.push_back(chip);
    }
  }
  return s;
}

/// Whether `agreeing` lies beyond 0.95 in how many of 10 pairs of samples: below it, above it.
struct Verdicts {
  int red = 0, green = 0;
};
Verdicts verdicts(std::size_t chips, double shift) {
  Verdicts v;
  for (std::uint64_t k = 0; k < 10; ++k) {
    const auto d = compare_distributions(sample(chips, 0.0, 2 * k), sample(2 * chips, shift, 2 * k + 1), k);
    const Interval share = d.agreeing(1.0);
    EXPECT_LE(share.low, share.high);
    v.red += share.high < 0.95;
    v.green += share.low >= 0.95;
  }
  return v;
}

TEST(ErrorDistributions, EqualOnesAgree) {
  // Red: 3 standard errors of the chips' mean, 0.1 % each, so two of 10 hardly ever. Not green: 3 floors, about 3 %
  // each; more than 2 of 10 have a chance of 0.3 %.
  const Verdicts v = verdicts(60, 0.0);
  EXPECT_LE(v.red, 1);
  EXPECT_GE(v.green, 8);
}

TEST(ErrorDistributions, ThoseFarApartDoNot) {
  // Shifted by 0.4 σ, four tolerances; the offset of 60 chips is known to 0.06 σ.
  const Verdicts v = verdicts(60, 0.45);
  EXPECT_EQ(v.green, 0);
  EXPECT_GE(v.red, 9);
}

TEST(ErrorDistributions, HalfTheToleranceIsHardlyEverRed) {
  // A distance would have to be observed 3 standard errors too large: more than one of 10 hardly ever is.
  EXPECT_LE(verdicts(120, 0.056).red, 1);
}

TEST(ErrorDistributions, MoreChipsNarrowTheShare) {
  double widest = 0.0;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const auto d = compare_distributions(sample(40, 0.0, 2 * seed), sample(80, 0.3, 2 * seed + 1), seed);
    const auto width = [&](double times) { return d.agreeing(times).high - d.agreeing(times).low; };
    widest = std::max(widest, width(1.0));
    EXPECT_LE(width(400.0), width(1.0) + 1e-9);
    EXPECT_LT(d.distance(0).low, d.distance(0).high);
  }
  EXPECT_GT(widest, 0.1);  // at least one bin of one pair is undecided
}

}  // namespace
}  // namespace errata::verification
