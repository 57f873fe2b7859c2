#include "training/hardware/recalibration.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/training/training_fixture.h"
#include "training/evaluation.h"
#include "training/layers/batch_norm.h"

namespace errata::training {
namespace {

/// Every output column has a gain and an offset of its own.
class ColumnErrors final : public ProductHook {
 public:
  static float gain(std::size_t c) { return 0.7f + 0.02f * static_cast<float>(c % 20); }
  static float offset(std::size_t c) { return 3.0f - static_cast<float>(c % 7); }
  void begin_batch(Network&, const BatchContext&) override {}
  void product(const MatrixLayer& layer, std::size_t, const BatchContext&, const Tensor& codes, Tensor& product,
               Tensor* slope) override {
    layer.ideal_product(codes, product);
    for (std::size_t k = 0; k < product.size(); ++k) {
      const std::size_t c = k % layer.geometry().out_c;
      product.data()[k] = gain(c) * product.data()[k] + offset(c);
    }
    if (slope != nullptr) slope->fill(1.0f);
  }
};

NetworkOptions lenet(bool batch_norm) {
  NetworkOptions options;
  options.quantization = {4, 4};
  options.batch_norm = batch_norm;
  return options;
}

double loss_of(Network& network, const DataSet& data, ProductHook* hook) {
  return evaluate(network, data.test, {.hook = hook})->sums.loss;
}

TEST(Affine, ColumnGainsAndOffsetsAreFoundAndUndone) {
  const DataSet data = small_glyphs();
  const auto network = make_network(lenet(false), 3);
  const double ideal = loss_of(*network, data, nullptr);
  ColumnErrors errors;
  const double wrong = loss_of(*network, data, &errors);
  AffineHook hook(errors);
  EXPECT_EQ(loss_of(*network, data, &hook), wrong);  // not before it has measured
  hook.calibrate(*network, data, {.images = 64});
  for (std::size_t l = 0; l < network->matrix_layers().size(); ++l) {
    const auto& a = hook.affine(l);
    ASSERT_EQ(a.gain.size(), network->matrix_layers()[l]->geometry().out_c);
    for (std::size_t c = 0; c < a.gain.size(); ++c) {
      if (a.gain[c] == 1.0f) continue;  // a column that never moved has an offset only
      EXPECT_NEAR(a.gain[c], 1.0f / ColumnErrors::gain(c), 1e-3f);
      EXPECT_NEAR(a.offset[c], -ColumnErrors::offset(c) / ColumnErrors::gain(c), 0.05f);
    }
  }
  EXPECT_GT(std::fabs(wrong - ideal), 0.03 * std::fabs(ideal));
  EXPECT_NEAR(loss_of(*network, data, &hook), ideal, 0.05 * std::fabs(wrong - ideal));
}

TEST(RecalibratedBatchNorm, HasTheStatisticsOfTheCalibrationBatches) {
  const DataSet data = small_glyphs();
  const auto network = make_network(lenet(true), 3);
  ColumnErrors errors;
  recalibrate_batch_norm(*network, errors, data, {.images = 16});
  // One batch: what training mode uses are that batch's own statistics, so evaluation of it gives the same logits, but
  // for the unbiased variance.
  Batch batch;
  std::vector<std::uint32_t> numbers(16);
  for (std::uint32_t i = 0; i < 16; ++i) numbers[i] = i;
  fill_batch(data.train, data.shape, {numbers, 0, 0, {}, network->options().normalization}, batch);
  const Tensor evaluated = network->forward(batch.images, {.hook = &errors});
  const Tensor trained = network->forward(batch.images, {.context = {.training = true}, .hook = &errors});
  double difference = 0.0, size = 0.0;
  for (std::size_t i = 0; i < evaluated.size(); ++i) {
    difference += std::fabs(static_cast<double>(evaluated.data()[i] - trained.data()[i]));
    size += std::fabs(static_cast<double>(trained.data()[i]));
  }
  // The last norms see 16 values each: √(16/15) is 3 %, and codes jump by it.
  EXPECT_LT(difference, 0.15 * size);
  EXPECT_GT(size, 0.0);
}

TEST(RecalibratedBatchNorm, AveragesOverBatches) {
  const DataSet data = small_glyphs();
  const auto first = make_network(lenet(true), 3), both = make_network(lenet(true), 3);
  ColumnErrors errors;
  recalibrate_batch_norm(*first, errors, data, {.images = 16});
  recalibrate_batch_norm(*both, errors, data, {.images = 32});
  EXPECT_NE(state_of(*first), state_of(*both));
  // Doing it again changes nothing: the old statistics do not matter.
  const auto state = state_of(*both);
  recalibrate_batch_norm(*both, errors, data, {.images = 32});
  const auto again = state_of(*both);
  for (std::size_t i = 0; i < state.size(); ++i) ASSERT_NEAR(again[i], state[i], 1e-4f * std::fabs(state[i]) + 1e-4f);
}

}  // namespace
}  // namespace errata::training
