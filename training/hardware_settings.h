#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/settings.h"
#include "errormodel/error_table.h"
#include "training/hardware/nonlinear_hook.h"
#include "training/layers/quantizer.h"
#include "training/network/network_description.h"

namespace errata::training {

/// Hardware of a project with the cells and the signed scheme of its table.
HardwareOptions hardware_options(const Settings& settings, const errormodel::ErrorTable& table);
/// The same from the project file alone, where there is no table yet. [[training.layer]] gives the exceptions by layer.
HardwareOptions hardware_options(const Settings& settings);
/// Adds ranges that were calibrated; what [[training.layer]] says wins.
HardwareOptions with_ranges(HardwareOptions hardware, const std::vector<LayerHardware>& ranges);

/// [training.nonlinearity]; nothing for `none`. The hardware's ranges are left to calibration.
std::optional<NonlinearOptions> nonlinear_options(const Settings& settings, const HardwareOptions& hardware);

/// [training.device]; off without a ratio or levels.
DeviceOptions device_options(const Settings& settings);

/// First and last layer and [[training.layer]]: which layers are digital, and bits of their own. A name that no matrix
/// layer has is a ProjectError (E518).
void apply_layer_settings(const Settings& settings, NetworkDescription& description);

}  // namespace errata::training
