#pragma once

#include <cstdint>
#include <vector>

#include "behavioral/model.h"

namespace errata::behavioral {

/// Columns side by side that read the same inputs.
struct BatchColumns {
  std::size_t rows = 0;              ///< at most the array's; further rows of it store level 0 and are never active
  std::vector<std::uint8_t> inputs;  ///< input levels [operands][rows]
  std::vector<std::uint8_t> levels;  ///< stored levels [columns][branches of the model][rows]
};

struct BatchOptions {
  std::uint64_t seed = 1;
  std::uint64_t first_chip = 0, first_column = 0;  ///< numbers of the physical chips and columns
  std::size_t chips = 1;
  std::size_t reads = 0;  ///< noisy reads of each conversion; 0: one, without noise
  int jobs = 1;
};

/// Conversions before the ADC in MAC units, [chips][columns][operands][reads, at least 1]. Static draws are those of
/// BehavioralModel::prepare; the noise of read r is number r of RandomStream(seed, kDynamicRead, column, operand,
/// chip). The same bytes for any number of jobs. Throws Error (E700) when the sizes contradict each other.
std::vector<float> convert_batch(const BehavioralModel& model, const BatchColumns& columns,
                                 const BatchOptions& options);

/// The same, one conversion at a time in double and with the noise of every source by its exact gain: what
/// convert_batch is tested against. Noise-free values agree within 1e-4 of the largest, σ within 5 %.
std::vector<double> convert_plainly(const BehavioralModel& model, const BatchColumns& columns,
                                    const BatchOptions& options);

}  // namespace errata::behavioral
