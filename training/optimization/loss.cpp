#include "training/optimization/loss.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace errata::training {

namespace {

/// log Σ exp(logit), computed around the largest.
double log_sum_exp(std::span<const float> logits) {
  const auto largest = static_cast<double>(*std::ranges::max_element(logits));
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  return largest + std::log(sum);
}

void check_label(std::uint8_t label, std::size_t classes) {
  if (label >= classes)
    throw Error(ExitStatus::kComputation, "E507",
                fmt::format("label {} does not fit a network of {} classes", label, classes));
}

}  // namespace

LossSums& LossSums::operator+=(const LossSums& other) {
  loss += other.loss;
  correct += other.correct;
  images += other.images;
  return *this;
}

std::size_t predicted_class(std::span<const float> logits) {
  return static_cast<std::size_t>(std::ranges::max_element(logits) - logits.begin());
}

LossSums cross_entropy(const Tensor& logits, std::span<const std::uint8_t> labels, const LossOptions& options) {
  const double smoothing = options.label_smoothing;
  LossSums sums;
  sums.images = logits.images();
  for (std::size_t i = 0; i < logits.images(); ++i) {
    const auto row = logits.image(i);
    check_label(labels[i], row.size());
    double target = static_cast<double>(row[labels[i]]);
    if (smoothing > 0.0) {
      double mean = 0.0;
      for (const float logit : row) mean += static_cast<double>(logit) / static_cast<double>(row.size());
      target = (1.0 - smoothing) * target + smoothing * mean;
    }
    sums.loss += log_sum_exp(row) - target;
    sums.correct += predicted_class(row) == labels[i] ? 1 : 0;
  }
  return sums;
}

void cross_entropy_gradient(const Tensor& logits, std::span<const std::uint8_t> labels, const LossOptions& options,
                            Tensor& gradient) {
  gradient.resize(logits.images(), logits.shape());
  const double share = 1.0 / static_cast<double>(logits.images());
  for (std::size_t i = 0; i < logits.images(); ++i) {
    const auto row = logits.image(i);
    check_label(labels[i], row.size());
    const auto out = gradient.image(i);
    const double normaliser = log_sum_exp(row);
    const double even = options.label_smoothing / static_cast<double>(row.size());
    for (std::size_t k = 0; k < row.size(); ++k) {
      const double target = even + (k == labels[i] ? 1.0 - options.label_smoothing : 0.0);
      const double probability = std::exp(static_cast<double>(row[k]) - normaliser);
      out[k] = static_cast<float>(share * (probability - target));
    }
  }
}

}  // namespace errata::training
