// The bound of methods.md §4.3: a composed product is distributed as the bit-true one, also where the ADC is coarse.
#include <gtest/gtest.h>

#include <cmath>

#include "core/statistics.h"
#include "tests/support/synthetic_table.h"
#include "tests/support/vector_targets.h"
#include "tests/unit/hardware/hook_examples.h"
#include "training/hardware/bit_true_hook.h"
#include "training/hardware/composed_hook.h"
#include "training/hardware/table_conversion.h"

namespace errata::training {
namespace {

struct Case {
  std::string name;
  SignedScheme scheme = SignedScheme::kDifferentialBeforeAdc;
  double step = 1.0;          ///< of the ADC in MAC units
  double static_sigma = 0.5;  ///< of columns, in ADC steps
  int weight_bits = 3;        ///< 4: two slices
  int dac_bits = 1;
  AdcOptions adc = {};  ///< its static errors and noise; range and bits are set from the step
  std::size_t columns_per_adc = 1;
  std::size_t chips = 40;
  bool aged = false;  ///< cells have drifted, some are stuck
};

std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

class ComposedBound : public ::testing::TestWithParam<Case> {
 protected:
  ComposedBound() {
    const Case& c = GetParam();
    const bool pair = c.scheme == SignedScheme::kDifferentialBeforeAdc;
    table_ = errata::testing::synthetic_table();
    table_.signed_scheme = kSignedSchemeNames[static_cast<std::size_t>(c.scheme)];
    table_.inputs = std::size_t{1} << c.dac_bits;
    if (!pair) table_.axes = {0, 80, 0, 64, 33, 13};
    table_.level.clear();
    table_.cell_sigma.clear();
    for (std::size_t x = 1; x < table_.inputs; ++x)
      for (const double level : {0.0, 1.02, 2.01, 2.96}) {
        table_.level.push_back(level * static_cast<double>(x));
        table_.cell_sigma.push_back(0.03 * static_cast<double>(x) * (1 + level));
      }
    if (c.aged) {
      table_.drift = {1.0, {0.02, 0.03, 0.03, 0.04}, {0.005, 0.005, 0.01, 0.01}};
      table_.elapsed_seconds = 100.0;
      table_.faults = {0.01, 0.01};
    }
    const double offset = c.static_sigma * c.step;
    table_.chip.fill(0.0);
    table_.column = {offset * offset, 0, 0, 0, 0.02, 0, 0, 0, 0.01};
    table_.basis = {1, 0, 0, 0, 1.0 / 15, 0, -0.3, 0, 1.0 / 60};
    AdcOptions adc = c.adc;
    adc.bipolar = pair;
    adc.bits = c.step > 2 ? 5 : 7;
    adc.range = c.step * std::ldexp(1.0, pair ? adc.bits - 1 : adc.bits);
    hardware_ = {64, 4, c.weight_bits, 4, adc, c.dac_bits, c.scheme, c.columns_per_adc};
    NetworkOptions options;
    options.name = "mlp";
    options.input = {8, 8, 1};
    options.hidden = {48};
    options.quantization = {c.weight_bits, 4};
    example_ = example(options, 1280 / c.chips);
  }

  std::vector<double> errors(ProductHook& hook, std::uint64_t step) {
    Comparing compare(hook, 0);
    example_.network->forward(example_.images, {.context = {.step = step}, .hook = &compare});
    return compare.difference;
  }

