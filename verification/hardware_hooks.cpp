#include "verification/hardware_hooks.h"

#include "training/hardware/bit_true_hook.h"
#include "training/hardware/composed_hook.h"
#include "training/network/network_transform.h"

namespace errata::verification {

ChipHook bit_true_hook(const training::ConversionModel& model, training::HardwareOptions hardware, std::uint64_t seed) {
  return [&model, hardware = std::move(hardware), seed](std::uint64_t chip) {
    return std::make_unique<training::BitTrueHook>(model, hardware, seed, chip);
  };
}

ChipHook composed_hook(const errormodel::ErrorTable& table, training::HardwareOptions hardware, std::uint64_t seed,
                       const training::Network& network, const training::Tensor& calibration) {
  const training::ComposedOptions options{.hardware = std::move(hardware), .seed = seed};
  const auto calibrated = std::make_shared<training::ComposedHook>(table, options);
  calibrated->calibrate(*training::copy_of(network), calibration);
  return [calibrated](std::uint64_t chip) { return calibrated->for_chip(chip); };
}

ChipHook nonlinear_hook(training::NonlinearOptions options) {
  return [options = std::move(options)](std::uint64_t) { return std::make_unique<training::NonlinearHook>(options); };
}

std::vector<LayerSensitivity> layer_sensitivity(const training::Network& network,
                                                const training::ConversionModel& errors,
                                                const training::ConversionModel& exact,
                                                const training::HardwareOptions& hardware,
                                                const training::DataSet& data, const StudyOptions& options,
                                                const RunContext& context) {
  StudyOptions one = options;
  one.chips = 1;
  const ChipHook ideal = bit_true_hook(exact, hardware, options.seed);
  const double reference = accuracy_of_chips(network, ideal, data, one, "ideal hardware", context)[0];
  std::vector<LayerSensitivity> all;
  for (const training::MatrixLayer* layer : network.matrix_layers()) {
    if (!layer->is_quantized()) continue;
    const LayerConversion conversion(errors, exact, layer->index());
    std::vector<double> loss =
        accuracy_of_chips(network, bit_true_hook(conversion, hardware, options.seed), data, options,
                          std::string("errors in ") + std::string(layer->name()), context);
    for (double& value : loss) value = reference - value;
    const double only = loss[0];
    all.push_back(
        {std::string(layer->name()), loss.size() > 1 ? mean_interval(loss, 0.95) : Interval{only, only, only}});
  }
  return all;
}

}  // namespace errata::verification
