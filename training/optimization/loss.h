#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "training/layers/tensor.h"

namespace errata::training {

/// Sums over one batch or one data set.
struct LossSums {
  double loss = 0.0;  ///< Σ cross-entropy [nat]
  std::size_t correct = 0;
  std::size_t images = 0;

  double mean_loss() const { return images > 0 ? loss / static_cast<double>(images) : 0.0; }
  double accuracy() const { return images > 0 ? static_cast<double>(correct) / static_cast<double>(images) : 0.0; }
  LossSums& operator+=(const LossSums& other);
};

/// What the loss is.
struct LossOptions {
  /// Share of the target that is spread evenly over all classes (Szegedy et al. 2016, §7); 0 … below 1.
  double label_smoothing = 0.0;
};

/// Softmax cross-entropy of logits [n,1,1,classes] against labels, summed in image order in double.
/// A label beyond the classes is an Error (computation, E507).
LossSums cross_entropy(const Tensor& logits, std::span<const std::uint8_t> labels, const LossOptions& options = {});

/// Gradient of the batch's mean loss with respect to the logits, written into `gradient` (logits' shape).
void cross_entropy_gradient(const Tensor& logits, std::span<const std::uint8_t> labels, const LossOptions& options,
                            Tensor& gradient);

/// Class with the largest logit, the first one of equals.
std::size_t predicted_class(std::span<const float> logits);

}  // namespace errata::training
