#include "training/hardware/composed_epilogue.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/random_stream.h"
#include "tests/support/vector_targets.h"
#include "training/hardware/reference_kernels.h"

namespace errata::training {
namespace {

std::vector<float> uniform(std::size_t count, double low, double high, std::uint64_t number) {
  RandomStream stream(1, StreamPurpose::kTest, number);
  std::vector<float> values(count);
  for (float& v : values) v = static_cast<float>(low + (high - low) * stream.uniform());
  return values;
}

struct Sums {
  explicit Sums(std::size_t count)
      : value(uniform(count, -9, 9, 3)), variance(uniform(count, 0, 9, 4)), slope(uniform(count, 0, 1, 5)) {}
  std::vector<float> value, variance, slope;
  ConversionSums pointers(bool sloped) { return {value.data(), variance.data(), sloped ? slope.data() : nullptr}; }
  bool operator==(const Sums&) const = default;
};

TEST(ComposedEpilogue, EveryVectorWidthHasTheBitsOfThePlainLoop) {
  for (const std::size_t conversions : {1, 3, 6, 10, 16, 84, 121}) {
    const std::size_t reads = 29, count = reads * conversions, bins = 64;
    const auto table = uniform(2 * bins * conversions, 0, 3, 1);
    const ConversionRows rows{table.data(), conversions, bins, -50.0f, 63.0f / 100.0f, 100.0f / 63.0f};
    const auto partial = uniform(count, -60, 60, 2);  // beyond both ends too
    for (const SumStart start : {SumStart::kStart, SumStart::kAdd})
      for (const bool sloped : {false, true}) {
        Sums expected(count);
        add_conversions_reference(rows, partial.data(), {0, count}, {4.0f, 0.3f}, start, expected.pointers(sloped));
        errata::testing::for_each_vector_target([&] {
          Sums got(count);
          add_conversions(rows, partial.data(), reads, {4.0f, 0.3f}, start, got.pointers(sloped));
          EXPECT_EQ(got, expected) << conversions;
        });
      }
  }
}

TEST(ComposedEpilogue, LooksUpBetweenBins) {
  const std::vector<float> table{0, 1, 2, 5, 2, 5};  // shift 0, 2, 2; variance 1, 5, 5
  const ConversionRows rows{table.data(), 1, 3, 0.0f, 0.1f, 10.0f};
  const std::vector<float> partial{5.0f, 15.0f, 30.0f};
  Sums sums(3);
  add_conversions(rows, partial.data(), 3, {2.0f, 0.5f}, SumStart::kStart, sums.pointers(true));
  EXPECT_EQ(sums.value, (std::vector<float>{2 * (5 + 1), 2 * (15 + 2), 2 * (20 + 2)}));
  EXPECT_EQ(sums.variance, (std::vector<float>{4 * 3, 4 * 5, 4 * 5}));
  EXPECT_FLOAT_EQ(sums.slope[0], 0.5f * 1.2f);
  EXPECT_EQ(sums.slope[1], 0.5f);
  EXPECT_EQ(sums.slope[2], 0.0f);  // beyond the rows the ADC has clipped
}

const ReadWords kWords({1, 14, 65536, 16, 9}), kTails({1, 29, 65536, 16, 9});

TEST(ComposedEpilogue, NoiseOfEveryVectorWidthHasTheBitsOfThePlainLoop) {
  for (const std::size_t count : {7, 103, 2001}) {  // one value in 256 is of the tail
    const auto variance = uniform(count, 0, 4, 1), before = uniform(count, -9, 9, 3);
    auto expected = before;
    add_noise_reference(kWords, kTails, variance, expected);
    errata::testing::for_each_vector_target([&] {
      auto got = before;
      add_noise(kWords, kTails, variance, got);
      EXPECT_EQ(got, expected) << count;
    });
  }
}

/// Moments of 10⁶ values, each within 5 of its standard errors, and those beyond 3 and 4 σ: false alarms below 4e-6 in
/// all. No two neighbours and no two reads of a column hang together.
TEST(ComposedEpilogue, NoiseIsNormal) {
  constexpr std::size_t kCount = 1 << 20;
  const std::vector<float> variance(kCount, 4.0f);
  std::vector<float> value(kCount);
  add_noise(kWords, kTails, variance, value);
  double sum = 0, squares = 0, cubes = 0, fourths = 0, neighbours = 0, reads = 0, beyond3 = 0, beyond4 = 0;
  for (std::size_t i = 0; i < kCount; ++i) {
    const double e = 0.5 * static_cast<double>(value[i]);
    sum += e;
    squares += e * e;
    cubes += e * e * e;
    fourths += e * e * e * e;
    neighbours += 0.5 * e * static_cast<double>(value[i ^ 1]);
    reads += 0.5 * e * static_cast<double>(value[i ^ 32]);
    beyond3 += std::fabs(e) > 3.0 ? 1.0 : 0.0;
    beyond4 += std::fabs(e) > 4.0 ? 1.0 : 0.0;
  }
  const double n = kCount, root = std::sqrt(n);
  EXPECT_NEAR(sum / n, 0.0, 5.0 / root);
  EXPECT_NEAR(squares / n, 1.0, 5.0 * std::sqrt(2.0) / root);
  EXPECT_NEAR(cubes / n, 0.0, 5.0 * std::sqrt(15.0) / root);
  EXPECT_NEAR(fourths / n, 3.0, 5.0 * std::sqrt(96.0) / root);
  EXPECT_NEAR(neighbours / n, 0.0, 5.0 * std::sqrt(2.0) / root);  // each pair is counted twice
  EXPECT_NEAR(reads / n, 0.0, 5.0 * std::sqrt(2.0) / root);
  EXPECT_NEAR(beyond3, 0.0026998 * n, 5.0 * std::sqrt(0.0026998 * n));
  EXPECT_NEAR(beyond4, 6.3342e-5 * n, 5.5 * std::sqrt(6.3342e-5 * n));  // Poisson with 66: 5.5 to the right is 5e-7
}

}  // namespace
}  // namespace errata::training
