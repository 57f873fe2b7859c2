#include "training/optimization/optimizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "core/error.h"
#include "training/layers/sums.h"
#include "training/layers/vector_clones.h"

namespace errata::training {

namespace {

constexpr std::array<std::string_view, 3> kNames{"sgd", "adam", "adamw"};

void check(const OptimizerOptions& options) {
  std::vector<std::string> problems;
  const auto fraction = [&](std::string_view key, double value) {
    if (!(value >= 0.0 && value < 1.0)) problems.push_back(fmt::format("{} = {}, need 0 ≤ {} < 1", key, value, key));
  };
  if (std::ranges::find(kNames, options.name) == kNames.end())
    problems.push_back(fmt::format("no optimiser is called '{}'; known: {}", options.name, fmt::join(kNames, ", ")));
  fraction("momentum", options.momentum);
  fraction("beta1", options.beta1);
  fraction("beta2", options.beta2);
  if (!(options.epsilon > 0.0)) problems.push_back(fmt::format("epsilon = {}, need > 0", options.epsilon));
  if (!(options.weight_decay >= 0.0))
    problems.push_back(fmt::format("weight_decay = {}, need ≥ 0", options.weight_decay));
  if (!problems.empty())
    throw Error(ExitStatus::kInvalidProject, "E509", fmt::format("optimiser: {}", fmt::join(problems, "; ")));
}

struct SgdStep {
  float momentum, rate, decay;
};

ERRATA_VECTOR_CLONES void sgd_step(const SgdStep& s, std::span<const float> gradient, std::span<float> velocity,
                                   std::span<float> value) {
  ERRATA_INDEPENDENT
  for (std::size_t i = 0; i < value.size(); ++i) {
    velocity[i] = s.momentum * velocity[i] + (gradient[i] + s.decay * value[i]);
    value[i] -= s.rate * velocity[i];
  }
}

ERRATA_VECTOR_CLONES void nesterov_step(const SgdStep& s, std::span<const float> gradient, std::span<float> velocity,
                                        std::span<float> value) {
  ERRATA_INDEPENDENT
  for (std::size_t i = 0; i < value.size(); ++i) {
    const float decayed = gradient[i] + s.decay * value[i];
    velocity[i] = s.momentum * velocity[i] + decayed;
    value[i] -= s.rate * (decayed + s.momentum * velocity[i]);
  }
}

struct AdamStep {
  float added, kept, beta1, beta2, new1, new2, rate, epsilon;
};

ERRATA_VECTOR_CLONES void adam_step(const AdamStep& s, std::span<const float> gradients, std::span<float> first,
                                    std::span<float> second, std::span<float> value) {
  ERRATA_INDEPENDENT
  for (std::size_t i = 0; i < value.size(); ++i) {
    const float gradient = gradients[i] + s.added * value[i];
    first[i] = s.beta1 * first[i] + s.new1 * gradient;
    second[i] = s.beta2 * second[i] + s.new2 * gradient * gradient;
    value[i] = s.kept * value[i] - s.rate * first[i] / (std::sqrt(second[i]) + s.epsilon);
  }
}

}  // namespace

std::span<const std::string_view> optimizer_names() { return kNames; }

Optimizer::Optimizer(OptimizerOptions options, std::span<Parameter* const> parameters)
    : options_(std::move(options)), parameters_(parameters.begin(), parameters.end()) {
  check(options_);
  moments_.resize(moment_count());
  for (auto& moment : moments_)
    for (const Parameter* parameter : parameters_) moment.emplace_back(parameter->value.size(), 0.0f);
}

void Optimizer::step(double learning_rate) {
  ++steps_;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (is_adam())
      step_adam(i, learning_rate);
    else
      step_sgd(i, learning_rate);
    Parameter& parameter = *parameters_[i];
    if (!parameter.bounded) continue;
    for (float& value : parameter.value) value = std::max(value, parameter.minimum);
  }
}

void Optimizer::step_sgd(std::size_t index, double learning_rate) {
  Parameter& parameter = *parameters_[index];
  SgdStep step;
  step.momentum = static_cast<float>(options_.momentum);
  step.rate = static_cast<float>(learning_rate);
  step.decay = static_cast<float>(parameter.decays ? options_.weight_decay : 0.0);
  if (options_.nesterov)
    nesterov_step(step, parameter.gradient, moments_[0][index], parameter.value);
  else
    sgd_step(step, parameter.gradient, moments_[0][index], parameter.value);
}

void Optimizer::step_adam(std::size_t index, double learning_rate) {
  Parameter& parameter = *parameters_[index];
  const double decay = parameter.decays ? options_.weight_decay : 0.0;
  const bool decoupled = options_.name == "adamw";
  const auto count = static_cast<double>(steps_);
  // rate · m̂ / (√v̂ + ε) with both bias corrections moved into the two constants.
  const double correction1 = 1.0 - std::pow(options_.beta1, count);
  const double correction2 = std::sqrt(1.0 - std::pow(options_.beta2, count));
  AdamStep step;
  step.added = static_cast<float>(decoupled ? 0.0 : decay);
  step.kept = static_cast<float>(decoupled ? 1.0 - learning_rate * decay : 1.0);
  step.beta1 = static_cast<float>(options_.beta1);
  step.beta2 = static_cast<float>(options_.beta2);
  step.new1 = static_cast<float>(1.0 - options_.beta1);
  step.new2 = static_cast<float>(1.0 - options_.beta2);
  step.rate = static_cast<float>(learning_rate * correction2 / correction1);
  step.epsilon = static_cast<float>(options_.epsilon * correction2);
  adam_step(step, parameter.gradient, moments_[0][index], moments_[1][index], parameter.value);
}

void Optimizer::restore(std::uint64_t steps, std::vector<std::vector<std::vector<float>>> moments) {
  bool fits = moments.size() == moments_.size();
  for (std::size_t which = 0; fits && which < moments.size(); ++which) {
    fits = moments[which].size() == moments_[which].size();
    for (std::size_t i = 0; fits && i < moments[which].size(); ++i)
      fits = moments[which][i].size() == moments_[which][i].size();
  }
  if (!fits) throw Error(ExitStatus::kBug, "E700", "optimiser state of another network");
  steps_ = steps;
  moments_ = std::move(moments);
}

double gradient_norm(std::span<Parameter* const> parameters) {
  double squares = 0.0;
  for (const Parameter* parameter : parameters) squares += dot(parameter->gradient, parameter->gradient);
  return std::sqrt(squares);
}

double clip_gradients(std::span<Parameter* const> parameters, double limit) {
  const double norm = gradient_norm(parameters);
  if (norm <= limit || !std::isfinite(norm)) return norm;
  const auto scale = static_cast<float>(limit / norm);
  for (Parameter* parameter : parameters)
    for (float& value : parameter->gradient) value *= scale;
  return norm;
}

}  // namespace errata::training
