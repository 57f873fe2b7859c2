#include "training/network/network_transform.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/unit/training/gradient_check.h"
#include "tests/unit/training/training_fixture.h"

namespace errata::training {
namespace {

/// A network whose batch norms have learned statistics, scales and shifts.
std::unique_ptr<Network> seasoned(const char* name, ImageShape input, QuantizationOptions bits) {
  NetworkOptions options;
  options.name = name;
  options.input = input;
  options.batch_norm = true;
  options.quantization = bits;
  auto network = make_network(options, 5);
  for (std::uint64_t step = 0; step < 4; ++step) {
    const Tensor images = random_tensor(40, input, 0.0, 1.0, step);
    network->forward(images, {.context = {.training = true, .step = step}});
  }
  for (Parameter* p : network->parameters())
    if (p->name.ends_with(".scale") || p->name.ends_with(".shift")) {
      RandomStream stream(1, StreamPurpose::kTest, p->value.size());
      for (float& v : p->value) v += static_cast<float>(stream.uniform() - 0.5);
    }
  return network;
}

std::size_t norms(const Network& network) {
  std::size_t count = 0;
  for (const auto& layer : network.description().layers) count += layer.kind == LayerKind::kBatchNorm ? 1 : 0;
  return count;
}

TEST(FoldBatchNorm, ChangesNothingThatEvaluationSees) {
  for (const char* name : {"lenet5", "resnet20", "vgg_small"}) {
    const ImageShape input = std::string_view(name) == "lenet5" ? ImageShape{28, 28, 1} : ImageShape{16, 16, 3};
    auto network = seasoned(name, input, {0, 0});
    auto folded = fold_batch_norm(*network);
    EXPECT_GT(norms(*network), 0u);
    EXPECT_EQ(norms(*folded), 0u) << name;
    EXPECT_EQ(folded->matrix_layers().size(), network->matrix_layers().size());
    const Tensor images = random_tensor(35, input, 0.0, 1.0, 9);
    const Tensor expected = network->forward(images, {});
    const Tensor& found = folded->forward(images, {});
    double largest = 0.0;
    for (const float v : expected.values()) largest = std::max(largest, std::fabs(static_cast<double>(v)));
    // fp32 rounding through up to 20 layers.
    for (std::size_t i = 0; i < expected.size(); ++i)
      ASSERT_NEAR(found.values()[i], expected.values()[i], 1e-5 * largest) << name;
  }
}

TEST(FoldBatchNorm, LeavesQuantisedLayersAndBranchesAlone) {
  auto quantised = seasoned("lenet5", {28, 28, 1}, {4, 4});
  EXPECT_EQ(norms(*fold_batch_norm(*quantised)), norms(*quantised));
  // The convolution's output is read by the addition as well: its batch norm stays.
  NetworkOptions options;
  options.name = "branch";
  options.input = {6, 6, 2};
  options.classes = 3;
  options.layers =
      "[[layer]]\ntype = \"convolution\"\nname = \"c\"\nchannels = 4\nkernel = 3\n"
      "[[layer]]\ntype = \"batch_norm\"\n[[layer]]\ntype = \"addition\"\ninputs = [\"c\", \"c.norm\"]\n"
      "[[layer]]\ntype = \"linear\"\nfeatures = \"classes\"\n";
  EXPECT_EQ(norms(*fold_batch_norm(*make_network(options, 1))), 1u);
}

TEST(WithQuantization, StartsFromTheSameValues) {
  auto network = seasoned("lenet5", {28, 28, 1}, {0, 0});
  auto folded = fold_batch_norm(*network);
  auto quantised = with_quantization(*folded, {8, 8});
  for (std::size_t i = 0; i < 5; ++i)
    EXPECT_EQ(quantised->matrix_layers()[i]->weight().value, folded->matrix_layers()[i]->weight().value);
  const Tensor images = random_tensor(35, {28, 28, 1}, 0.0, 1.0, 9);
  const Tensor expected = folded->forward(images, {});
  const Tensor& found = quantised->forward(images, {});
  std::size_t agree = 0;
  for (std::size_t i = 0; i < 35; ++i)
    agree += predicted_class(expected.image(i)) == predicted_class(found.image(i)) ? 1 : 0;
  EXPECT_GE(agree,
            20u);  // measured 26, chance 3.5: LSQ's first steps are coarse, and a network without training is undecided
  // And back: floating point again.
  EXPECT_EQ(with_quantization(*quantised, {0, 0})->forward(images, {}).values()[3], expected.values()[3]);
}

}  // namespace
}  // namespace errata::training
