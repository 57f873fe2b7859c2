#include "core/random_stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>
#include <vector>

#include "tests/support/statistical.h"

namespace errata {
namespace {

using Words = std::array<std::uint64_t, 4>;

// numpy.random.Philox(key=k, counter=c).random_raw(8), NumPy 1.24.2. NumPy increments the counter before its first
// block, so its words are the blocks of c + 1 and c + 2 (with carry).
TEST(Philox, EqualsNumPy) {
  EXPECT_EQ(philox_block({1, 0, 0, 0}, {0, 0}),
            (Words{0x02f4ba6408e4d89b, 0x3dd62b0b9ca8c5b2, 0x1c8667a55d902e79, 0x907d7a052fd5b4dc}));
  EXPECT_EQ(philox_block({2, 0, 0, 0}, {0, 0}),
            (Words{0x809bf322883987c3, 0x471128b9e807f7dd, 0xf250ba0dbec065b7, 0xfc6ed66767a457bc}));
  EXPECT_EQ(philox_block({6, 7, 9, 11}, {1, 1}),
            (Words{0x8f29d83a6dfe3d99, 0x1bb3c5b6a91aafd2, 0x600693ac34b6caa9, 0xc49892231d73a11b}));
  EXPECT_EQ(philox_block({~0ULL, 3, 1ULL << 63, 1}, {0x0123456789abcdef, 0xfedcba9876543210}),
            (Words{0x9c2377adc5992b5d, 0x63f6f02fc6a9066f, 0x05ce5896c5d35e0c, 0x597872ad034431bc}));
  EXPECT_EQ(philox_block({0, 4, 1ULL << 63, 1}, {0x0123456789abcdef, 0xfedcba9876543210}),
            (Words{0x986a3c658962a4e1, 0x5787008cde1fbbf8, 0xdee235860e7b388d, 0x5253d706ba0539d0}));
}

TEST(RandomStream, GivesItsWordsInOrderHoweverTheyAreTaken) {
  RandomStream stream(42, StreamPurpose::kTest, 1, 2, 3);
  std::uint64_t at = 0;
  const auto expect = [&](std::uint64_t word) {
    EXPECT_EQ(word, philox_block({at / 4, 1, 2, 3}, {42, 17})[at % 4]) << at;
    ++at;
  };
  for (int round = 0; round < 40; ++round) {
    for (int k = 0; k < round % 7; ++k) expect(stream.bits());
    const auto ready = stream.ready();
    ASSERT_FALSE(ready.empty());
    const std::size_t some = std::min<std::size_t>(ready.size(), static_cast<std::size_t>(round % 9));
    for (std::size_t k = 0; k < some; ++k) expect(ready[k]);
    stream.take(some);
  }
}

TEST(RandomStream, LaysItsCounterOutAsDocumented) {
  // numpy.random.Philox(key=[42, 17], counter=[2**64 - 1, 0, 2, 3]): one increment makes the counter {0, 1, 2, 3}.
  RandomStream stream(42, StreamPurpose::kTest, 1, 2, 3);
  for (const std::uint64_t word : Words{0xff09bbd3710fa896, 0x5cdb5e5a0b3abfd2, 0x21d9d526f28f8ef0, 0x22ace6f7bd04018d})
    EXPECT_EQ(stream.bits(), word);
  EXPECT_EQ(stream.bits(), philox_block({1, 1, 2, 3}, {42, 17})[0]);
}

TEST(RandomStream, IsAnotherForEachName) {
  std::set<std::uint64_t> first;
  for (std::uint64_t i = 0; i < 2; ++i)
    for (std::uint64_t j = 0; j < 2; ++j)
      for (std::uint64_t k = 0; k < 2; ++k)
        for (const auto purpose : {StreamPurpose::kTest, StreamPurpose::kShuffle})
          for (const std::uint64_t seed : {1, 2}) first.insert(RandomStream(seed, purpose, i, j, k).bits());
  EXPECT_EQ(first.size(), 32u);
}

TEST(UnitInterval, ReachesNeitherEnd) {
  EXPECT_EQ(unit_interval(0), 0x1.0p-54);
  EXPECT_LT(unit_interval(~0ULL), 1.0);  // (2^53 − 1) + 0.5 is a tie that rounds up to 2^53
  EXPECT_EQ(unit_interval(~0ULL), 1.0 - 0x1.0p-53);
  EXPECT_EQ(unit_interval(1ULL << 63), 0.5);
  EXPECT_TRUE(std::isfinite(inverse_normal(unit_interval(~0ULL))));
  EXPECT_LT(inverse_normal(unit_interval(~0ULL)), 8.3);  // the 1 − 2⁻⁵³ quantile is 8.21
}

TEST(RandomStream, UniformPassesKolmogorovSmirnov) {
  constexpr std::size_t n = 100000;
  std::vector<double> u(n);
  RandomStream stream(3, StreamPurpose::kTest);
  for (double& v : u) v = stream.uniform();
  std::sort(u.begin(), u.end());
  double distance = 0;
  for (std::size_t i = 0; i < n; ++i)
    distance = std::max({distance, std::fabs(u[i] - static_cast<double>(i) / n), std::fabs(u[i] - (i + 1.0) / n)});
  // Kolmogorov's law: P(sqrt(n)·D > 2.23) = 2·exp(−2·2.23²) = 1e-4, the false-alarm probability.
  EXPECT_LT(std::sqrt(n) * distance, 2.23);
}

TEST(RandomStream, NormalHasTheMomentsOfANormal) {
  constexpr std::size_t n = 200000;
  RandomStream stream(4, StreamPurpose::kTest);
  double m1 = 0, m2 = 0, m3 = 0, m4 = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double z = stream.normal();
    m1 += z / n;
    m2 += z * z / n;
    m3 += z * z * z / n;
    m4 += z * z * z * z / n;
  }
  // Variances of z, z², z³, z⁴: 1, 2, 15, 96. False-alarm probability 1e-5 each.
  EXPECT_TRUE(testing::agrees(m1, 0, std::sqrt(1.0 / n), 1e-5));
  EXPECT_TRUE(testing::agrees(m2, 1, std::sqrt(2.0 / n), 1e-5));
  EXPECT_TRUE(testing::agrees(m3, 0, std::sqrt(15.0 / n), 1e-5));
  EXPECT_TRUE(testing::agrees(m4, 3, std::sqrt(96.0 / n), 1e-5));
}

TEST(InverseNormal, EqualsBoost) {
  const boost::math::normal normal;
  std::vector<double> probabilities = {0x1.0p-54, 1e-300, 1e-16, 1e-9,  0.0249999, 0.025, 0.075,     0.0750001,
                                       0.3,       0.5,    0.7,   0.925, 0.95,      0.999, 1 - 1e-12, 1 - 0x1.0p-53};
  RandomStream stream(5, StreamPurpose::kTest);
  for (int i = 0; i < 20000; ++i) probabilities.push_back(stream.uniform());
  // AS 241 promises about 1e-16; boost's own rounding is of that order too.
  for (const double p : probabilities) {
    const double expected = boost::math::quantile(normal, p);
    EXPECT_NEAR(inverse_normal(p), expected, 2e-15 * std::fabs(expected) + 1e-300) << p;
  }
  EXPECT_EQ(inverse_normal(0.5), 0.0);
}

TEST(InverseNormal, IsAntisymmetric) {
  for (const double p : {0.25, 0.125, 0x1.0p-10, 0x1.0p-30}) EXPECT_EQ(inverse_normal(p), -inverse_normal(1 - p));
}

TEST(PortableLog, EqualsTheLibrarys) {
  RandomStream stream(6, StreamPurpose::kTest);
  double worst = 0;
  const auto check = [&](double x) {
    const double expected = std::log(x);
    const double error = expected == 0 ? std::fabs(portable_log(x)) : std::fabs(portable_log(x) / expected - 1);
    worst = std::max(worst, error);
  };
  for (const double x : {1.0, 1.0 + 0x1.0p-52, 1.0 - 0x1.0p-53, 1.4142135623730951, 1.4142135623730949, 2.0, 0.5,
                         std::numeric_limits<double>::min(), std::numeric_limits<double>::max()})
    check(x);
  for (int i = 0; i < 100000; ++i) check(std::exp(1400 * (stream.uniform() - 0.5)));
  for (int i = 0; i < 100000; ++i) check(0.5 + stream.uniform());
  EXPECT_LT(worst, 1e-15);  // 4 units in the last place: about four roundings
}

TEST(PortableExp, EqualsTheLibrarys) {
  RandomStream stream(7, StreamPurpose::kTest);
  double worst = 0;
  const auto check = [&](double x) { worst = std::max(worst, std::fabs(portable_exp(x) / std::exp(x) - 1)); };
  for (const double x : {0.0, 1.0, -1.0, 0.34657359027997264, -0.34657359027997264, 700.0, -700.0, 1e-300}) check(x);
  for (int i = 0; i < 100000; ++i) check(1400 * (stream.uniform() - 0.5));
  for (int i = 0; i < 100000; ++i) check(stream.uniform() - 0.5);
  EXPECT_LT(worst, 1e-15);  // four roundings of the last steps
  EXPECT_EQ(portable_exp(0.0), 1.0);
  EXPECT_EQ(portable_exp(1e9), portable_exp(700.0));
}

TEST(Below, IsUniformAndInRange) {
  constexpr std::size_t kCells = 7, kDraws = 70000;
  std::array<double, kCells> count{};
  RandomStream stream(8, StreamPurpose::kTest);
  for (std::size_t i = 0; i < kDraws; ++i) {
    const auto k = stream.below(kCells);
    ASSERT_LT(k, kCells);
    ++count[k];
  }
  double chi2 = 0;
  for (const double c : count) chi2 += (c - 1e4) * (c - 1e4) / 1e4;
  EXPECT_LT(chi2, 27.9);  // 6 degrees of freedom: false-alarm probability 1e-4
  EXPECT_EQ(stream.below(1), 0u);
}

TEST(Shuffle, IsAPermutationAndUniform) {
  std::array<double, 6> count{};
  for (std::uint64_t i = 0; i < 6000; ++i) {
    RandomStream stream(9, StreamPurpose::kTest, i);
    std::vector<std::uint32_t> items = {0, 1, 2};
    stream.shuffle(items);
    ++count[items[0] * 2 + (items[1] > items[2] ? 1 : 0)];
    std::sort(items.begin(), items.end());
    ASSERT_EQ(items, (std::vector<std::uint32_t>{0, 1, 2}));
  }
  double chi2 = 0;
  for (const double c : count) chi2 += (c - 1000) * (c - 1000) / 1000;
  EXPECT_LT(chi2, 25.7);  // 5 degrees of freedom: false-alarm probability 1e-4
}

TEST(FillNormals, HasTheBitsOfTheStreamsOneByOne) {
  for (const std::size_t each : {1u, 3u, 4u, 9u}) {  // part of a Philox block, one, and several
    const StreamSeries series{.seed = 5,
                              .purpose = StreamPurpose::kTest,
                              .a = 7,
                              .b = std::uint64_t{1} << 40,
                              .c = 9,
                              .step_a = 1,
                              .step_b = 3};
    constexpr std::size_t kStreams = 2001;  // tails on both sides: 15 % of all are beyond the middle
    std::vector<double> out(kStreams * each);
    fill_normals(series, each, out);
    for (std::size_t i = 0; i < kStreams; ++i) {
      RandomStream one(series.seed, series.purpose, series.a + i, series.b + 3 * i, series.c);
      for (std::size_t k = 0; k < each; ++k) ASSERT_EQ(out[i * each + k], one.normal()) << i << " " << k;
    }
  }
  fill_normals({}, 1, {});
}

}  // namespace
}  // namespace errata
