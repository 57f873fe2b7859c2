#include "core/readout.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/random_stream.h"
#include "core/statistics.h"

namespace errata {
namespace {

TEST(AdcOptions, CoverTheirRange) {
  const AdcOptions bipolar{.bits = 3, .range = 8};
  EXPECT_EQ(bipolar.step(), 2.0);
  EXPECT_EQ(bipolar.lowest_code(), -4);
  EXPECT_EQ(bipolar.highest_code(), 3);
  const AdcOptions unipolar{.bits = 3, .range = 8, .bipolar = false};
  EXPECT_EQ(unipolar.step(), 1.0);
  EXPECT_EQ(unipolar.lowest_code(), 0);
  EXPECT_EQ(unipolar.highest_code(), 7);
  EXPECT_EQ(adc_code(unipolar, -3.0), 0);
  EXPECT_EQ(adc_code(unipolar, 3.4), 3);
  EXPECT_EQ(adc_code(unipolar, 100.0), 7);
}

class EveryKind : public ::testing::TestWithParam<AdcKind> {};

TEST_P(EveryKind, WithoutErrorsIsTheIdealAdc) {
  for (const bool bipolar : {true, false}) {
    const AdcOptions adc{.bits = 5, .range = 12, .bipolar = bipolar, .kind = GetParam()};
    const auto t = adc_transitions(adc, 1, 2, 3);
    RandomStream stream(4, StreamPurpose::kTest);
    for (int k = 0; k < 2000; ++k) {
      const double value = 40 * stream.uniform() - 20;
      EXPECT_EQ(adc_code(adc, t, value), adc_code(adc, value)) << value;
    }
  }
}

TEST_P(EveryKind, IsMonotoneHasAllItsTransitionsAndIsItsOwn) {
  const AdcOptions adc{.bits = 6, .kind = GetParam(), .offset_sigma = 0.5, .gain_sigma = 0.02, .element_sigma = 0.4};
  const auto t = adc_transitions(adc, 1, 2, 3);
  ASSERT_EQ(t.size(), 63u);
  EXPECT_TRUE(std::ranges::is_sorted(t));
  EXPECT_EQ(t, adc_transitions(adc, 1, 2, 3));
  EXPECT_NE(t, adc_transitions(adc, 1, 2, 4));
  EXPECT_NE(t, adc_transitions(adc, 1, 3, 3));
  EXPECT_NE(t, adc_transitions(adc, 2, 2, 3));
}

INSTANTIATE_TEST_SUITE_P(All, EveryKind, ::testing::Values(AdcKind::kSar, AdcKind::kFlash, AdcKind::kRamp));

/// Standard deviation over ADCs of a quantity of their transitions; 4000 ADCs know it to 1.1 %, five standard errors
/// are 5.6 % (false alarm 6e-7 for each).
template <class Quantity>
double spread(const AdcOptions& adc, Quantity quantity) {
  std::vector<double> all;
  for (std::uint64_t n = 0; n < 4000; ++n) all.push_back(quantity(adc_transitions(adc, 9, 0, n)));
  return standard_deviation(all);
}

TEST(AdcTransitions, OffsetAndGainHaveTheirSpread) {
  const AdcOptions offset{.bits = 4, .offset_sigma = 0.3};
  EXPECT_NEAR(spread(offset, [](const auto& t) { return t[3]; }), 0.3, 0.056 * 0.3);
  const AdcOptions gain{.bits = 4, .gain_sigma = 0.05};
  EXPECT_NEAR(spread(gain, [](const auto& t) { return t[14] - t[0]; }), 0.05 * 14, 0.056 * 0.05 * 14);
}

TEST(AdcTransitions, ASarErrsMostWhereItsTopBitChanges) {
  // Top bit of 2^(b−1) units against all lower ones of 2^(b−1) − 1 units: σ_DNL = σ·√(2^b − 1).
  const AdcOptions adc{.bits = 8, .element_sigma = 0.01};
  const auto step = [](std::size_t k) { return [k](const auto& t) { return t[k] - t[k - 1]; }; };
  const double expected = 0.01 * std::sqrt(255.0);
  EXPECT_NEAR(spread(adc, step(127)), expected, 0.056 * expected);
  EXPECT_NEAR(spread(adc, step(1)), 0.01 * std::sqrt(1.0 + 2.0), 0.056 * 0.01 * std::sqrt(3.0));
}

TEST(AdcTransitions, ASarSkipsCodesItsSearchCannotReach) {
  // A top bit too light by 3 steps: the search that has kept it can only say codes from the middle on.
  const AdcOptions adc{.bits = 6, .element_sigma = 0.6};
  bool skipped = false;
  for (std::uint64_t n = 0; n < 200 && !skipped; ++n) {
    const auto t = adc_transitions(adc, 1, 0, n);
    skipped = std::ranges::adjacent_find(t) != t.end();
  }
  EXPECT_TRUE(skipped);
}

TEST(AdcTransitions, FlashAndRampErrAsTheySay) {
  const AdcOptions flash{.bits = 4, .kind = AdcKind::kFlash, .element_sigma = 0.05};
  EXPECT_NEAR(spread(flash, [](const auto& t) { return t[7]; }), 0.05, 0.056 * 0.05);
  const AdcOptions ramp{.bits = 6, .kind = AdcKind::kRamp, .element_sigma = 0.5};
  const auto middle = [&](const auto& t) { return integral_nonlinearity(ramp, t)[31]; };
  const double bow = 0.5 * (1.0 - 4.0 * (1.0 / 64) * (63.0 / 64));  // the end points lie on the bow, too
  EXPECT_NEAR(spread(ramp, middle), bow, 0.056 * bow);
}

TEST(CalibratedRange, ClipsNoMoreThanAsked) {
  std::vector<double> values;
  for (int k = 1; k <= 1000; ++k) values.push_back(k % 2 == 0 ? 0.1 * k : -0.1 * k);
  EXPECT_EQ(calibrated_range(values, 0.0), 100.0);
  EXPECT_EQ(calibrated_range(values, 0.1), 90.0);
  EXPECT_EQ(calibrated_range({}, 0.1), 1.0);
}

TEST(InputDigit, PutTogetherGiveTheCode) {
  for (const int dac_bits : {1, 2, 3, 4})
    for (std::uint32_t code = 0; code < 64; ++code) {
      std::uint32_t sum = 0;
      for (int d = 0; d < input_digits(6, dac_bits); ++d) sum += input_digit(code, dac_bits, d) << (d * dac_bits);
      EXPECT_EQ(sum, code);
    }
}

}  // namespace
}  // namespace errata
