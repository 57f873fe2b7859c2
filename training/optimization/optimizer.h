#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "training/layers/layer.h"

namespace errata::training {

/// How parameters follow their gradients.
struct OptimizerOptions {
  std::string name = "adam";  ///< "sgd", "adam", "adamw"
  double momentum = 0.9;      ///< sgd: v ← momentum · v + g, w ← w − rate · v; 0 … below 1
  bool nesterov = false;  ///< sgd: w ← w − rate · (g + momentum · v) with the new v (Nesterov, as Sutskever 2013)
  double beta1 = 0.9;     ///< adam, adamw: decay of the first moment
  double beta2 = 0.999;   ///< adam, adamw: decay of the second moment
  double epsilon = 1e-8;  ///< adam, adamw: added to √v̂
  /// Pull of matrices towards 0, not of biases, batch norm and quantiser steps. sgd, adam: added to the
  /// gradient; adamw: w ← w − rate · decay · w (Loshchilov and Hutter 2019).
  double weight_decay = 0.0;
};

/// Gradient descent over a fixed list of parameters. Not thread safe.
class Optimizer {
 public:
  /// Unknown names and options out of their domain are an Error (project, E509) that lists all of them.
  Optimizer(OptimizerOptions options, std::span<Parameter* const> parameters);

  const OptimizerOptions& options() const { return options_; }
  /// One step along the parameters' gradients; bounded parameters stay above their minimum.
  void step(double learning_rate);

  /// State for checkpoints: number of steps made, and per parameter the moments (1 for sgd, 2 for adam).
  std::uint64_t steps() const { return steps_; }
  std::size_t moment_count() const { return is_adam() ? 2 : 1; }
  std::span<const float> moment(std::size_t which, std::size_t parameter) const { return moments_[which][parameter]; }
  /// Takes back a saved state; sizes must match those of moment().
  void restore(std::uint64_t steps, std::vector<std::vector<std::vector<float>>> moments);

 private:
  bool is_adam() const { return options_.name != "sgd"; }
  void step_sgd(std::size_t index, double learning_rate);
  void step_adam(std::size_t index, double learning_rate);

  OptimizerOptions options_;
  std::vector<Parameter*> parameters_;
  std::vector<std::vector<std::vector<float>>> moments_;  ///< [moment][parameter][value]
  std::uint64_t steps_ = 0;
};

/// Names that Optimizer knows.
std::span<const std::string_view> optimizer_names();

/// Length of the gradient of all parameters together, summed in double in their order.
double gradient_norm(std::span<Parameter* const> parameters);

/// Scales all gradients so that their norm is at most `limit` (> 0). Returns the norm before.
double clip_gradients(std::span<Parameter* const> parameters, double limit);

}  // namespace errata::training
