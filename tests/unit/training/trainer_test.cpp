#include "training/trainer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>

#include "core/error.h"
#include "core/random_stream.h"
#include "tests/unit/training/training_fixture.h"
#include "training/shards.h"

namespace errata::training {
namespace {

struct RunResult {
  std::vector<double> losses;
  std::vector<float> state;
};

/// Noise on the product that is a function of seed, step, layer and image: what a real hook has to be.
class NoiseHook : public ProductHook {
 public:
  void begin_batch(Network& network, const BatchContext&) override { layers_ = network.matrix_layers().size(); }
  void product(const MatrixLayer& layer, std::size_t shard, const BatchContext& context, const Tensor& codes,
               Tensor& product, Tensor* slope) override {
    layer.ideal_product(codes, product);
    for (std::size_t i = 0; i < product.images(); ++i) {
      RandomStream stream(context.seed, StreamPurpose::kTest, context.first_image + shard_begin(shard) + i,
                          context.step, layer.index());
      for (float& value : product.image(i)) value += static_cast<float>(stream.uniform() - 0.5);
    }
    if (slope != nullptr) slope->fill(0.9f);
  }
  std::size_t layers_ = 0;
};

RunResult train(QuantizationOptions bits, int threads, ProductHook* hook) {
  const DataSet data = small_glyphs();
  auto network = make_network(full_network(bits), 9);
  auto options = short_training("adamw");
  options.epochs = 2;
  Trainer trainer(*network, data, options);
  RunResult result;
  TrainingSinks sinks;
  sinks.threads = threads;
  sinks.training_hook = sinks.evaluation_hook = hook;
  sinks.progress = [&](const TrainingProgress& progress) {
    result.losses.push_back(progress.train.loss);
    if (progress.test) result.losses.push_back(progress.test->loss);
  };
  EXPECT_EQ(trainer.run(sinks), Trainer::Outcome::kFinished);
  result.state = state_of(*network);
  return result;
}

TEST(Trainer, BytesDoNotDependOnThreads) {
  for (const QuantizationOptions bits : {QuantizationOptions{0, 0}, QuantizationOptions{4, 4}}) {
    const RunResult one = train(bits, 1, nullptr);
    ASSERT_GE(one.losses.size(), 6u);
    for (const int threads : {2, 3}) {
      const RunResult more = train(bits, threads, nullptr);
      EXPECT_EQ(one.losses, more.losses) << threads;
      EXPECT_EQ(one.state, more.state) << threads;
    }
  }
}

TEST(Trainer, BytesDoNotDependOnThreadsWithAHook) {
  NoiseHook hook;
  const RunResult one = train({4, 4}, 1, &hook), three = train({4, 4}, 3, &hook);
  EXPECT_EQ(hook.layers_, 5u);
  EXPECT_EQ(one.losses, three.losses);
  EXPECT_EQ(one.state, three.state);
  EXPECT_NE(one.state, train({4, 4}, 1, nullptr).state);
}

TEST(Trainer, LearnsGlyphs) {
  const DataSet data = make_glyphs({.seed = 1, .train_images = 2000, .test_images = 500, .threads = 2});
  auto network = make_network({.quantization = {4, 4}}, 1);
  TrainingOptions options;
  options.epochs = 5;
  options.schedule.learning_rate = 3e-3;
  Trainer trainer(*network, data, options);
  double accuracy = 0.0;
  TrainingSinks sinks;
  sinks.threads = 2;
  sinks.progress = [&](const TrainingProgress& progress) {
    accuracy = progress.test ? progress.test->accuracy() : accuracy;
  };
  trainer.run(sinks);
  // Deterministic on one machine; chance is 0.1, measured 0.87.
  EXPECT_GT(accuracy, 0.75);
}

TEST(Trainer, AHookThatThrowsEndsTheTraining) {
  class Failing : public NoiseHook {
    void product(const MatrixLayer&, std::size_t shard, const BatchContext&, const Tensor&, Tensor&, Tensor*) override {
      throw Error(ExitStatus::kComputation, "E5xx", "shard " + std::to_string(shard));
    }
  } hook;
  try {
    train({4, 4}, 2, &hook);
    FAIL();
  } catch (const Error& failure) {
    EXPECT_STREQ(failure.what(), "shard 0");
  }
}

TEST(Trainer, RefusesALossThatIsNotFinite) {
  const DataSet data = small_glyphs();
  auto network = make_network({}, 9);
  network->matrix_layers()[0]->bias().value[0] = std::numeric_limits<float>::infinity();
  Trainer trainer(*network, data, short_training("sgd"));
  try {
    trainer.run({});
    FAIL();
  } catch (const Error& failure) {
    EXPECT_EQ(failure.code(), "E503");
  }
}

TEST(Trainer, NamesEveryProblemOfItsOptions) {
  const DataSet data = small_glyphs();
  auto network = make_network({.input = {20, 20, 1}, .classes = 4}, 9);
  auto options = short_training("sgd");
  options.batch_size = 0;
  try {
    Trainer trainer(*network, data, options);
    FAIL();
  } catch (const Error& failure) {
    EXPECT_EQ(failure.code(), "E512");
    const std::string text = failure.what();
    for (const char* part : {"batch_size", "20×20×1", "4 classes"})
      EXPECT_NE(text.find(part), std::string::npos) << text;
  }
}

TEST(Evaluation, DoesNotDependOnTheBatchSize) {
  const DataSet data = small_glyphs();
  auto network = make_network(full_network({4, 4}), 9);
  NoiseHook hook;
  EvaluationOptions options;
  evaluate(*network, data.test, options);  // takes the first input steps
  options.batch_size = 64;
  const auto small = evaluate(*network, data.test, options);
  options.batch_size = 512;
  options.threads = 3;
  const auto large = evaluate(*network, data.test, options);
  EXPECT_EQ(small->sums.loss, large->sums.loss);
  EXPECT_EQ(small->predictions, large->predictions);
  EXPECT_EQ(large->sums.images, 70u);
}

TEST(Batches, OrderIsAPermutationThatChangesWithTheEpoch) {
  auto order = shuffled_order(100, 1, 0);
  EXPECT_NE(order, shuffled_order(100, 1, 1));
  EXPECT_EQ(order, shuffled_order(100, 1, 0));
  std::ranges::sort(order);
  for (std::uint32_t i = 0; i < 100; ++i) EXPECT_EQ(order[i], i);
}

TEST(Batches, ScalesAndShifts) {
  ImageSet set;
  set.pixels.assign(9, 0);
  set.pixels[4] = 255;
  set.labels = {7};
  const std::vector<std::uint32_t> first{0};
  Batch batch;
  bool moved = false;
  for (std::uint64_t epoch = 0; epoch < 20; ++epoch) {
    fill_batch(set, {3, 3, 1}, {first, 1, epoch, 1}, batch);
    double sum = 0.0;
    for (const float value : std::as_const(batch.images).values()) sum += static_cast<double>(value);
    EXPECT_EQ(sum, 1.0);  // the middle pixel stays inside under shifts of one
    moved = moved || batch.images.data()[4] == 0.0f;
  }
  EXPECT_TRUE(moved);
  EXPECT_EQ(batch.labels[0], 7);
}

TEST(MetricsLog, KeepsWholeLinesUpToAStep) {
  const TemporaryFolder folder("metrics");
  const auto path = folder / "metrics.jsonl";
  {
    MetricsLog log(path, 0, 0);
    for (std::uint64_t step = 1; step <= 3; ++step)
      log.append({step, 0, "step", {{"train_loss", 0.1 * static_cast<double>(step)}}});
  }
  std::ofstream(path, std::ios::app) << "{\"step\":2,\"epo";
  { MetricsLog log(path, 2, 0); }
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_EQ(text.str(),
            "{\"step\":1,\"epoch\":0,\"event\":\"step\",\"train_loss\":0.1}\n"
            "{\"step\":2,\"epoch\":0,\"event\":\"step\",\"train_loss\":0.2}\n");
  EXPECT_THROW(format_metrics({1, 0, "step", {{"x", std::nan("")}}}), Error);
}

}  // namespace
}  // namespace errata::training
