// Curves, devices and settings by layer as project keys, through the program.
#include <gtest/gtest.h>

#include "core/hdf5_file.h"
#include "tests/support/cli_project.h"
#include "tests/support/synthetic_table.h"
#include "training/checkpoint.h"
#include "training/stage.h"

namespace errata {
namespace {

using testing::CliProject;

/// Training without a table needs no circuit.
constexpr const char* kNoTable = "--set training.error_aware=false --set training.train_images=300 ";

TEST(HardwareModes, CurveAndDeviceAreArmsOfTheirOwn) {
  const CliProject p;
  const auto trained =
      p.run("train", std::string(kNoTable) +
                         "--set training.nonlinearity.form=polynomial --set training.nonlinearity.a3=-0.1 "
                         "--set training.nonlinearity.input=partial_sum --set training.device.ratio=3 "
                         "--set training.device.nonlinearity=2 --set training.device.asymmetry=0.9 "
                         "--set training.adc_calibration=layer");
  ASSERT_EQ(trained.status, 0) << trained.output;
  const auto networks = training::TrainedNetworks::load(p.artifact("checkpoint.h5"));
  std::vector<std::string> names;
  for (const auto& arm : networks.arms) names.push_back(arm.name);
  EXPECT_EQ(names, (std::vector<std::string>{"ideal", "no_noise", "nonlinear", "device", "device_nonlinear"}));
  ASSERT_EQ(networks.ranges.size(), 2u);
  ASSERT_EQ(networks.nonlinear_ranges.size(), 2u);
  for (std::size_t l = 0; l < 2; ++l) {
    EXPECT_GT(networks.ranges[l].adc_range, 0.0);
    EXPECT_GT(networks.nonlinear_ranges[l].adc_range, networks.ranges[l].adc_range);  // 4 bits of input at once
  }
  EXPECT_FALSE(networks.arm("nonlinear").network->matrix_layers()[0]->has_device());
  const auto& device = networks.arm("device").network->options().quantization.device;
  EXPECT_EQ(device.ratio, 3.0);
  EXPECT_EQ(device.asymmetry, 0.9);
  EXPECT_EQ(device.gradient, training::DeviceGradient::kSmooth);
}

TEST(HardwareModes, LayersHaveBitsOfTheirOwn) {
  const CliProject p;
  p.replace("errata.toml", "[training]", "[[training.layer]]\nname = \"linear1\"\nweight_bits = 5\n[training]");
  const auto trained =
      p.run("train", std::string(kNoTable) + "--set training.adaptation_epochs=0 --set training.last_layer=digital");
  ASSERT_EQ(trained.status, 0) << trained.output;
  const auto network = training::read_network(Hdf5Reader(p.artifact("checkpoint.h5")), "/arms/ideal");
  EXPECT_EQ(network->matrix_layers()[0]->quantization().weight_bits, 5);
  EXPECT_EQ(network->matrix_layers()[0]->quantization().input_bits, 4);
  EXPECT_FALSE(network->matrix_layers()[1]->is_quantized());

  p.replace("errata.toml", "\"linear1\"", "\"linaer1\"");
  const auto wrong = p.run("train", std::string(kNoTable) + "--set training.adaptation_epochs=0");
  EXPECT_EQ(wrong.status, 3) << wrong.output;
  EXPECT_NE(wrong.output.find("did you mean 'linear1'?"), std::string::npos) << wrong.output;
  EXPECT_NE(wrong.output.find("errata.toml:"), std::string::npos) << wrong.output;
}

TEST(HardwareModes, ATrainedNetworkIsAdaptedToAnotherTable) {
  const CliProject p;
  const auto table = p.path() / "other.h5";
  auto other = testing::synthetic_table();
  other.rows = 16;
  other.adc.range = 16.0;
  other.save(table);
  ASSERT_EQ(p.run("train", "--set training.adaptation_epochs=0 --set training.train_images=300").status, 0);
  const std::string from = "--from " + p.artifact("checkpoint.h5").string();
  const auto adapted = p.run("train", from + " --set training.train_images=300 --table " + table.string());
  ASSERT_EQ(adapted.status, 0) << adapted.output;
  const auto networks = training::TrainedNetworks::load(p.artifact("adapted/checkpoint.h5"));
  EXPECT_EQ(networks.arms[0].name, "start");
  EXPECT_EQ(networks.arms[1].name, "error_aware");
  const auto before = training::TrainedNetworks::load(p.artifact("checkpoint.h5"));
  EXPECT_EQ(networks.arms[0].network->parameters()[0]->value, before.arms[0].network->parameters()[0]->value);
  EXPECT_NE(networks.arms[1].network->parameters()[0]->value, before.arms[0].network->parameters()[0]->value);
  const auto again = p.run("train", from + " --set training.train_images=300 --table " + table.string());
  EXPECT_NE(again.output.find("fresh"), std::string::npos) << again.output;
  const auto evaluated =
      p.run("evaluate", "--hardware table --chips 2 --images 20 --checkpoint " +
                            p.artifact("adapted/checkpoint.h5").string() + " --table " + table.string());
  EXPECT_EQ(evaluated.status, 0) << evaluated.output;
  EXPECT_EQ(p.run("train", "--table " + table.string()).status, 2);
  EXPECT_EQ(p.run("train", "--from nowhere.h5").status, 4);
}

}  // namespace
}  // namespace errata
