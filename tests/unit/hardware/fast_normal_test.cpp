#include "training/hardware/fast_normal.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/statistics.h"
#include "tests/support/statistical.h"
#include "tests/support/vector_targets.h"
#include "training/hardware/reference_kernels.h"

namespace errata::training {
namespace {

using errata::testing::agrees;

TEST(FastNormal, MomentsAndTails) {
  constexpr std::size_t kBlock = 1 << 18, kBlocks = 100;
  const double n = static_cast<double>(kBlock) * kBlocks;
  std::vector<float> v(kBlock);
  double sum = 0, square = 0, fourth = 0, beyond3 = 0, beyond4 = 0;
  for (std::size_t b = 0; b < kBlocks; ++b) {
    fill_normals({.seed = 5, .purpose = 17, .a = b, .b = 2, .c = 3}, v);
    for (const float x : v) {
      const double d = x;
      sum += d;
      square += d * d;
      fourth += d * d * d * d;
      beyond3 += std::fabs(d) > 3 ? 1 : 0;
      beyond4 += std::fabs(d) > 4 ? 1 : 0;
    }
  }
  const double p3 = 2 * normal_cdf(-3), p4 = 2 * normal_cdf(-4);
  EXPECT_TRUE(agrees(sum / n, 0, 1 / std::sqrt(n), 1e-5));
  EXPECT_TRUE(agrees(square / n, 1, std::sqrt(2 / n), 1e-5));
  EXPECT_TRUE(agrees(fourth / n, 3, std::sqrt(96 / n), 1e-5));
  EXPECT_TRUE(agrees(beyond3 / n, p3, std::sqrt(p3 / n), 1e-5));
  EXPECT_TRUE(agrees(beyond4 / n, p4, std::sqrt(p4 / n), 1e-5));
}

TEST(FastNormal, EveryPartOfTheNameMatters) {
  const NormalBlock base{1, 2, 3, 4, 5};
  std::vector<float> a(64), b(64);
  fill_normals(base, a);
  fill_normals(base, b);
  EXPECT_EQ(a, b);
  for (const NormalBlock other :
       {NormalBlock{9, 2, 3, 4, 5}, {1, 9, 3, 4, 5}, {1, 2, 9, 4, 5}, {1, 2, 3, 9, 5}, {1, 2, 3, 4, 9}}) {
    fill_normals(other, b);
    EXPECT_NE(a, b);
  }
}

TEST(FastNormal, EveryVectorWidthHasTheBitsOfThePlainLoop) {
  std::vector<float> expected(100'003), got(expected.size());
  fill_normals_reference({.seed = 7, .purpose = 6, .a = 1, .b = 2, .c = 3}, 0, expected);
  EXPECT_GT(std::ranges::max(expected), 4.0f);  // the branch of the tails was taken
  errata::testing::for_each_vector_target([&] {
    std::ranges::fill(got, 0.0f);
    fill_normals({.seed = 7, .purpose = 6, .a = 1, .b = 2, .c = 3}, got);
    EXPECT_EQ(got, expected);
  });
}

TEST(FastNormal, ShorterBlocksArePartsOfTheWhole) {
  std::vector<float> whole(200), part(37);
  fill_normals({1, 2, 3, 4, 5}, whole);
  fill_normals({1, 2, 3, 4, 5}, part);
  EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin()));
  std::vector<float> plain(part.size());
  for (const std::size_t first : {1, 63, 64, 100, 128}) {
    fill_normals_from({1, 2, 3, 4, 5}, first, part);
    EXPECT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + static_cast<std::ptrdiff_t>(first))) << first;
    fill_normals_reference({1, 2, 3, 4, 5}, first, plain);
    EXPECT_EQ(part, plain);
  }
}

}  // namespace
}  // namespace errata::training
