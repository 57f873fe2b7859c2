// A small part of the accuracy targets: that training takes back what devices and curves cost. Built-in images; the
// bench (tests/bench/method_targets.cpp) has MNIST, EMNIST and CIFAR-10 in full.
#include "tests/support/method_targets.h"

#include <gtest/gtest.h>

#include "training/data/glyphs.h"

namespace errata::testing {
namespace {

constexpr std::uint64_t kSeed = 1;

struct Start {
  training::DataSet data = training::make_glyphs({.seed = 1, .train_images = 4000, .test_images = 500});
  std::unique_ptr<training::Network> network;
  double accuracy = 0.0;

  explicit Start(training::QuantizationOptions bits) {
    training::NetworkOptions o;
    o.name = "mlp";
    o.hidden = {64};
    o.quantization = bits;
    network = training::make_network(o, kSeed);
    accuracy = train(*network, data, {6, 3e-3}, nullptr, kSeed);
  }
};

/// The grid's worst corner. The loss of naive transfer is many times the 2.2 points that 500 test images leave open
/// (two standard errors at 50 … 80 %), and adaptation must take back more than half of it.
TEST(MethodTargets, TrainingOnDevicesTakesBackTheNaiveLoss) {
  const Start start({4, 4});
  for (const auto gradient : {training::DeviceGradient::kSmooth, training::DeviceGradient::kStraightThrough}) {
    const auto r = device_point(*start.network, start.data, {3, 4, 3.0, 4.0, 0.8}, gradient, {3, 2e-3}, kSeed);
    EXPECT_LT(r.naive, start.accuracy - 10.0);
    EXPECT_GT(r.adapted, r.naive + 0.5 * (start.accuracy - r.naive));
  }
}

/// With an ideal device nothing is lost: the map is the quantiser.
TEST(MethodTargets, AnIdealDeviceLosesNothing) {
  const Start start({4, 4});
  const auto r = device_point(*start.network, start.data, {3, 4, 1e9, 0.0, 1.0},
                              training::DeviceGradient::kStraightThrough, {1, 1e-4}, kSeed);
  EXPECT_NEAR(r.naive, start.accuracy, 1e-9);
}

TEST(MethodTargets, TrainingThroughACurveTakesBackTheNaiveLoss) {
  const Start start({4, 4});
  const auto linear = neuron(*start.network, start.data, 1024, 8, 1e-3);
  // 60 % at full scale: strong enough to cost more than the test images' uncertainty.
  const auto r =
      curve_recovery(*start.network, start.data, linear, {training::CurveForm::kRational, {1.5}}, {3, 2e-3}, kSeed);
  EXPECT_NEAR(r.linear, start.accuracy, 2.2);
  EXPECT_GE(r.adapted, r.naive);
  EXPECT_GT(r.adapted, r.linear - 2.2);
}

TEST(MethodTargets, TheGridIsComplete) { EXPECT_EQ(device_grid().size(), 162u); }

}  // namespace
}  // namespace errata::testing
