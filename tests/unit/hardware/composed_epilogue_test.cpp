#include "training/hardware/composed_epilogue.h"

#include <gtest/gtest.h>

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

TEST(ComposedEpilogue, NoiseOfEveryVectorWidthHasTheBitsOfThePlainLoop) {
  const auto variance = uniform(103, 0, 4, 1), normal = uniform(103, -3, 3, 2);
  auto expected = uniform(103, -9, 9, 3);
  const auto before = expected;
  add_noise_reference(variance, normal, expected);
  errata::testing::for_each_vector_target([&] {
    auto got = before;
    add_noise(variance, normal, got);
    EXPECT_EQ(got, expected);
  });
}

}  // namespace
}  // namespace errata::training
