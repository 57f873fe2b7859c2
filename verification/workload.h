#pragma once

#include <vector>

#include "core/operand_design.h"
#include "training/data/data_set.h"
#include "training/hardware/hardware_mapping.h"
#include "training/network/network.h"

namespace errata::verification {

/// Operands of one physical column as a trained network really uses it.
struct WorkloadColumn {
  std::size_t layer = 0;
  std::uint64_t column = 0;  ///< physical number on the chip
  ColumnOperands operands;   ///< rows of the array; inputs are digits of real activations
  AdcOptions adc;            ///< of the layer, its calibrated range included
};

/// What to capture.
struct WorkloadOptions {
  std::size_t columns_per_layer = 16;
  std::size_t operands_per_column = 64;
  std::size_t array_rows = 64;
  std::uint64_t seed = 1;
};

/// Runs the network ideally over the first test images and samples, per layer, columns with their stored levels and
/// digits of the inputs that reach them: uniformly over positions and digits, as the hardware sees them.
std::vector<WorkloadColumn> capture_workload(training::Network& network, const training::DataSet& data,
                                             const training::HardwareOptions& hardware, const WorkloadOptions& options);

}  // namespace errata::verification
