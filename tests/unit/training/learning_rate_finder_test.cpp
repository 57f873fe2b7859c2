#include "training/optimization/learning_rate_finder.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/unit/training/training_fixture.h"

namespace errata::training {
namespace {

TEST(LearningRateFinder, SuggestsARateThatTrains) {
  const DataSet data = small_glyphs();
  auto network = make_network(full_network({4, 4}), 9);
  const auto before = state_of(*network);
  for (const char* optimizer : {"sgd", "adam"}) {
    auto options = short_training(optimizer);
    options.batch_size = 32;
    const RateTest test = test_learning_rates(*network, data, options);
    ASSERT_TRUE(test.suggestion) << optimizer;
    // Curves of deterministic trainings; usual rates of the two optimisers lie within a factor of ten.
    EXPECT_GT(*test.suggestion, std::string_view(optimizer) == "sgd" ? 1e-3 : 1e-4) << optimizer;
    EXPECT_LT(*test.suggestion, std::string_view(optimizer) == "sgd" ? 0.5 : 0.05) << optimizer;
    for (std::size_t i = 1; i < test.curve.size(); ++i)
      EXPECT_GT(test.curve[i].learning_rate, test.curve[i - 1].learning_rate);
    EXPECT_DOUBLE_EQ(test.curve[0].learning_rate, 1e-6);

    auto trained = make_network(full_network({4, 4}), 9);
    options.schedule.learning_rate = *test.suggestion;
    options.epochs = 6;
    Trainer trainer(*trained, data, options);
    double first = 0.0, last = 0.0;
    TrainingSinks sinks;
    sinks.progress = [&](const TrainingProgress& p) {
      if (p.event != TrainingProgress::Event::kEpoch) return;
      (first == 0.0 ? first : last) = p.train.mean_loss();
    };
    trainer.run(sinks);
    EXPECT_LT(last, 0.8 * first) << optimizer;
  }
  EXPECT_EQ(state_of(*network), before);
}

TEST(LearningRateFinder, DoesNotDependOnThreads) {
  const DataSet data = small_glyphs();
  const auto network = make_network(full_network({4, 4}), 9);
  RateTestOptions options;
  options.steps = 30;
  const RateTest one = test_learning_rates(*network, data, short_training("adam"), options);
  options.threads = 3;
  const RateTest three = test_learning_rates(*network, data, short_training("adam"), options);
  ASSERT_EQ(one.curve.size(), three.curve.size());
  for (std::size_t i = 0; i < one.curve.size(); ++i) EXPECT_EQ(one.curve[i].loss, three.curve[i].loss);
  EXPECT_EQ(one.suggestion, three.suggestion);
}

TEST(LearningRateFinder, EndsWhenTheLossDiverges) {
  const DataSet data = small_glyphs();
  const auto network = make_network({.name = "mlp"}, 9);
  RateTestOptions options;
  options.highest = 1e4;
  const RateTest test = test_learning_rates(*network, data, short_training("sgd"), options);
  EXPECT_LT(test.curve.size(), options.steps);
  options.steps = 3;
  EXPECT_THROW(test_learning_rates(*network, data, short_training("sgd"), options), Error);
}

}  // namespace
}  // namespace errata::training