  errormodel::ErrorTable table_;
  HardwareOptions hardware_;
  Example example_;
};

TEST_P(ComposedBound, HoldsInDistribution) {
  const TableConversion model(table_);
  ComposedHook hook(table_, {.hardware = hardware_, .first_chip = 1'000'000});
  hook.calibrate(*example_.network, example_.images);
  std::vector<double> bit_true, composed;
  for (std::uint64_t chip = 0; chip < GetParam().chips; ++chip) {
    BitTrueHook exact(model, hardware_, 1, chip);
    const auto a = errors(exact, 0), b = errors(hook, chip);
    bit_true.insert(bit_true.end(), a.begin(), a.end());
    composed.insert(composed.end(), b.begin(), b.end());
  }
  // A partial sum spans 15 planes of one slice, 75 of two. 40 chips of 48 columns are 1920 static draws an arm: the
  // distance of two such samples from one distribution is below 0.05 σ in all but one case of 10⁴, and σ is about a
  // step. The outputs of an offset scheme share a reference, half of their variance: its 200 draws an arm move the
  // mean by 0.1 σ_reference, 0.02 of a step, and the ratio of standard deviations by 0.035.
  const double planes = 15.0 * (weight_slices(hardware_) == 1 ? 1.0 : 5.0);
  EXPECT_LT(wasserstein1(bit_true, composed) / planes, 0.1 * hardware_.adc.step());
  EXPECT_NEAR(standard_deviation(composed) / standard_deviation(bit_true), 1.0,
              GetParam().scheme == SignedScheme::kOffsetColumn ? 0.14 : 0.1);
}

/// Products of the first layer by a composed hook, its chips fixed.
class FixedChip : public ComposedBound {
 protected:
  std::vector<double> composed_on(std::uint64_t chip) {
    ComposedHook hook(table_, {.hardware = hardware_, .first_chip = chip, .schedule = ChipSchedule::kFixed});
    hook.calibrate(*example_.network, example_.images);
    return errors(hook, 7);
  }
};

TEST_P(FixedChip, IsTheChipOfBitTrueEvaluation) {
  const TableConversion model(table_);
  const auto correlation = [](const std::vector<double>& a, const std::vector<double>& b) {
    const double ma = mean(a), mb = mean(b);
    double ab = 0, aa = 0, bb = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
      ab += (a[i] - ma) * (b[i] - mb), aa += (a[i] - ma) * (a[i] - ma), bb += (b[i] - mb) * (b[i] - mb);
    return ab / std::sqrt(aa * bb);
  };
  BitTrueHook one(model, hardware_, 1, 5), other(model, hardware_, 1, 6);
  const auto composed = composed_on(5);
  EXPECT_GT(correlation(composed, errors(one, 0)), 0.5);               // read noise is fresh in both
  EXPECT_LT(std::fabs(correlation(composed, errors(other, 0))), 0.4);  // 48 columns' draws: 0.4 is 2.8 σ, seed fixed
}

AdcOptions bent(AdcKind kind, double element) {
  return {.kind = kind, .offset_sigma = 0.5, .gain_sigma = 0.02, .element_sigma = element, .noise_sigma = 0.2};
}

constexpr auto kBefore = SignedScheme::kDifferentialBeforeAdc;
INSTANTIATE_TEST_SUITE_P(
    Cases, ComposedBound,
    ::testing::Values(Case{"fine", kBefore, 1, 0.5}, Case{"fine_small_static", kBefore, 1, 0.1},
                      Case{"coarse_small_static", kBefore, 3, 0.1}, Case{"coarse", kBefore, 3, 0.5},
                      Case{"coarse_large_static", kBefore, 3, 1.0}, Case{"coarser", kBefore, 4, 0.3},
                      Case{"slices", kBefore, 1, 0.5, 4}, Case{"coarse_slices", kBefore, 3, 0.5, 4},
                      Case{"digits", kBefore, 3, 0.5, 3, 2},
                      Case{"after_adc", SignedScheme::kDifferentialAfterAdc, 1, 0.5},
                      Case{"coarse_after_adc", SignedScheme::kDifferentialAfterAdc, 3, 0.3},
                      Case{"offset_column", SignedScheme::kOffsetColumn, 3, 0.2, 3, 1, {}, 1, 200},
                      Case{"offset_column_slices", SignedScheme::kOffsetColumn, 2, 0.2, 4, 1, {}, 1, 200},
                      Case{"bent_sar", kBefore, 1, 0.3, 3, 1, bent(AdcKind::kSar, 0.05)},
                      Case{"bent_flash_shared", kBefore, 3, 0.3, 3, 1, bent(AdcKind::kFlash, 0.3), 2},
                      Case{"bent_ramp", kBefore, 1, 0.3, 3, 1, bent(AdcKind::kRamp, 0.5)},
                      Case{"coarse_bent_ramp", kBefore, 3, 0.3, 3, 1, bent(AdcKind::kRamp, 0.5)},
                      Case{"aged", kBefore, 1, 0.3, 3, 1, {}, 1, 40, true},
                      Case{"aged_digits", kBefore, 3, 0.3, 3, 2, {}, 1, 40, true},
                      Case{"aged_after_adc", SignedScheme::kDifferentialAfterAdc, 1, 0.3, 3, 1, {}, 1, 40, true}),
    [](const auto& one) { return one.param.name; });

INSTANTIATE_TEST_SUITE_P(Schemes, FixedChip,
                         ::testing::Values(Case{"pairs", kBefore, 1, 0.5, 3, 1, {.offset_sigma = 0.5}},
                                           Case{"offset_column", SignedScheme::kOffsetColumn, 1, 0.5},
                                           Case{"digits", kBefore, 1, 0.5, 3, 2}),
                         [](const auto& one) { return one.param.name; });

class ComposedHookRuns : public ComposedBound {};

TEST_P(ComposedHookRuns, AreTheSameForAnyThreadsAndVectors) {
  ComposedHook hook(table_, {.hardware = hardware_, .chips_per_batch = 2});
  hook.calibrate(*example_.network, example_.images);
  const auto products = [&](int threads) {
    const Tensor& logits = example_.network->forward(
        example_.images, {.context = {.training = true, .step = 3}, .hook = &hook, .threads = threads});
    return std::vector<float>(logits.data(), logits.data() + logits.size());
  };
  const auto expected = products(1);
  EXPECT_EQ(products(2), expected);
  errata::testing::for_each_vector_target([&] { EXPECT_EQ(products(1), expected); });
}

INSTANTIATE_TEST_SUITE_P(Schemes, ComposedHookRuns,
                         ::testing::Values(Case{"pairs", kBefore, 1, 0.5, 4},
                                           Case{"after_adc", SignedScheme::kDifferentialAfterAdc, 1, 0.5},
                                           Case{"offset_column", SignedScheme::kOffsetColumn, 1, 0.5}),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace errata::training
