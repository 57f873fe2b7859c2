#include "training/trainer.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <string>

#include "core/error.h"

namespace errata::training {

namespace {

void check(const TrainingOptions& options, const Network& network, const DataSet& data) {
  check_schedule(options.schedule);
  std::vector<std::string> problems;
  if (options.batch_size == 0) problems.push_back("batch_size = 0, need at least 1");
  if (options.progress_steps == 0) problems.push_back("progress_steps = 0, need at least 1");
  if (!(options.gradient_limit >= 0.0))
    problems.push_back(fmt::format("gradient_limit = {}, need ≥ 0", options.gradient_limit));
  if (data.train.count() == 0) problems.push_back(fmt::format("data set '{}' has no training images", data.name));
  if (!(data.shape == network.options().input))
    problems.push_back(fmt::format("the network takes {}×{}×{} images, data set '{}' has {}×{}×{}",
                                   network.options().input.height, network.options().input.width,
                                   network.options().input.channels, data.name, data.shape.height, data.shape.width,
                                   data.shape.channels));
  if (data.classes > network.classes())
    problems.push_back(
        fmt::format("the network has {} classes, data set '{}' has {}", network.classes(), data.name, data.classes));
  if (!problems.empty())
    throw Error(ExitStatus::kInvalidProject, "E512", fmt::format("training: {}", fmt::join(problems, "; ")));
}

}  // namespace

Trainer::Trainer(Network& network, const DataSet& data, TrainingOptions options)
    : network_(network),
      data_(data),
      options_(std::move(options)),
      optimizer_(options_.optimizer, network.parameters()) {
  check(options_, network_, data_);
}

std::uint64_t Trainer::steps_per_epoch() const {
  return (data_.train.count() + options_.batch_size - 1) / options_.batch_size;
}

Trainer::Outcome Trainer::run(const TrainingSinks& sinks) {
  const auto stopping = [&] { return sinks.should_stop && sinks.should_stop(); };
  const auto save = [&] {
    if (sinks.checkpoint) sinks.checkpoint(*this);
  };
  BatchLoader loader(data_.train, data_.shape, loader_options(sinks.threads));
  while (position_.epoch < options_.epochs) {
    while (position_.batch < steps_per_epoch()) {
      train_batch(sinks, loader);
      if (stopping()) {
        save();
        return Outcome::kStopped;
      }
      const bool due = sinks.checkpoint_steps > 0 && position_.step % sinks.checkpoint_steps == 0;
      if (due && position_.batch < steps_per_epoch()) save();
    }
    const bool finished = finish_epoch(sinks);
    save();
    if (!finished || (stopping() && position_.epoch < options_.epochs)) return Outcome::kStopped;
  }
  return Outcome::kFinished;
}

BatchLoaderOptions Trainer::loader_options(int threads) const {
  BatchLoaderOptions options;
  options.seed = options_.seed;
  options.batch_size = options_.batch_size;
  options.epochs = options_.epochs;
  options.first_epoch = position_.epoch;
  options.first_batch = position_.batch;
  options.augmentation = {options_.shift_pixels, options_.flip};
  options.normalization = network_.options().normalization;
  if (threads == 1) options.ahead = 0;
  return options;
}

void Trainer::train_batch(const TrainingSinks& sinks, BatchLoader& loader) {
  const auto began = std::chrono::steady_clock::now();
  const LoadedBatch& loaded = *loader.next();
  const std::vector<std::uint8_t>& labels = loaded.batch.labels;
  network_.forward(
      loaded.batch.images,
      {{true, options_.seed, position_.epoch, position_.step, loaded.first_image}, sinks.training_hook, sinks.threads});
  const LossSums sums = network_.loss(labels);
  if (!std::isfinite(sums.loss))
    throw Error(ExitStatus::kComputation, "E503", fmt::format("the loss is not finite at step {}", position_.step),
                "lower training.learning_rate");
  network_.backward(labels);
  if (options_.gradient_limit > 0.0) clip_gradients(network_.parameters(), options_.gradient_limit);
  optimizer_.step(learning_rate_at(options_.schedule, position_.step, steps_per_epoch(), total_steps()));

  ++position_.batch;
  ++position_.step;
  position_.epoch_sums += sums;
  position_.recent_sums += sums;
  recent_seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  recent_images_ += labels.size();
  if (position_.step % options_.progress_steps != 0) return;
  TrainingProgress now = progress(TrainingProgress::Event::kStep);
  now.train = position_.recent_sums;
  position_.recent_sums = {};
  report(sinks, now);
}

bool Trainer::finish_epoch(const TrainingSinks& sinks) {
  EvaluationOptions evaluation;
  evaluation.hook = sinks.evaluation_hook;
  evaluation.seed = options_.seed;
  evaluation.epoch = position_.epoch;
  evaluation.threads = sinks.threads;
  evaluation.should_stop = sinks.should_stop;
  const auto tested = evaluate(network_, data_.test, evaluation);
  if (!tested) return false;
  ++position_.epoch;
  TrainingProgress now = progress(TrainingProgress::Event::kEpoch);
  now.train = position_.epoch_sums;
  now.test = tested->sums;
  position_.batch = 0;
  position_.epoch_sums = {};
  report(sinks, now);
  if (sinks.metrics != nullptr) sinks.metrics->sync();
  return true;
}

TrainingProgress Trainer::progress(TrainingProgress::Event event) {
  TrainingProgress now;
  now.event = event;
  now.epoch = position_.epoch;
  now.epochs = options_.epochs;
  now.step = position_.step;
  now.total_steps = total_steps();
  if (recent_images_ > 0) now.images_per_second = static_cast<double>(recent_images_) / recent_seconds_;
  recent_images_ = 0;
  recent_seconds_ = 0.0;
  now.learning_rate = learning_rate_at(options_.schedule, position_.step - 1, steps_per_epoch(), total_steps());
  return now;
}

void Trainer::report(const TrainingSinks& sinks, const TrainingProgress& progress) const {
  if (sinks.metrics != nullptr) {
    MetricsRecord record{progress.step, progress.epoch, "step", {}};
    record.values = {{"learning_rate", progress.learning_rate},
                     {"train_loss", progress.train.mean_loss()},
                     {"train_accuracy", progress.train.accuracy()}};
    if (progress.test) {
      record.event = "epoch";
      record.values.emplace_back("test_loss", progress.test->mean_loss());
      record.values.emplace_back("test_accuracy", progress.test->accuracy());
    }
    sinks.metrics->append(record);
  }
  if (sinks.progress) sinks.progress(progress);
}

}  // namespace errata::training
