// A small part of the accuracy targets: that training takes back what devices and curves cost. Built-in images; the
// bench (tests/bench/method_targets.cpp) has MNIST, EMNIST and CIFAR-10 in full.
#include "tests/support/method_targets.h"

#include <gtest/gtest.h>

#include "tests/support/device_grid_file.h"
#include "tests/support/temporary_folder.h"
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

TEST(DeviceGridFile, ARunThatWasKilledGoesOn) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "grid.csv";
  const GridResult first{device_grid()[0], 98.5, 98.25, 50.0, 98.0}, second{device_grid()[1], 98.5, 98.25, 60.0, 97.5};
  GridFile(path, "mnist").append(first);
  const std::string whole = text_of(path);
  std::ofstream(path, std::ios::app) << grid_line(second).substr(0, 38);  // cut off inside its last field

  GridFile file(path, "mnist");
  EXPECT_TRUE(file.has(first.point));
  EXPECT_FALSE(file.has(second.point));
  EXPECT_EQ(text_of(path), whole);
  file.append(second);
  EXPECT_EQ(GridFile(path, "mnist").results().size(), 2u);
  EXPECT_THROW(GridFile(path, "mnist, more epochs"), std::runtime_error);
}

TEST(DeviceGridFile, TheTableListsEveryMiss) {
  const GridResult met{device_grid()[0], 98.5, 98.25, 50.0, 98.0}, missed{device_grid()[1], 98.5, 98.25, 60.0, 97.5};
  const std::string table = grid_table({met, missed}, 0.5);
  EXPECT_NE(table.find("| 2 | 2 | 3 | 98.25 | 50.00 to 60.00 | 97.50 to 98.00 | 1.00 | 1 of 2 |"), std::string::npos)
      << table;
  EXPECT_NE(table.find("1 of 2 points within 0.5 points of floating point; 160 of 162 not run."), std::string::npos)
      << table;
  EXPECT_NE(table.find("| 2 | 2 | 3 | 0 | 0.9 | 98.25 | 60.00 | 97.50 | 1.00 |"), std::string::npos) << table;
  EXPECT_EQ(grid_table({met}, 0.5).find("ρ"), std::string::npos);
}

}  // namespace
}  // namespace errata::testing
