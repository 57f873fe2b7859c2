// Normalisation and flips from the training through the checkpoint to the evaluation.
#include <gtest/gtest.h>

#include <limits>

#include "core/random_stream.h"
#include "tests/support/expect_error.h"
#include "tests/unit/training/training_fixture.h"
#include "training/checkpoint.h"
#include "training/evaluation.h"

namespace errata::training {
namespace {

using errata::testing::expect_error;

/// Colour images whose class shows in the red channel's brightness only.
DataSet colours() {
  RandomStream stream(5, StreamPurpose::kTest);
  DataSet data{"colours", {8, 8, 3}, 4, {}, {}};
  for (ImageSet* set : {&data.train, &data.test})
    for (std::size_t i = 0; i < 128; ++i) {
      set->labels.push_back(static_cast<std::uint8_t>(i % 4));
      for (std::size_t pixel = 0; pixel < 64; ++pixel)
        for (std::size_t c = 0; c < 3; ++c)
          set->pixels.push_back(
              static_cast<std::uint8_t>(c == 0 ? 40 * (i % 4) + stream.below(20) : stream.below(256)));
    }
  return data;
}

NetworkOptions small_network(const DataSet& data) {
  NetworkOptions options;
  options.name = "mlp";
  options.input = data.shape;
  options.classes = data.classes;
  options.hidden = {16};
  options.normalization = scale_normalization(data.train, data.shape.channels);
  return options;
}

TEST(NormalizedTraining, TheCheckpointTellsTheEvaluationHow) {
  const TemporaryFolder folder("normalized");
  const DataSet data = colours();
  auto network = make_network(small_network(data), 3);
  TrainingOptions options = short_training("adam");
  options.flip = true;
  options.batch_size = 32;
  Trainer trainer(*network, data, options);
  TrainingSinks sinks;
  sinks.threads = 2;
  int reports = 0;
  sinks.progress = [&](const TrainingProgress& now) {
    ++reports;
    // 4 epochs of 4 steps, a report every 3: no report follows another without a step between.
    EXPECT_EQ(now.images_per_second > 0.0, !(now.event == TrainingProgress::Event::kEpoch && now.step % 3 == 0));
  };
  EXPECT_EQ(trainer.run(sinks), Trainer::Outcome::kFinished);
  EXPECT_EQ(reports, 4 + 5);
  save_checkpoint(folder / "checkpoint.h5", trainer);

  const auto read = read_network(Hdf5Reader(folder / "checkpoint.h5"));
  EXPECT_EQ(read->options(), network->options());
  const auto expected = evaluate(*network, data.test, {}), found = evaluate(*read, data.test, {});
  EXPECT_EQ(found->predictions, expected->predictions);
  EXPECT_EQ(found->sums.loss, expected->sums.loss);
  // The same weights on images that are not normalised are another network.
  NetworkOptions plain = network->options();
  plain.normalization = {};
  auto other = make_network(plain, 3);
  for (std::size_t i = 0; i < other->parameters().size(); ++i)
    other->parameters()[i]->value = network->parameters()[i]->value;
  EXPECT_NE(evaluate(*other, data.test, {})->sums.loss, expected->sums.loss);
}

TEST(NormalizedTraining, DamagedNormalisationIsAnError) {
  const TemporaryFolder folder("normalized");
  const DataSet data = colours();
  for (const float deviation : {0.0f, -1.0f, std::numeric_limits<float>::quiet_NaN()}) {
    NetworkOptions options = small_network(data);
    options.normalization.deviation[1] = deviation;
    {
      Hdf5Writer file(folder / "network.h5");
      write_network(file, *make_network(options, 3));
      file.commit();
    }
    expect_error(ExitStatus::kArtifact, "E403", [&] { read_network(Hdf5Reader(folder / "network.h5")); });
  }
}

TEST(NormalizedTraining, FlipsArePartOfWhatATrainingIs) {
  const TemporaryFolder folder("normalized");
  const DataSet data = colours();
  TrainingOptions options = short_training("sgd");
  const auto trained = [&](bool flip, int threads) {
    auto network = make_network(small_network(data), 3);
    options.flip = flip;
    Trainer trainer(*network, data, options);
    TrainingSinks sinks;
    sinks.threads = threads;
    trainer.run(sinks);
    save_checkpoint(folder / "checkpoint.h5", trainer);
    return state_of(*network);
  };
  EXPECT_NE(trained(false, 1), trained(true, 1));
  EXPECT_EQ(trained(true, 1), trained(true, 3));
  auto network = make_network(small_network(data), 3);
  options.flip = false;
  Trainer trainer(*network, data, options);
  const std::string message = expect_error(ExitStatus::kArtifact, "E405",
                                           [&] { read_training_state(Hdf5Reader(folder / "checkpoint.h5"), trainer); });
  EXPECT_NE(message.find("flip = 1 in the file, 0 now"), std::string::npos) << message;
}

}  // namespace
}  // namespace errata::training
