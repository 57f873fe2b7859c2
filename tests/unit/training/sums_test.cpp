#include "training/layers/sums.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/unit/training/gradient_check.h"
#include "training/layers/quantizer.h"

namespace errata::training {
namespace {

std::vector<float> random_values(std::size_t count, std::uint64_t salt) {
  const Tensor t = random_tensor(1, {1, 1, count}, -2.0, 2.0, salt);
  return {t.values().begin(), t.values().end()};
}

TEST(Sums, DotIsTheSumOfProducts) {
  for (const std::size_t count : {0, 1, 7, 16, 511, 512, 513, 5000}) {
    const auto a = random_values(count, 1), b = random_values(count, 2);
    double expected = 0.0, magnitude = 0.0;
    for (std::size_t i = 0; i < count; ++i) {
      expected += static_cast<double>(a[i]) * static_cast<double>(b[i]);
      magnitude += std::fabs(static_cast<double>(a[i]) * static_cast<double>(b[i]));
    }
    // A lane adds 32 products in fp32, then the stretch goes into a double.
    EXPECT_NEAR(dot(a, b), expected, 33 * 0x1.0p-24 * magnitude) << count;
  }
}

TEST(Sums, RowsOfAnyLength) {
  for (const std::size_t columns : {1, 3, 6, 10, 63, 64, 65, 120})
    for (const std::size_t rows : {1, 11, 40}) {
      const auto matrix = random_values(rows * columns, 3), addend = random_values(columns, 4);
      auto sums = addend;
      add_row_sums(matrix, sums);
      std::vector<float> scaled(matrix.size());
      scale_and_add_rows(matrix, 0.75f, addend, scaled);
      for (std::size_t c = 0; c < columns; ++c) {
        auto expected = static_cast<double>(addend[c]);
        for (std::size_t r = 0; r < rows; ++r) {
          expected += static_cast<double>(matrix[r * columns + c]);
          ASSERT_EQ(scaled[r * columns + c], 0.75f * matrix[r * columns + c] + addend[c]);
        }
        // 41 values of at most 2 in fp32.
        ASSERT_NEAR(sums[c], expected, 41 * 82 * 0x1.0p-24) << columns << " columns, " << rows << " rows";
      }
    }
}

TEST(Sums, StraightThroughIsThePlainLoop) {
  for (const std::size_t count : {1, 8, 77}) {
    const auto values = random_values(count, 5), outer = random_values(count, 6);
    for (const auto range : {QuantizerRange::of_weights(3), QuantizerRange::of_inputs(2)}) {
      auto gradient = outer;
      const double sum = pass_straight_through(values, 0.4f, range, 1.5f, gradient);
      double expected = 0.0;
      for (std::size_t i = 0; i < count; ++i) {
        const float ratio = values[i] / 0.4f;
        const float inside = ratio > range.low && ratio < range.high ? outer[i] : 0.0f;
        expected += static_cast<double>(inside) * static_cast<double>(ratio);
        ASSERT_EQ(gradient[i], 1.5f * inside);
      }
      EXPECT_NEAR(sum, expected, 1e-12);  // doubles in another order
    }
  }
}

}  // namespace
}  // namespace errata::training
