#include "training/optimization/learning_rate_finder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "core/error.h"
#include "training/network/network_transform.h"

namespace errata::training {

namespace {

void check(const RateTestOptions& o) {
  std::vector<std::string> problems;
  if (!(o.lowest > 0.0 && o.highest > o.lowest))
    problems.push_back(fmt::format("rates {} … {}, need 0 < lowest < highest", o.lowest, o.highest));
  if (o.steps < 10) problems.push_back(fmt::format("{} steps, need at least 10", o.steps));
  if (!(o.smoothing >= 0.0 && o.smoothing < 1.0))
    problems.push_back(fmt::format("smoothing = {}, need 0 ≤ smoothing < 1", o.smoothing));
  if (!(o.divergence > 1.0)) problems.push_back(fmt::format("divergence = {}, need > 1", o.divergence));
  if (!problems.empty())
    throw Error(ExitStatus::kInvalidProject, "E512", fmt::format("learning-rate test: {}", fmt::join(problems, "; ")));
}

/// Slope of a straight line through smoothed losses around a point, against log rate: of single differences noise would
/// choose the steepest.
double slope_at(const std::vector<RateTestPoint>& curve, std::size_t centre) {
  constexpr std::size_t kReach = 3;
  const std::size_t first = centre - std::min(centre, kReach), last = std::min(centre + kReach, curve.size() - 1);
  double count = 0, x = 0, y = 0, xx = 0, xy = 0;
  for (std::size_t i = first; i <= last; ++i) {
    const double log_rate = std::log(curve[i].learning_rate);
    count += 1;
    x += log_rate;
    y += curve[i].smoothed;
    xx += log_rate * log_rate;
    xy += log_rate * curve[i].smoothed;
  }
  return (count * xy - x * y) / (count * xx - x * x);
}

std::optional<double> suggestion_of(const std::vector<RateTestPoint>& curve) {
  std::optional<double> rate;
  double steepest = 0.0;
  // Beyond the least loss the rate is too large already.
  const auto least = std::ranges::min_element(curve, {}, &RateTestPoint::smoothed);
  for (std::size_t i = 0; i < static_cast<std::size_t>(least - curve.begin()); ++i) {
    const double slope = slope_at(curve, i);
    if (slope >= steepest) continue;
    steepest = slope;
    rate = curve[i].learning_rate;
  }
  return rate;
}

}  // namespace

RateTest test_learning_rates(const Network& network, const DataSet& data, const TrainingOptions& training,
                             const RateTestOptions& options) {
  check(options);
  const auto copy = copy_of(network);
  const Trainer checked(*copy, data, training);  // for its checks, and for the images it trains with
  Optimizer optimizer(training.optimizer, copy->parameters());
  const LossOptions loss{training.label_smoothing};
  BatchLoaderOptions batches = checked.loader_options(1);
  batches.epochs = options.steps;  // as many as it takes
  BatchLoader loader(data.train, data.shape, std::move(batches));
  RateTest result;
  double average = 0.0, least = 0.0;
  for (std::size_t step = 0; step < options.steps; ++step) {
    const LoadedBatch& loaded = *loader.next();
    const std::vector<std::uint8_t>& labels = loaded.batch.labels;
    copy->forward(loaded.batch.images,
                  {{true, training.seed, loaded.epoch, step, loaded.first_image}, nullptr, options.threads});
    const double value = copy->loss(labels, loss).mean_loss();
    if (!std::isfinite(value)) break;
    const double share = static_cast<double>(step) / static_cast<double>(options.steps - 1);
    average = options.smoothing * average + (1.0 - options.smoothing) * value;
    const double smoothed = average / (1.0 - std::pow(options.smoothing, static_cast<double>(step + 1)));
    const double rate = options.lowest * std::pow(options.highest / options.lowest, share);
    result.curve.push_back({rate, value, smoothed});
    least = step == 0 ? smoothed : std::min(least, smoothed);
    if (smoothed > options.divergence * least) break;
    copy->backward(labels, loss);
    if (training.gradient_limit > 0.0) clip_gradients(copy->parameters(), training.gradient_limit);
    optimizer.step(rate);
  }
  result.suggestion = suggestion_of(result.curve);
  return result;
}

}  // namespace errata::training
