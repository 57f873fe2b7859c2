#include "training/optimization/schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "core/error.h"

namespace errata::training {

namespace {
constexpr std::array<std::string_view, 3> kNames{"cosine", "step", "constant"};
}

std::span<const std::string_view> schedule_names() { return kNames; }

void check_schedule(const ScheduleOptions& options) {
  std::vector<std::string> problems;
  if (std::ranges::find(kNames, options.name) == kNames.end())
    problems.push_back(fmt::format("no schedule is called '{}'; known: {}", options.name, fmt::join(kNames, ", ")));
  if (!(options.learning_rate > 0.0) || !std::isfinite(options.learning_rate))
    problems.push_back(fmt::format("learning_rate = {}, need > 0", options.learning_rate));
  if (!(options.final_fraction >= 0.0 && options.final_fraction <= 1.0))
    problems.push_back(fmt::format("final_fraction = {}, need 0 … 1", options.final_fraction));
  if (!(options.step_factor > 0.0)) problems.push_back(fmt::format("step_factor = {}, need > 0", options.step_factor));
  if (options.step_epochs == 0) problems.push_back("step_epochs = 0, need at least 1");
  if (!problems.empty())
    throw Error(ExitStatus::kInvalidProject, "E510", fmt::format("schedule: {}", fmt::join(problems, "; ")));
}

double learning_rate_at(const ScheduleOptions& options, std::uint64_t step, std::uint64_t steps_per_epoch,
                        std::uint64_t total_steps) {
  if (step < options.warmup_steps)
    return options.learning_rate * static_cast<double>(step + 1) / static_cast<double>(options.warmup_steps + 1);
  if (options.name == "constant") return options.learning_rate;
  if (options.name == "step") {
    const std::uint64_t epoch = step / std::max<std::uint64_t>(steps_per_epoch, 1);
    return options.learning_rate * std::pow(options.step_factor, static_cast<double>(epoch / options.step_epochs));
  }
  const std::uint64_t length = total_steps > options.warmup_steps ? total_steps - options.warmup_steps : 1;
  const double done = std::min(1.0, static_cast<double>(step - options.warmup_steps) / static_cast<double>(length));
  const double wave = 0.5 * (1.0 + std::cos(std::numbers::pi * done));
  return options.learning_rate * (options.final_fraction + (1.0 - options.final_fraction) * wave);
}

}  // namespace errata::training
