#include "verification/workload.h"

#include <gtest/gtest.h>

namespace errata::verification {
namespace {

TEST(CaptureWorkload, EveryColumnHasTheAdcOfItsLayer) {
  const auto data = training::load_data_set("glyphs", {.seed = 1, .train_images = 1, .test_images = 16});
  training::NetworkOptions options;
  options.name = "mlp";
  options.input = data.shape;
  options.hidden = {8};
  options.quantization = {3, 4};
  const auto network = training::make_network(options, 1);
  training::HardwareOptions hardware{64, 4, 3, 4, AdcOptions{6, 32.0}};
  hardware.layers.push_back({.layer = std::string(network->matrix_layers()[1]->name()), .adc_range = 12.0});
  const auto workload = capture_workload(*network, data, hardware, {.operands_per_column = 2});
  ASSERT_EQ(workload.size(), 32u);
  for (const auto& w : workload) {
    EXPECT_EQ(w.adc.bits, 6);
    EXPECT_EQ(w.adc.range, w.layer == 1 ? 12.0 : 32.0) << w.layer;
  }
}

}  // namespace
}  // namespace errata::verification
