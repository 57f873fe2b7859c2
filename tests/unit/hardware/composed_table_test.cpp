#include "training/hardware/composed_table.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/random_stream.h"
#include "core/statistics.h"
#include "tests/support/statistical.h"
#include "tests/support/synthetic_table.h"
#include "training/hardware/table_conversion.h"

namespace errata::training {
namespace {

using errata::testing::agrees;

TEST(QuantizedMoments, AgreeWithDraws) {
  const AdcOptions adc{4, 8};
  RandomStream stream(3, StreamPurpose::kTest);
  for (const auto& [value, sigma] : {std::pair{0.3, 0.4}, {-7.9, 1.0}, {6.6, 2.0}, {2.5, 0.1}}) {
    constexpr int kDraws = 200000;
    double sum = 0, square = 0;
    for (int k = 0; k < kDraws; ++k) {
      const double q = adc.step() * adc_code(adc, value + sigma * stream.normal());
      sum += q;
      square += q * q;
    }
    const double mean = sum / kDraws, variance = square / kDraws - mean * mean;
    const QuantizedMoments m = quantized_moments(adc, value, sigma);
    EXPECT_TRUE(agrees(mean, m.mean, std::sqrt(m.variance / kDraws) + 1e-9, 1e-5));
    EXPECT_NEAR(m.variance, variance, 0.02 * variance + 1e-6);  // 200,000 draws: 0.5 % or less
  }
}

std::vector<PlaneOperand> operands(std::size_t count) {
  RandomStream stream(4, StreamPurpose::kTest);
  std::vector<PlaneOperand> all;
  for (std::size_t i = 0; i < count; ++i) {
    PlaneOperand o;
    for (int b = 0; b < 4; ++b) {
      o.y.push_back(static_cast<float>(std::lround(6 * stream.normal())));
      o.a.push_back(static_cast<float>(40 + 15 * stream.uniform()));
    }
    all.push_back(o);
  }
  return all;
}

TEST(Compose, WithoutErrorsAndWithAFineAdcNothingHappens) {
  auto table = ideal_table(errata::testing::synthetic_table());
  table.adc = {14, 512};
  const ComposedTable c = compose(table, operands(2000), 0.0);
  for (const float shift : c.shift) EXPECT_NEAR(shift, 0.0f, 1e-4f);
  for (const float sigma : c.sigma) EXPECT_NEAR(sigma, 0.0f, 1e-2f);  // half a step of 1/16 in no bin
}

TEST(Compose, OffsetsBelowHalfAStepVanishWithoutNoise) {
  // The ADC rounds each plane after the offset, so 0.3 of a step does not add as 15 · 0.3 (methods.md §4.3).
  const auto table = ideal_table(errata::testing::synthetic_table());
  const ComposedTable c = compose(table, operands(4000), 2.0);
  std::vector<float> shift(c.bins), sigma(c.bins);
  c.of_column(0.0f, shift, sigma);
  EXPECT_NEAR(shift[c.bins / 2], 0.0f, 1e-4f);
  c.of_column(1.0f, shift, sigma);
  EXPECT_NEAR(shift[c.bins / 2], 15.0f, 0.2f);
}

TEST(Compose, MatchesDirectDrawsOfEveryPlane) {
  const auto table = errata::testing::synthetic_table();
  const auto all = operands(20000);
  const double offset = 0.7;
  const ComposedTable c = compose(table, all, offset);
  std::vector<float> shift(c.bins), sigma(c.bins);
  c.of_column(static_cast<float>(offset), shift, sigma);
  RandomStream stream(5, StreamPurpose::kTest);
  std::vector<double> direct, composed;
  const double per_bin = (c.bins - 1) / (c.y_high - c.y_low);
  for (const auto& o : all) {
    double sum = 0, total = 0, weight = 1;
    for (int b = 0; b < 4; ++b, weight *= 2) {
      const double y = o.y[b] + offset;
      sum += weight * o.y[b];
      total += weight * table.adc.step() *
               adc_code(table.adc, y + table.mean_shift(y, o.a[b]) + table.read_sigma(y, o.a[b]) * stream.normal());
    }
    const double at = (sum - c.y_low) * per_bin;
    const auto bin = static_cast<std::size_t>(at);
    const double f = at - static_cast<double>(bin);
    direct.push_back(total - sum);
    composed.push_back(shift[bin] + f * (shift[bin + 1] - shift[bin]) +
                       (sigma[bin] + f * (sigma[bin + 1] - sigma[bin])) * stream.normal());
  }
  // methods.md §4.3: Wasserstein-1 within 0.1 ADC step of the plane; a partial sum spans 15 of them.
  EXPECT_LT(wasserstein1(direct, composed) / 15.0, 0.1 * table.adc.step());
  EXPECT_NEAR(mean(direct), mean(composed), 0.3);
}

}  // namespace
}  // namespace errata::training
