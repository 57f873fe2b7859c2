#include "core/sobol.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/random_stream.h"

namespace errata {
namespace {

TEST(SobolSequence, StratifiesEveryCoordinate) {
  const SobolSequence s(SobolSequence::kMostDimensions, 1, 2);
  constexpr std::size_t kPoints = 64;
  for (std::size_t d = 0; d < SobolSequence::kMostDimensions; ++d) {
    std::vector<int> hits(kPoints, 0);
    for (std::uint32_t i = 0; i < kPoints; ++i) ++hits[static_cast<std::size_t>(s.point(i)[d] * kPoints)];
    EXPECT_EQ(std::ranges::count(hits, 1), static_cast<std::ptrdiff_t>(kPoints)) << d;
  }
}

TEST(SobolSequence, TheFirstTwoCoordinatesFillEveryDyadicBox) {
  const SobolSequence s(2, 7, 0);  // a (0, m, 2)-net: one point in each box of area 1/64, whatever its shape
  for (int across = 0; across <= 6; ++across) {
    std::vector<int> hits(64, 0);
    for (std::uint32_t i = 0; i < 64; ++i) {
      const auto x = s.point(i);
      const auto a = static_cast<int>(std::ldexp(x[0], across)), b = static_cast<int>(std::ldexp(x[1], 6 - across));
      ++hits[static_cast<std::size_t>((a << (6 - across)) + b)];
    }
    EXPECT_EQ(std::ranges::count(hits, 1), 64) << across;
  }
}

TEST(SobolSequence, IntegratesBetterThanChance) {
  // ∏ (1 + (x_d − ½)) over 10 dimensions has integral 1 and, by chance, a standard error of √((1 + 1/12)^10 − 1) / √n.
  constexpr std::size_t kDimensions = 10, kPoints = 4096;
  const SobolSequence s(kDimensions, 3, 1);
  double sum = 0.0;
  for (std::uint32_t i = 0; i < kPoints; ++i) {
    double product = 1.0;
    for (const double x : s.point(i)) product *= 0.5 + x;
    sum += product;
  }
  const double chance = std::sqrt((std::pow(13.0 / 12.0, 10) - 1) / kPoints);
  EXPECT_LT(std::fabs(sum / kPoints - 1), 0.2 * chance);
}

TEST(SobolSequence, DependsOnSeedAndStreamAndNeverReachesTheEnds) {
  EXPECT_NE(SobolSequence(3, 1, 1).point(5), SobolSequence(3, 2, 1).point(5));
  EXPECT_NE(SobolSequence(3, 1, 1).point(5), SobolSequence(3, 1, 2).point(5));
  const SobolSequence many(30, 1, 1);
  for (std::uint32_t i = 0; i < 300; ++i)
    for (const double x : many.point(i)) {
      EXPECT_GT(x, 0.0);
      EXPECT_LT(x, 1.0);
    }
}

}  // namespace
}  // namespace errata
