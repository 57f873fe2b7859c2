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
    const QuantizedMoments m = quantized_moments(adc, ideal_transitions(adc), value, sigma);
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

struct Row {
  Row(const ComposedTable& c, double offset, std::size_t adc = 0) : table(c), values(2 * c.bins) {
    c.of_column(static_cast<float>(offset), adc, values);
  }
  double at(double y, std::size_t which) const {
    const double place = (y - table.y_low) * static_cast<double>(table.bins - 1) / (table.y_high - table.y_low);
    const auto bin = static_cast<std::size_t>(place);
    const double f = place - static_cast<double>(bin);
    return (1 - f) * values[2 * bin + which] + f * values[2 * bin + 2 + which];
  }
  double shift(double y) const { return at(y, 0); }
  double variance(double y) const { return at(y, 1); }
  const ComposedTable& table;
  std::vector<float> values;
};

TEST(QuantizedMoments, OfABentAdcAgreeWithDraws) {
  const AdcOptions adc{4, 8, true, AdcKind::kFlash, 0.3, 0.02, 0.4};
  const auto transitions = adc_transitions(adc, 1, 2, 3);
  RandomStream stream(3, StreamPurpose::kTest);
  constexpr int kDraws = 200000;
  double sum = 0, square = 0;
  for (int k = 0; k < kDraws; ++k) {
    const double q = adc.step() * adc_code(adc, transitions, 1.3 + 0.9 * stream.normal());
    sum += q;
    square += q * q;
  }
  const double mean = sum / kDraws, variance = square / kDraws - mean * mean;
  const QuantizedMoments m = quantized_moments(adc, transitions, 1.3, 0.9);
  EXPECT_TRUE(agrees(mean, m.mean, std::sqrt(m.variance / kDraws), 1e-5));
  EXPECT_NEAR(m.variance, variance, 0.02 * variance);  // 200,000 draws: 0.5 % or less
}

TEST(Compose, WithoutErrorsAndWithAFineAdcNothingHappens) {
  auto table = ideal_table(errata::testing::synthetic_table());
  const ComposedTable c = compose(table, operands(2000), {{14, 512}});
  EXPECT_EQ(c.pass, 1.0f);  // nothing deviates: any share will do
  for (const float shift : c.shift) EXPECT_NEAR(shift, 0.0f, 1e-4f);
  for (const float variance : c.variance) EXPECT_NEAR(variance, 0.0f, 1e-4f);  // half a step of 1/16 in no bin
}

TEST(Compose, OffsetsBelowHalfAStepVanishWithoutNoise) {
  // The ADC rounds each plane after the offset, so 0.3 of a step does not add as 15 · 0.3 (methods.md §4.3).
  const auto table = ideal_table(errata::testing::synthetic_table());
  const ComposedTable c = compose(table, operands(4000), {table.adc, 0.5});
  EXPECT_NEAR(Row(c, 0.0).shift(0), 0.0, 1e-4);
  EXPECT_NEAR(Row(c, 0.3).shift(0), 0.0, 1e-4);
  EXPECT_NEAR(Row(c, 0.7).shift(0), 15.0, 0.2);
  EXPECT_NEAR(Row(c, 1.0).shift(0), 15.0, 0.2);
}

/// Operands whose planes deviate together, as static errors of cells make them.
std::vector<PlaneOperand> deviating(double sigma) {
  auto all = operands(6000);
  RandomStream stream(6, StreamPurpose::kTest);
  for (auto& o : all)
    for (int b = 0; b < 4; ++b) o.error.push_back(static_cast<float>(sigma * stream.normal()));
  return all;
}

TEST(Compose, RoundingSwallowsSmallDeviationsAndPassesLargeOnes) {
  auto table = ideal_table(errata::testing::synthetic_table());
  const AdcOptions adc{6, 32};  // step 1: integers lie in the middle of their codes
  const ComposedTable swallowed = compose(table, deviating(0.1), {adc});
  EXPECT_NEAR(swallowed.pass, 0.0, 1e-3);
  EXPECT_NEAR(Row(swallowed, 0.0).variance(0), 0.0, 1e-3);
  EXPECT_NEAR(compose(table, deviating(2.0), {adc}).pass, 1.0, 0.05);  // slope of the mean of a rounded wide spread
  table.dynamic_sigma.assign(table.dynamic_sigma.size(), 0.5);         // noise of half a step: no rounding is left
  EXPECT_NEAR(compose(table, deviating(0.1), {adc}).pass, 1.0, 0.1);
}

TEST(Compose, BentAdcsHaveTheirOwnRows) {
  const auto table = ideal_table(errata::testing::synthetic_table());
  AdcOptions adc{6, 32};
  auto late = ideal_transitions(adc), early = late;
  for (double& t : late) t += 0.6;
  for (double& t : early) t -= 0.6;
  const ComposedTable c = compose(table, operands(4000), {adc, 0.5, {late, early}});
  EXPECT_NEAR(Row(c, 0.0, 0).shift(0), -15.0, 0.2);
  EXPECT_NEAR(Row(c, 0.0, 1).shift(0), 15.0, 0.2);
  EXPECT_NEAR(Row(c, 0.6, 0).shift(0), 0.0, 0.2);  // an offset of a column and one of its ADC are the same thing
}

TEST(Compose, NoiseOfTheAdcIsNoise) {
  const auto table = ideal_table(errata::testing::synthetic_table());
  auto noisy = table;
  noisy.dynamic_sigma.assign(noisy.dynamic_sigma.size(), 0.7);
  AdcOptions adc{6, 32};
  const ComposedTable by_table = compose(noisy, operands(2000), {adc});
  adc.noise_sigma = 0.7;  // in steps of 1 MAC unit
  EXPECT_EQ(compose(table, operands(2000), {adc}).variance, by_table.variance);
}

TEST(Compose, MatchesDirectDrawsOfEveryPlane) {
  const auto table = errata::testing::synthetic_table();
  for (const double step : {1.0, 3.0}) {
    AdcOptions adc{6, 32 * step};
    auto all = operands(8000);
    RandomStream stream(5, StreamPurpose::kTest);
    for (auto& o : all)
      for (int b = 0; b < 4; ++b) o.error.push_back(static_cast<float>(0.4 * stream.normal()));
    const double offset = 0.7;
    const ComposedTable c = compose(table, all, {adc, offset});
    const Row row(c, offset);
    std::vector<double> direct, composed;
    for (const auto& o : all) {
      double sum = 0, error = 0, total = 0, weight = 1;
      for (int b = 0; b < 4; ++b, weight *= 2) {
        const double y = o.y[b] + o.error[b] + offset;
        sum += weight * o.y[b];
        error += weight * o.error[b];
        total += weight * step *
                 adc_code(adc, y + table.mean_shift(y, o.a[b]) + table.read_sigma(y, o.a[b]) * stream.normal());
      }
      const double y = sum + c.pass * error;
      direct.push_back(total - sum);
      composed.push_back(c.pass * error + row.shift(y) + std::sqrt(row.variance(y)) * stream.normal());
    }
    // methods.md §4.3: Wasserstein-1 within 0.1 ADC step of the plane; a partial sum spans 15 of them.
    EXPECT_LT(wasserstein1(direct, composed) / 15.0, 0.1 * step) << step;
    EXPECT_NEAR(mean(direct), mean(composed), 0.3 * step);
    EXPECT_NEAR(standard_deviation(composed) / standard_deviation(direct), 1.0, 0.05);
  }
}

}  // namespace
}  // namespace errata::training
