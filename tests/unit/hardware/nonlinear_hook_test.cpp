// The curve in networks: against bit-true evaluation, and its gradients.
#include "training/hardware/nonlinear_hook.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/random_stream.h"
#include "tests/support/synthetic_table.h"
#include "tests/unit/training/gradient_check.h"
#include "training/hardware/bit_true_hook.h"
#include "training/hardware/table_conversion.h"
#include "training/network/network.h"

namespace errata::training {
namespace {

struct Example {
  std::unique_ptr<Network> network;
  Tensor images;
};

Example example(QuantizationOptions bits) {
  Example e;
  NetworkOptions options;
  options.name = "lenet5";
  options.input = {16, 16, 1};
  options.quantization = bits;
  e.network = make_network(options, 3);
  e.images.resize(20, options.input);
  RandomStream stream(1, StreamPurpose::kTest);
  for (float& value : e.images.values()) value = static_cast<float>(std::max(0.0, stream.normal()));
  e.network->forward(e.images, {});  // sets the input steps
  return e;
}

std::vector<float> logits(Example& e, ProductHook* hook) {
  const Tensor& out = e.network->forward(e.images, {.hook = hook});
  return {out.data(), out.data() + out.size()};
}

constexpr NonlinearCurve kCompression{CurveForm::kPolynomial, {0.0, 0.0, 0.0, -0.1}};

HardwareOptions hardware(SignedScheme scheme, int dac_bits) {
  HardwareOptions h;
  h.rows_per_tile = 32;
  h.scheme = scheme;
  h.dac_bits = dac_bits;
  h.adc.bits = 6;
  h.adc.range = 32.0;
  h.adc.bipolar = scheme == SignedScheme::kDifferentialBeforeAdc;
  h.layers = {{"conv2", 16, 5, 64.0}};
  return h;
}

/// Conversion by conversion, the fast hook is what bit-true evaluation makes of the same curve.
TEST(NonlinearHook, EqualsBitTrueConversions) {
  for (const auto scheme :
       {SignedScheme::kDifferentialBeforeAdc, SignedScheme::kDifferentialAfterAdc, SignedScheme::kOffsetColumn})
    for (const int dac_bits : {1, 2}) {
      Example e = example({4, 4});  // two slices of cells with four levels
      const HardwareOptions h = hardware(scheme, dac_bits);
      auto table = ideal_table(errata::testing::synthetic_table());
      table.signed_scheme = std::string(kSignedSchemeNames[static_cast<std::size_t>(scheme)]);
      table.inputs = std::size_t{1} << dac_bits;
      table.level.resize(table.levels * (table.inputs - 1));
      table.cell_sigma.assign(table.level.size(), 0.0);
      for (std::size_t x = 1; x < table.inputs; ++x)
        for (std::size_t w = 0; w < table.levels; ++w) table.level[table.kind(x, w)] = static_cast<double>(x * w);
      const TableConversion exact(table);
      std::vector<double> full_scale;
      for (const MatrixLayer* layer : e.network->matrix_layers()) full_scale.push_back(h.of(*layer).adc.range);
      const NonlinearConversion conversion(exact, kCompression, full_scale);
      BitTrueHook slow(conversion, h, 1, 0);
      NonlinearHook fast({kCompression, CurveInput::kConversion, h});
      const auto by_slow = logits(e, &slow), by_fast = logits(e, &fast), ideal = logits(e, nullptr);
      // fp32 against double: a value at a transition may fall to the other side, which is rare.
      std::size_t different = 0;
      for (std::size_t i = 0; i < by_slow.size(); ++i) different += std::fabs(by_slow[i] - by_fast[i]) > 1e-4f;
      EXPECT_LE(different, by_slow.size() / 20);
      EXPECT_NE(by_fast, ideal);
    }
}

TEST(NonlinearHook, WithoutCurveAndWithAFineAdcEqualsThePlainProduct) {
  Example e = example({4, 4});
  HardwareOptions h = hardware(SignedScheme::kDifferentialBeforeAdc, 1);
  h.layers.clear();
  h.adc = {.bits = 13, .range = 4096.0};  // step 1
  for (const CurveInput input : {CurveInput::kConversion, CurveInput::kPartialSum}) {
    NonlinearHook hook({NonlinearCurve::start(CurveForm::kPolynomial), input, h});
    EXPECT_EQ(logits(e, &hook), logits(e, nullptr));
  }
}

/// One conversion for each output: z = y_fs · q(Σ codes / y_fs), slope f' inside and 0 where it clips.
TEST(NonlinearHook, ProductAndSlopeOfANeuronAreThoseOfTheQuantiser) {
  HardwareOptions h;
  h.rows_per_tile = 64;
  h.adc = {.bits = 6, .range = 120.0};
  NetworkOptions options;
  options.name = "mlp";
  options.input = {1, 1, 40};
  options.hidden = {7};
  options.quantization = {4, 4};
  auto network = make_network(options, 2);
  const NonlinearOptions nonlinear{{CurveForm::kTanh, {0.8}}, CurveInput::kPartialSum, h};
  NonlinearHook hook(nonlinear);
  const Tensor images = random_tensor(19, options.input, 0.0, 1.0, 1);
  const BatchContext context{.training = true};
  network->forward(images, {.context = context, .hook = &hook});
  const MatrixLayer& first = *network->matrix_layers()[0];
  Tensor codes(3, options.input), product(3, {1, 1, 7}), slope(3, {1, 1, 7}), ideal(3, {1, 1, 7});
  for (std::size_t i = 0; i < codes.size(); ++i) codes.data()[i] = static_cast<float>(i % 16);
  hook.product(first, 0, context, codes, product, &slope);
  int clipped = 0;
  for (std::size_t image = 0; image < 3; ++image)
    for (std::size_t c = 0; c < 7; ++c) {
      double sum = 0.0;
      for (std::size_t j = 0; j < 40; ++j)
        sum += static_cast<double>(codes.image(image)[j]) * static_cast<double>(first.weight_codes()[j * 7 + c]);
      const QuantizedPoint expected = NonlinearQuantizer{nonlinear.curve, 120.0, 6}.at(sum);
      EXPECT_NEAR(product.image(image)[c], expected.value, 1e-4);
      EXPECT_NEAR(slope.image(image)[c], expected.slope, 1e-5);
      clipped += std::fabs(sum) > 90.0;
    }
  EXPECT_GT(clipped, 0);  // the curve was used where it bends
}

/// A slope against differences of the smooth curve: an ADC so fine that its steps are far below the difference.
TEST(NonlinearHook, SlopesAreThoseOfDifferences) {
  HardwareOptions h;
  h.rows_per_tile = 64;
  h.adc = {.bits = 16, .range = 64.0};
  NetworkOptions options;
  options.name = "mlp";
  options.input = {1, 1, 24};
  options.hidden = {5};
  options.quantization = {8, 8};
  auto network = make_network(options, 2);
  NonlinearHook hook({{CurveForm::kRational, {0.5}}, CurveInput::kPartialSum, h});
  const Tensor images = random_tensor(8, options.input, 0.0, 1.0, 1);
  network->forward(images, {.context = {.training = true}, .hook = &hook});
  const MatrixLayer& first = *network->matrix_layers()[0];
  Tensor codes(1, options.input), product(1, {1, 1, 5}), slope(1, {1, 1, 5}), moved(1, {1, 1, 5});
  for (std::size_t i = 0; i < codes.size(); ++i) codes.data()[i] = static_cast<float>((7 * i) % 3);
  hook.product(first, 0, {.training = true}, codes, product, &slope);
  for (std::size_t j = 0; j < 24; ++j) {
    codes.data()[j] += 1.0f;
    hook.product(first, 0, {.training = true}, codes, moved, nullptr);
    for (std::size_t c = 0; c < 5; ++c) {
      const double w = static_cast<double>(first.weight_codes()[j * 5 + c]);
      const double expected = static_cast<double>(slope.image(0)[c]) * w;
      // one code moves s by w / 64: f'' w² / 64² / 2 · 64 at most, and half a step of 2⁻⁹
      EXPECT_NEAR(static_cast<double>(moved.image(0)[c] - product.image(0)[c]), expected, 0.01 * w * w + 0.005);
    }
    codes.data()[j] -= 1.0f;
  }
}

/// Share of clipped conversions by layer, the layers seeing what they see in an ideal run.
class ClipCounter final : public ProductHook {
 public:
  explicit ClipCounter(NonlinearHook& inner) : inner_(inner) {}
  std::vector<double> share;
  void begin_batch(Network& network, const BatchContext& context) override { inner_.begin_batch(network, context); }
  void product(const MatrixLayer& layer, std::size_t shard, const BatchContext& context, const Tensor& codes,
               Tensor& product, Tensor* slope) override {
    inner_.product(layer, shard, context, codes, product, slope);
    const auto values = std::as_const(*slope).values();
    share.push_back(static_cast<double>(std::ranges::count(values, 0.0f)) / static_cast<double>(values.size()));
    layer.ideal_product(codes, product);
  }

