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
  for (const QuantizationOptions& bits : {QuantizationOptions{0, 0}, QuantizationOptions{4, 4}}) {
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

/// What a training with these options reports at the ends of its epochs.
std::vector<TrainingProgress> epochs_of(Network& network, const DataSet& data, const TrainingOptions& options) {
  Trainer trainer(network, data, options);
  std::vector<TrainingProgress> epochs;
  TrainingSinks sinks;
  sinks.threads = 2;
  sinks.progress = [&](const TrainingProgress& progress) {
    if (progress.event == TrainingProgress::Event::kEpoch) epochs.push_back(progress);
  };
  EXPECT_EQ(trainer.run(sinks), Trainer::Outcome::kFinished);
  return epochs;
}

TEST(Trainer, HoldsImagesOut) {
  const DataSet data = small_glyphs();
  auto network = make_network({}, 9);
  auto options = short_training("adam");
  options.validation_images = 60;
  const Trainer trainer(*network, data, options);
  EXPECT_EQ(trainer.steps_per_epoch(), 4u);
  EXPECT_EQ(trainer.validation_numbers().size(), 60u);
  // Images that the training must not see: made useless, they change nothing.
  DataSet spoiled = data;
  for (const std::uint32_t number : trainer.validation_numbers())
    std::fill_n(spoiled.train.pixels.begin() + number * 784, 784, std::uint8_t{255});
  auto other = make_network({}, 9);
  const auto epochs = epochs_of(*network, data, options), spoiled_epochs = epochs_of(*other, spoiled, options);
  EXPECT_EQ(state_of(*network), state_of(*other));
  EXPECT_EQ(epochs[0].validation->images, 60u);
  EXPECT_NE(epochs[3].validation->loss, spoiled_epochs[3].validation->loss);
  options.seed = 6;
  EXPECT_FALSE(std::ranges::equal(trainer.validation_numbers(), Trainer(*network, data, options).validation_numbers()));
}

TEST(Trainer, KeepsTheBestEpoch) {
  const DataSet data = small_glyphs();
  auto network = make_network({}, 9);
  auto options = short_training("sgd");
  options.schedule.name = "constant";
  options.schedule.learning_rate = 0.25;  // wild: the last epoch is not the best
  options.epochs = 8;
  options.validation_images = 100;
  options.keep = Keep::kBest;
  Trainer trainer(*network, data, options);
  const auto epochs = epochs_of(*network, data, options);
  const auto best = std::ranges::max_element(epochs, [](const auto& a, const auto& b) {
    return std::pair(a.validation->correct, -a.validation->loss) <
           std::pair(b.validation->correct, -b.validation->loss);
  });
  ASSERT_NE(best, epochs.end() - 1) << "choose a seed for which the last epoch is not the best";
  EvaluationOptions evaluation;
  evaluation.numbers = trainer.validation_numbers();
  EXPECT_EQ(evaluate(*network, data.train, evaluation)->sums.loss, best->validation->loss);
}

TEST(Trainer, EndsWhenPatienceDoes) {
  const DataSet data = small_glyphs();
  auto network = make_network({}, 9);
  auto options = short_training("sgd");
  options.schedule.name = "constant";
  options.schedule.learning_rate = 0.25;
  options.epochs = 40;
  options.validation_images = 100;
  options.patience = 3;
  const auto epochs = epochs_of(*network, data, options);
  ASSERT_LT(epochs.size(), 40u);
  const auto better = [](const TrainingProgress& a, const TrainingProgress& b) {
    return std::pair(a.validation->correct, -a.validation->loss) >
           std::pair(b.validation->correct, -b.validation->loss);
  };
  const std::size_t best = epochs.size() - 4;
  for (std::size_t e = 0; e < epochs.size(); ++e) {
    if (e == best) continue;
    EXPECT_TRUE(better(epochs[best], epochs[e])) << e;
  }
}

TEST(Trainer, AveragesWeights) {
  const DataSet data = small_glyphs();
  auto plain = make_network({}, 9), averaged = make_network({}, 9);
  auto options = short_training("sgd");
  options.epochs = 2;
  options.schedule.warmup_steps = 0;
  // The average by its definition, in double, beside a training without one: both make the same steps.
  std::vector<double> expected;
  {
    Trainer trainer(*plain, data, options);
    TrainingSinks sinks;
    sinks.checkpoint_steps = 1;
    std::uint64_t seen = 0;
    const auto follow = [&](const Trainer& now) {
      if (now.position().step == seen) return;
      const double step = static_cast<double>(seen++);
      const double decay = std::min(0.7, (1.0 + step) / (10.0 + step));
      const auto state = state_of(now.network());
      if (expected.empty()) expected.assign(state.begin(), state.end());
      for (std::size_t i = 0; i < state.size(); ++i)
        expected[i] += (1.0 - decay) * (static_cast<double>(state[i]) - expected[i]);
    };
    sinks.checkpoint = follow;
    trainer.run(sinks);
    EXPECT_EQ(seen, 10u);
  }
  options.average_decay = 0.7;
  const auto epochs = epochs_of(*averaged, data, options);
  const auto found = state_of(*averaged);
  for (std::size_t i = 0; i < found.size(); ++i) ASSERT_NEAR(found[i], expected[i], 1e-6);  // ten fp32 updates
  EXPECT_EQ(epochs.back().test->loss, evaluate(*averaged, data.test, {})->sums.loss);
  EXPECT_NE(epochs.back().test->loss, evaluate(*plain, data.test, {})->sums.loss);
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
  options.label_smoothing = 1.0;
  options.average_decay = -0.1;
  options.patience = 1;
  try {
    Trainer trainer(*network, data, options);
    FAIL();
  } catch (const Error& failure) {
    EXPECT_EQ(failure.code(), "E512");
    const std::string text = failure.what();
    for (const char* part : {"batch_size", "20×20×1", "4 classes", "label_smoothing = 1", "average_decay = -0.1",
                             "choosing an epoch needs validation_images"})
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
