#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace errata::training {

/// Learning rate over training.
struct ScheduleOptions {
  std::string name = "cosine";     ///< "cosine", "step", "constant"
  double learning_rate = 1e-3;     ///< largest rate; > 0
  double final_fraction = 0.0;     ///< cosine: rate at the end, as a fraction of learning_rate; 0 … 1
  double step_factor = 0.1;        ///< step: factor after every `step_epochs` epochs; > 0
  std::uint64_t step_epochs = 10;  ///< step: at least 1
  std::uint64_t warmup_steps = 0;  ///< linear rise from 0 over this many steps, before any of them
};

/// Checks names and domains; all problems in one Error (project, E510).
void check_schedule(const ScheduleOptions& options);

/// Learning rate of optimiser step `step` (0-based) of `total_steps`, with `steps_per_epoch` steps an epoch.
/// A pure function, so resuming needs nothing but the step.
double learning_rate_at(const ScheduleOptions& options, std::uint64_t step, std::uint64_t steps_per_epoch,
                        std::uint64_t total_steps);

/// Names that ScheduleOptions knows.
std::span<const std::string_view> schedule_names();

}  // namespace errata::training
