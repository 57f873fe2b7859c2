// Training beside PyTorch: the same start and the same batches give the same losses. Needs python3-torch.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "core/random_stream.h"
#include "tests/support/program.h"
#include "tests/support/temporary_folder.h"
#include "training/checkpoint.h"
#include "training/network/network.h"
#include "training/optimization/optimizer.h"

namespace errata::training {
namespace {

struct Comparison {
  const char* label;
  NetworkOptions network;
  OptimizerOptions optimizer;
  double learning_rate;
  double label_smoothing;
  std::size_t steps, batch;
};

/// Images around one random image per class: learnable, and the same on every machine.
void make_batch(std::size_t step, Tensor& images, std::span<std::uint8_t> labels) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    RandomStream noise(1, StreamPurpose::kTest, step, i);
    labels[i] = static_cast<std::uint8_t>(noise.below(10));
    RandomStream prototype(2, StreamPurpose::kTest, labels[i]);
    for (float& value : images.image(i)) value = static_cast<float>(0.6 * prototype.uniform() + 0.4 * noise.uniform());
  }
}

/// Trains and writes what PyTorch needs to do the same.
void train_and_write(const Comparison& c, const std::filesystem::path& path) {
  auto network = make_network(c.network, 7);
  Hdf5Writer file(path);
  write_network(file, *network);
  Optimizer optimizer(c.optimizer, network->parameters());
  const ImageShape shape = c.network.input;
  std::vector<float> all_images;
  std::vector<std::uint8_t> all_labels;
  std::vector<double> losses;
  Tensor images(c.batch, shape);
  std::vector<std::uint8_t> labels(c.batch);
  const LossOptions loss{c.label_smoothing};
  for (std::size_t step = 0; step < c.steps; ++step) {
    make_batch(step, images, labels);
    network->forward(images, {.context = {.training = true, .step = step}, .threads = 2});
    losses.push_back(network->loss(labels, loss).mean_loss());
    network->backward(labels, loss);
    optimizer.step(c.learning_rate);
    all_images.insert(all_images.end(), images.values().begin(), images.values().end());
    all_labels.insert(all_labels.end(), labels.begin(), labels.end());
  }
  file.write("/images", std::span<const float>(all_images),
             {c.steps, c.batch, shape.height, shape.width, shape.channels}, "1");
  file.write("/labels", std::span<const std::uint8_t>(all_labels), {c.steps, c.batch}, "1");
  file.write("/losses", std::span<const double>(losses), {c.steps}, "nat");
  file.attribute("/", "optimizer", c.optimizer.name);
  file.attribute("/", "learning_rate", c.learning_rate);
  file.attribute("/", "momentum", c.optimizer.momentum);
  file.attribute("/", "nesterov", std::int64_t{c.optimizer.nesterov});
  file.attribute("/", "weight_decay", c.optimizer.weight_decay);
  file.attribute("/", "label_smoothing", c.label_smoothing);
  file.commit();
  EXPECT_LT(losses.back(), losses.front()) << "nothing is learned, so nothing is compared";
}

class TorchLosses : public ::testing::TestWithParam<Comparison> {};

TEST_P(TorchLosses, AreOurs) {
  const errata::testing::TemporaryFolder folder;
  const auto path = folder.path() / "training.h5";
  train_and_write(GetParam(), path);
  const auto peer = errata::testing::run_shell("/usr/bin/python3 " ERRATA_SOURCE_DIR "/tests/python/torch_losses.py " +
                                               path.string());
  if (peer.status == 77) GTEST_SKIP() << "python3-torch is not installed: " << peer.output;
  ASSERT_EQ(peer.status, 0) << peer.output;
  const auto at = peer.output.find("largest difference ");
  ASSERT_NE(at, std::string::npos) << peer.output;
  // Both compute in fp32 in different orders; the bound is the design's.
  EXPECT_LT(std::atof(peer.output.c_str() + at + 19), 1e-4) << peer.output;
}

NetworkOptions network(const char* name, ImageShape input, bool batch_norm) {
  NetworkOptions options;
  options.name = name;
  options.input = input;
  options.batch_norm = batch_norm;
  return options;
}

// Steps are small enough that no difference of the last bit changes which ReLU or maximum passes: after such a change
// the losses of two right programs drift apart (measured: 1e-7 up to there, 1e-3 soon after).
INSTANTIATE_TEST_SUITE_P(
    Networks, TorchLosses,
    ::testing::Values(
        Comparison{"lenet5_sgd",
                   network("lenet5", {28, 28, 1}, false),
                   {.name = "sgd", .weight_decay = 1e-3},
                   0.003,
                   0.0,
                   100,
                   64},
        Comparison{"lenet5_nesterov_smoothed",
                   network("lenet5", {28, 28, 1}, false),
                   {.name = "sgd", .nesterov = true},
                   0.002,
                   0.1,
                   100,
                   64},
        Comparison{
            "lenet5_batch_norm_adam", network("lenet5", {28, 28, 1}, true), {.name = "adam"}, 3e-4, 0.0, 100, 64},
        Comparison{"lenet5_adamw",
                   network("lenet5", {28, 28, 1}, false),
                   {.name = "adamw", .weight_decay = 0.1},
                   3e-4,
                   0.0,
                   100,
                   64},
        Comparison{"vgg8_batch_norm", network("vgg8", {16, 16, 3}, true), {.name = "sgd"}, 2e-4, 0.0, 4, 48},
        Comparison{"resnet20", network("resnet20", {32, 32, 3}, true), {.name = "sgd"}, 1e-3, 0.0, 6, 48}),
    [](const auto& tested) { return tested.param.label; });

}  // namespace
}  // namespace errata::training
