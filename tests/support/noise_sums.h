#pragma once

#include <gtest/gtest.h>

#include "behavioral/line/line.h"

namespace errata::testing {

/// The sums of a read, by hand: over its active rows.
inline behavioral::NoiseSums noise_sums(const behavioral::Line& line, const std::uint8_t* inputs) {
  behavioral::NoiseSums sums{};
  for (std::size_t j = 0; j < line.rows(); ++j) {
    if (inputs[j] == 0) continue;
    const auto row = line.row_noise(j, inputs[j]);
    for (std::size_t k = 0; k < sums.size(); ++k) sums[k] += row[k];
  }
  return sums;
}

/// Exact variances of many reads [reads][rows of the line] by source are those of one read at a time.
inline void expect_exact_variances_in_bulk(const behavioral::Line& line, std::span<const std::uint8_t> inputs) {
  const behavioral::PackedInputs packed(inputs, line.rows(), line.rows(), line.input_levels());
  const auto all = line.all_noise_variances(packed);
  for (std::size_t i = 0; i < packed.count(); ++i) {
    const auto expected = line.noise_variances(packed.vector(i));
    ASSERT_EQ(all.size(), expected.size() * packed.count());
    // The plain gains are those of a last Newton step within 1 uV of 0.2 V; ends of floating lines agree to 1 nV.
    for (std::size_t s = 0; s < expected.size(); ++s)
      EXPECT_NEAR(all[s * packed.count() + i], expected[s], 1.5e-5 * expected[s]) << i << ", source " << s;
  }
}

/// Variances of many reads [reads][rows of the line] at once are those of one at a time, added to what is there.
inline void expect_variances_in_bulk(const behavioral::Line& line, std::span<const std::uint8_t> inputs,
                                     std::span<const double> output) {
  const std::size_t count = output.size(), stride = count + 3;
  std::vector<float> sums(3 * stride);
  std::vector<double> variance(count, 1e-20), expected(count, 1e-20);
  for (std::size_t i = 0; i < count; ++i) {
    const auto own = noise_sums(line, inputs.data() + i * line.rows());
    for (std::size_t k = 0; k < 3; ++k) sums[k * stride + i] = static_cast<float>(own[k]);
    expected[i] += line.read_variance(output[i], {sums[i], sums[stride + i], sums[2 * stride + i]});
  }
  line.add_read_variances(output, sums, stride, variance);
  // The same formula; a spline written out in powers, and products that may be contracted.
  for (std::size_t i = 0; i < count; ++i) EXPECT_NEAR(variance[i] / expected[i], 1, 1e-9) << i;
  expect_exact_variances_in_bulk(line, inputs);
}

}  // namespace errata::testing
