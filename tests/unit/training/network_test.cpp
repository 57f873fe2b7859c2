#include "training/network/network.h"

#include <gtest/gtest.h>

#include <set>

#include "core/error.h"
#include "tests/unit/training/gradient_check.h"

namespace errata::training {
namespace {

TEST(Network, LeNet5HasItsClassicSize) {
  EXPECT_EQ(make_network({}, 1)->parameter_count(), 61706u);
  EXPECT_EQ(make_network({.quantization = {4, 4}}, 1)->parameter_count(), 61706u + 10u);
  EXPECT_EQ(make_network({.name = "mlp"}, 1)->parameter_count(), 784u * 128 + 128 + 128 * 10 + 10);
  EXPECT_EQ(make_network({.name = "mlp", .hidden = {32, 16}}, 1)->matrix_layers().size(), 3u);
}

TEST(Network, NamesAreUniqueAndIndicesCount) {
  auto network = make_network({.quantization = {4, 4}, .batch_norm = true, .dropout = 0.1}, 1);
  std::set<std::string> names;
  for (const Parameter* parameter : network->parameters()) EXPECT_TRUE(names.insert(parameter->name).second);
  for (const auto& buffer : network->buffers()) EXPECT_TRUE(names.insert(buffer.name).second);
  for (std::size_t i = 0; i < network->matrix_layers().size(); ++i) EXPECT_EQ(network->matrix_layers()[i]->index(), i);
}

TEST(Network, WeightsFollowTheSeedAndHeUniform) {
  auto a = make_network({}, 1), b = make_network({}, 1), c = make_network({}, 2);
  EXPECT_EQ(a->matrix_layers()[2]->weight().value, b->matrix_layers()[2]->weight().value);
  EXPECT_NE(a->matrix_layers()[2]->weight().value, c->matrix_layers()[2]->weight().value);
  const double bound = std::sqrt(6.0 / 400.0);
  double squares = 0.0;
  for (const float weight : a->matrix_layers()[2]->weight().value) {
    EXPECT_LE(std::fabs(weight), bound);
    squares += static_cast<double>(weight) * static_cast<double>(weight);
  }
  // Variance 2/400; 48,000 draws: relative σ is √(4/5/48000) = 0.4 %, 5 σ.
  EXPECT_NEAR(squares / 48000.0 / (2.0 / 400.0), 1.0, 0.02);
}

TEST(Network, GradientOfTheWholeMatchesFiniteDifferences) {
  auto network = make_network({.name = "mlp", .input = {4, 4, 1}, .classes = 3, .hidden = {8}, .batch_norm = true}, 1);
  const Tensor images = random_tensor(21, {4, 4, 1}, 0.0, 1.0, 1);
  std::vector<std::uint8_t> labels(21);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::uint8_t>(i % 3);
  ForwardOptions options;
  options.context.training = true;
  const auto loss = [&] {
    network->forward(images, options);
    return network->loss(labels).mean_loss();
  };
  loss();
  network->backward(labels);
  for (Parameter* parameter : network->parameters()) {
    if (parameter->name == "linear1.bias") continue;  // batch norm takes it away again: its gradient is rounding
    const std::vector<float> gradient = parameter->gradient;
    // Small enough a step that no ReLU changes sides; fp32 rounding is 1e-7/2e-4 against gradients of 0.1.
    expect_gradient(parameter->value, gradient, 2e-4, 0.02, 3, loss);
  }
}

TEST(Network, OtherImageSizes) {
  auto network = make_network({.input = {32, 32, 3}, .classes = 26}, 1);
  const Tensor images = random_tensor(5, {32, 32, 3}, 0.0, 1.0, 1);
  EXPECT_EQ(network->forward(images, {}).shape(), (ImageShape{1, 1, 26}));
  EXPECT_THROW(make_network({.input = {8, 8, 1}}, 1), Error);
}

TEST(Network, NamesEveryWrongOption) {
  try {
    make_network({.name = "lenet", .classes = 1, .quantization = {1, 17}, .dropout = 1.0}, 1);
    FAIL();
  } catch (const Error& failure) {
    const std::string text = failure.what();
    for (const char* part : {"lenet5, mlp", "classes = 1", "weight_bits = 1", "input_bits = 17", "dropout = 1"})
      EXPECT_NE(text.find(part), std::string::npos) << text;
  }
}

TEST(Network, BackwardNeedsATrainingForward) {
  auto network = make_network({.name = "mlp", .input = {4, 4, 1}}, 1);
  const Tensor images = random_tensor(2, {4, 4, 1}, 0.0, 1.0, 1);
  network->forward(images, {});
  EXPECT_THROW(network->backward(std::vector<std::uint8_t>{0, 1}), Error);
}

}  // namespace
}  // namespace errata::training
