// Networks of one's own through the program: a description in TOML, a trained network in ONNX, and back out as ONNX.
#include <gtest/gtest.h>

#include "core/hdf5_file.h"
#include "tests/support/cli_project.h"
#include "training/checkpoint.h"
#include "training/onnx/onnx_export.h"
#include "training/onnx/onnx_import.h"

namespace errata {
namespace {

using testing::CliProject;

/// Training on ideal hardware alone needs no circuit.
constexpr const char* kIdealOnly = "--set training.adaptation_epochs=0 --set training.epochs=1 ";

std::string with_file(const char* name) {
  return std::string(kIdealOnly) + "--set training.network_file='\"" + name + "\"'";
}

void write(const CliProject& p, const std::string& name, const std::string& text) {
  std::ofstream(p.path() / name, std::ios::binary) << text;
}

constexpr const char* kSmall =
    "[[layer]]\ntype = \"convolution\"\nchannels = 4\nkernel = 5\nstride = 2\n[[layer]]\ntype = \"relu\"\n"
    "[[layer]]\ntype = \"global_average_pooling\"\n[[layer]]\ntype = \"linear\"\nfeatures = \"classes\"\n";

TEST(NetworkFile, ADescriptionIsTrainedAndExported) {
  const CliProject p;
  write(p, "small.toml", kSmall);
  const auto trained = p.run("train", with_file("small.toml"));
  ASSERT_EQ(trained.status, 0) << trained.output;
  const auto network = training::read_network(Hdf5Reader(p.artifact("checkpoint.h5")), "/arms/ideal");
  EXPECT_EQ(network->options().name, "small.toml");
  EXPECT_EQ(network->matrix_layers().size(), 2u);
  EXPECT_EQ(network->matrix_layers()[0]->quantization().weight_bits, 3);

  // The file's contents decide what is stale.
  EXPECT_NE(p.run("train", with_file("small.toml")).output.find("fresh"), std::string::npos);
  write(p, "small.toml", std::string("# the same layers\n") + kSmall);
  const auto again = p.run("train", with_file("small.toml"));
  EXPECT_EQ(again.output.find("fresh"), std::string::npos) << again.output;

  const auto out = p.path() / "network.onnx";
  const auto exported = testing::errata("export " + p.artifact("checkpoint.h5").string() + " --out " + out.string());
  ASSERT_EQ(exported.status, 0) << exported.output;
  const auto graph = training::onnx::read_file(out);
  EXPECT_EQ(graph.outputs[0].shape[1], 10);
  EXPECT_EQ(
      testing::errata("export " + p.artifact("checkpoint.h5").string() + " --arm none --out " + out.string()).status,
      2);
}

TEST(NetworkFile, ProblemsAreShownAtTheirPlace) {
  const CliProject p;
  write(p, "small.toml", "[[layer]]\ntype = \"linear\"\nfeatures = \"classes\"\nbais = false\n");
  const auto wrong = p.run("train", with_file("small.toml"));
  EXPECT_EQ(wrong.status, 3) << wrong.output;
  for (const char* part : {"small.toml:4:1", "E514", "unknown key 'bais'", "did you mean 'bias'?"})
    EXPECT_NE(wrong.output.find(part), std::string::npos) << wrong.output;
  const auto missing = p.run("train", with_file("nowhere.toml"));
  EXPECT_EQ(missing.status, 3) << missing.output;
  EXPECT_NE(missing.output.find("nowhere.toml"), std::string::npos);
}

TEST(NetworkFile, AnOnnxNetworkIsWhereTrainingStarts) {
  const CliProject p;
  training::NetworkOptions options;
  options.hidden = {20, 12};
  const auto start = training::make_network(options, 3);
  training::onnx::write_file(p.path() / "start.onnx", training::onnx::export_graph(*start));
  const std::string still = with_file("start.onnx") + " --set training.learning_rate=1e-9";
  const auto trained = p.run("train", still);
  ASSERT_EQ(trained.status, 0) << trained.output;
  const auto network = training::read_network(Hdf5Reader(p.artifact("checkpoint.h5")), "/arms/ideal");
  ASSERT_EQ(network->matrix_layers().size(), 5u);
  for (std::size_t l = 0; l < 5; ++l)
    for (std::size_t i = 0; i < start->matrix_layers()[l]->weight().value.size(); ++i)
      ASSERT_NEAR(network->matrix_layers()[l]->weight().value[i], start->matrix_layers()[l]->weight().value[i], 1e-6);

  write(p, "start.onnx", "no ONNX at all");
  const auto damaged = p.run("train", still);
  EXPECT_EQ(damaged.status, 4) << damaged.output;
  EXPECT_NE(damaged.output.find("E515"), std::string::npos) << damaged.output;
}

TEST(NetworkFile, TheRateIsFoundAndTheBestEpochKept) {
  const CliProject p;
  const auto trained = p.run("train", std::string(kIdealOnly) +
                                          "--set training.learning_rate=0 --set training.epochs=2 --set "
                                          "training.validation_images=100 --set training.keep=best --set "
                                          "training.average_decay=0.9 --set training.label_smoothing=0.1");
  ASSERT_EQ(trained.status, 0) << trained.output;
  EXPECT_NE(trained.output.find("by a range test"), std::string::npos) << trained.output;
  EXPECT_NE(testing::bytes_of(p.artifact("metrics.jsonl")).find("validation_accuracy"), std::string::npos);
  const auto refused = p.run("train", std::string(kIdealOnly) + "--set training.keep=best");
  EXPECT_EQ(refused.status, 3) << refused.output;
  EXPECT_NE(refused.output.find("validation_images"), std::string::npos) << refused.output;
}

}  // namespace
}  // namespace errata
