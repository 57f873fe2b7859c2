#include "verification/chip_study.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/random_stream.h"
#include "tests/support/synthetic_table.h"
#include "training/data/glyphs.h"
#include "training/hardware/bit_true_hook.h"
#include "training/hardware/table_conversion.h"
#include "training/trainer.h"
#include "verification/hardware_hooks.h"

namespace errata::verification {
namespace {

/// A network that has learned a little, with the small table's hardware.
struct Trained {
  training::DataSet data = training::make_glyphs({.seed = 3, .train_images = 400, .test_images = 48});
  std::unique_ptr<training::Network> network;
  errormodel::ErrorTable table = errata::testing::synthetic_table();
  training::HardwareOptions hardware{64, 4, 3, 4, table.adc};

  Trained() {
    training::NetworkOptions options;
    options.name = "mlp";
    options.hidden = {24};
    options.quantization = {3, 4};
    network = training::make_network(options, 4);
    training::TrainingOptions o;
    o.epochs = 3;
    o.schedule.learning_rate = 5e-3;
    training::Trainer(*network, data, o).run({});
  }
};

const Trained& trained() {
  static const Trained t;
  return t;
}

TEST(ChipStudy, DoesNotDependOnJobsAndIsBitTrueChipByChip) {
  const Trained& t = trained();
  const training::TableConversion table(t.table);
  const StudyOptions options{.seed = 1, .first_chip = 7, .chips = 5, .images = 40};
  RunContext one, three;
  three.jobs = 3;
  const ChipHook hook = bit_true_hook(table, t.hardware, 1);
  const auto serial = accuracy_of_chips(*t.network, hook, t.data, options, "one", one);
  EXPECT_EQ(serial, accuracy_of_chips(*t.network, hook, t.data, options, "three", three));
  for (std::size_t chip = 0; chip < 5; ++chip) {
    training::BitTrueHook own(table, t.hardware, 1, 7 + chip);
    EXPECT_EQ(
        serial[chip],
        100.0 * training::evaluate(*t.network, t.data.test, {.hook = &own, .seed = 1, .images = 40})->sums.accuracy());
  }
}

TEST(ChipStudy, ComposedChipsAreHeldForTheWholeSet) {
  const Trained& t = trained();
  training::Tensor images(16, t.data.shape);
  RandomStream random(1, StreamPurpose::kTest);
  for (float& value : images.values()) value = static_cast<float>(random.uniform());
  StudyOptions options{.chips = 3, .images = 48, .whole_set_at_once = true};
  RunContext one, two;
  two.jobs = 2;
  const ChipHook hook = composed_hook(t.table, t.hardware, 1, *t.network, images);
  const auto serial = accuracy_of_chips(*t.network, hook, t.data, options, "one", one);
  EXPECT_EQ(serial, accuracy_of_chips(*t.network, hook, t.data, options, "two", two));
}

TEST(LayerSensitivity, AnExactModelLosesNothingAndTheFirstLayerAloneIsItself) {
  const Trained& t = trained();
  const auto ideal = training::ideal_table(t.table);
  const training::TableConversion errors(t.table), exact(ideal);
  const StudyOptions options{.chips = 3, .images = 40};
  for (const auto& layer : layer_sensitivity(*t.network, exact, exact, t.hardware, t.data, options, {}))
    EXPECT_EQ(layer.loss.estimate, 0.0) << layer.layer;
  const auto losses = layer_sensitivity(*t.network, errors, exact, t.hardware, t.data, options, {});
  ASSERT_EQ(losses.size(), 2u);
  EXPECT_EQ(losses[0].layer, "linear1");
  // The same by hand for the last layer.
  const LayerConversion last(errors, exact, 1);
  const auto with = accuracy_of_chips(*t.network, bit_true_hook(last, t.hardware, 1), t.data, options, "", {});
  const auto without = accuracy_of_chips(*t.network, bit_true_hook(exact, t.hardware, 1), t.data, options, "", {});
  EXPECT_NEAR(losses[1].loss.estimate, mean(without) - mean(with), 1e-9);
}

TEST(Summary, CountsChipsAndCoversTheTruth) {
  std::vector<double> accuracy;
  RandomStream random(1, StreamPurpose::kTest);
  for (int k = 0; k < 400; ++k) accuracy.push_back(90.0 + 2.0 * random.normal());
  const ChipSummary s = summarize(accuracy, 92.0);
  // Four standard errors each way: 6e-5 false alarms for each line.
  EXPECT_NEAR(s.mean.estimate, 90.0, 4.0 * 2.0 / 20.0);
  EXPECT_NEAR(s.mean.high - s.mean.low, 2.0 * 1.966 * 2.0 / 20.0, 0.06);
  EXPECT_NEAR(s.spread.estimate, 2.0, 4.0 * 2.0 / std::sqrt(798.0));
  ASSERT_EQ(s.percentiles.size(), 7u);
  // standard error of a quantile: √(p(1 − p)/n) / density, 0.3/20 / (0.1755/2)
  EXPECT_NEAR(s.percentiles[2].accuracy.estimate, 90.0 - 2.0 * 1.2816, 4.0 * 0.171);
  EXPECT_LT(s.percentiles[2].accuracy.low, s.percentiles[2].accuracy.estimate);
  EXPECT_GT(s.percentiles[2].accuracy.high, s.percentiles[2].accuracy.estimate);
  EXPECT_EQ(s.yield[2].accuracy, 90.0);
  EXPECT_NEAR(s.yield[2].fraction.estimate, 0.5, 4.0 * 0.025);
  for (std::size_t k = 1; k < s.yield.size(); ++k)
    EXPECT_GE(s.yield[k].fraction.estimate, s.yield[k - 1].fraction.estimate);
}

TEST(Summary, OneChipHasNoSpread) {
  const ChipSummary s = summarize({88.0}, 90.0);
  EXPECT_EQ(s.mean.estimate, 88.0);
  EXPECT_TRUE(s.percentiles.empty());
  EXPECT_TRUE(s.yield.empty());
}

}  // namespace
}  // namespace errata::verification
