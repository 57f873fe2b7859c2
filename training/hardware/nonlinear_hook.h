#pragma once

#include <memory>
#include <vector>

#include "training/hardware/conversion_model.h"
#include "training/hardware/nonlinear_quantizer.h"
#include "training/product_hook.h"

namespace errata::training {

/// What one application of the curve sees.
enum class CurveInput : std::uint8_t {
  kConversion,  ///< one digit of the inputs on one weight slice, as the array of the project converts it
  kPartialSum,  ///< the whole multi-bit sum of a tile, as a neuron with analog inputs and weights (Conrad et al.) has
                ///< it
};

/// A curve in every column of a network.
struct NonlinearOptions {
  NonlinearCurve curve;
  CurveInput input = CurveInput::kConversion;
  HardwareOptions hardware;  ///< tiles and ADC; y_fs is the ADC's range, by layer where the hardware has one
};

/// Hardware that a curve's input asks for: kPartialSum has one digit and one slice.
HardwareOptions hardware_of(const NonlinearOptions& options);

/// NonlinearQuantizer in the product of every quantised layer (methods.md §4.1): each conversion on its own, then exact
/// shift-and-add. Deterministic. Devices (DeviceOptions) keep their real weights.
///
/// The slope of an output is the mean of its conversions' f', weighted as they are added; exact where an output is one
/// conversion.
class NonlinearHook final : public ProductHook {
 public:
  explicit NonlinearHook(NonlinearOptions options);

  void begin_batch(Network& network, const BatchContext& context) override;
  void product(const MatrixLayer& layer, std::size_t shard, const BatchContext& context, const Tensor& codes,
               Tensor& product, Tensor* slope) override;

 private:
  struct MappedTile {
    Tile tile;
    std::vector<float> weight;  ///< [rows][conversions]
  };
  struct LayerState {
    HardwareOptions hardware;
    NonlinearQuantizer quantizer;
    std::vector<MappedTile> tiles;
    float weight_sum = 1.0f;  ///< of all conversions of an output
  };

  void add_tile(const LayerState& state, const MappedTile& mapped, const MatrixLayer& layer, const Tensor& codes,
                Tensor& product, Tensor* slope) const;

  NonlinearOptions options_;
  std::vector<LayerState> layers_;
};

/// The same curve before the ADC of any conversion model, for bit-true evaluation: y ← y_fs · f(y / y_fs).
class NonlinearConversion final : public ConversionModel {
 public:
  /// `inner` must outlive the model. `full_scale` by layer.
  NonlinearConversion(const ConversionModel& inner, NonlinearCurve curve, std::vector<double> full_scale)
      : inner_(inner), curve_(curve), full_scale_(std::move(full_scale)) {}
  std::unique_ptr<PreparedTile> prepare(const Tile& tile, std::uint64_t seed, std::uint64_t chip) const override;

 private:
  const ConversionModel& inner_;
  NonlinearCurve curve_;
  std::vector<double> full_scale_;
};

/// ADC ranges by layer from the ideal run of a network over `images`: each the smallest whole range that clips at most
/// `clipped` of the layer's conversions (calibrated_range). Exceptions for hardware.layers; one for each quantised
/// layer.
std::vector<LayerHardware> calibrate_ranges(Network& network, const Tensor& images, const HardwareOptions& hardware,
                                            double clipped);

}  // namespace errata::training
