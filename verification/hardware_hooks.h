#pragma once

#include <memory>
#include <vector>

#include "errormodel/error_table.h"
#include "training/hardware/conversion_model.h"
#include "training/hardware/nonlinear_hook.h"
#include "verification/chip_study.h"

namespace errata::verification {

/// Conversions with errors in one layer; the others by another model.
class LayerConversion final : public training::ConversionModel {
 public:
  /// Both models must outlive this one.
  LayerConversion(const training::ConversionModel& errors, const training::ConversionModel& exact, std::size_t layer)
      : errors_(errors), exact_(exact), layer_(layer) {}
  std::unique_ptr<training::PreparedTile> prepare(const training::Tile& tile, std::uint64_t seed,
                                                  std::uint64_t chip) const override {
    return (tile.layer == layer_ ? errors_ : exact_).prepare(tile, seed, chip);
  }

 private:
  const training::ConversionModel &errors_, &exact_;
  std::size_t layer_;
};

/// Bit-true hardware of a conversion model, which must outlive the result.
ChipHook bit_true_hook(const training::ConversionModel& model, training::HardwareOptions hardware, std::uint64_t seed);

/// Composed hardware as training sees it, on the chips that bit-true evaluation knows under the same number. Operand
/// statistics come from `calibration` run through the network, once. The table must outlive the result.
ChipHook composed_hook(const errormodel::ErrorTable& table, training::HardwareOptions hardware, std::uint64_t seed,
                       const training::Network& network, const training::Tensor& calibration);

/// A curve in every conversion; the same for every chip.
ChipHook nonlinear_hook(training::NonlinearOptions options);

/// Layer by layer: accuracy lost to errors in that layer alone, against `exact` in all layers, chip by chip.
std::vector<LayerSensitivity> layer_sensitivity(const training::Network& network,
                                                const training::ConversionModel& errors,
                                                const training::ConversionModel& exact,
                                                const training::HardwareOptions& hardware,
                                                const training::DataSet& data, const StudyOptions& options,
                                                const RunContext& context);

}  // namespace errata::verification