 private:
  NonlinearHook& inner_;
};

TEST(CalibrateRanges, ClipWhatTheyWereAskedTo) {
  Example e = example({4, 4});
  e.images.resize(16, e.images.shape());  // one shard: all that calibration looks at
  NonlinearOptions options{NonlinearCurve::start(CurveForm::kPolynomial), CurveInput::kPartialSum, {}};
  options.hardware.rows_per_tile = 512;  // one conversion for each output
  options.hardware.adc.bits = 12;
  for (const double clipped : {0.05, 0.0}) {
    options.hardware.layers = calibrate_ranges(*e.network, e.images, hardware_of(options), clipped);
    ASSERT_EQ(options.hardware.layers.size(), e.network->matrix_layers().size());
    EXPECT_EQ(options.hardware.layers[1].layer, "conv2");
    NonlinearHook hook(options);
    ClipCounter counter(hook);
    e.network->forward(e.images, {.context = {.training = true}, .hook = &counter});
    for (const double share : counter.share) {
      // Ranges are whole MAC units, and the highest code lies one step below the range: a little less or more.
      EXPECT_LE(share, clipped + 0.01);
      EXPECT_GE(share, 0.5 * clipped);
    }
  }
}

TEST(HardwareOptions, LayersHaveTheirOwnSettings) {
  Example e = example({4, 4});
  const HardwareOptions h = hardware(SignedScheme::kDifferentialBeforeAdc, 1);
  const HardwareOptions first = h.of(*e.network->matrix_layers()[0]), second = h.of(*e.network->matrix_layers()[1]);
  EXPECT_EQ(first.adc.range, 32.0);
  EXPECT_EQ(first.weight_bits, 4);
  EXPECT_EQ(second.adc.range, 64.0);
  EXPECT_EQ(second.adc.bits, 5);
  EXPECT_EQ(second.rows_per_tile, 16u);
}

}  // namespace
}  // namespace errata::training
