#include "training/trainer.h"

#include <fmt/format.h>

#include <algorithm>
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
  if (!(options.label_smoothing >= 0.0 && options.label_smoothing < 1.0))
    problems.push_back(fmt::format("label_smoothing = {}, need 0 ≤ label_smoothing < 1", options.label_smoothing));
  if (!(options.average_decay >= 0.0 && options.average_decay < 1.0))
    problems.push_back(fmt::format("average_decay = {}, need 0 ≤ average_decay < 1", options.average_decay));
  if (!(options.device_temperature_start > 0.0 && options.device_temperature_end > 0.0))
    problems.push_back("device temperatures need to be above 0");
  if (options.validation_images > 0 && options.validation_images >= data.train.count())
    problems.push_back(fmt::format("{} validation images leave none of {} for training", options.validation_images,
                                   data.train.count()));
  if (options.validation_images == 0 && (options.keep == Keep::kBest || options.patience > 0))
    problems.push_back(
        "choosing an epoch needs validation_images > 0: chosen by the test images, the test accuracy would be too "
        "good");
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
  network_.set_precision(options_.precision);
  hold_out();
}

void Trainer::hold_out() {
  constexpr std::uint64_t kNoEpoch = ~std::uint64_t{0};  // an order that no epoch uses
  const std::size_t count = data_.train.count(), kept = count - options_.validation_images;
  train_numbers_ = shuffled_order(count, options_.seed, kNoEpoch);
  validation_numbers_.assign(train_numbers_.begin() + static_cast<std::ptrdiff_t>(kept), train_numbers_.end());
  train_numbers_.resize(kept);
  std::ranges::sort(train_numbers_);
  std::ranges::sort(validation_numbers_);
}

void Trainer::restore(WeightSet average, WeightSet best) {
  average_ = std::move(average);
  best_ = std::move(best);
}

std::uint64_t Trainer::steps_per_epoch() const {
  return (train_numbers_.size() + options_.batch_size - 1) / options_.batch_size;
}

double Trainer::device_temperature() const {
  const double last = static_cast<double>(std::max<std::uint64_t>(2, total_steps()) - 1);
  return options_.device_temperature_start *
         std::pow(options_.device_temperature_end / options_.device_temperature_start,
                  static_cast<double>(position_.step) / last);
}

bool Trainer::is_finished() const {
  if (position_.epoch >= options_.epochs) return true;
  const bool judged = options_.patience > 0 && position_.best_epoch > 0 && position_.batch == 0;
  return judged && position_.epoch - position_.best_epoch >= options_.patience;
}

Trainer::Outcome Trainer::run(const TrainingSinks& sinks) {
  const auto stopping = [&] { return sinks.should_stop && sinks.should_stop(); };
  const auto save = [&] {
    if (sinks.checkpoint) sinks.checkpoint(*this);
  };
  BatchLoader loader(data_.train, data_.shape, loader_options(sinks.threads));
  while (!is_finished()) {
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
    if (!finished || (stopping() && !is_finished())) return Outcome::kStopped;
  }
  deliver();
  return Outcome::kFinished;
}

void Trainer::deliver() {
  if (options_.keep == Keep::kBest && !best_.empty())
    put_weights(best_, network_);
  else if (!average_.empty())
    put_weights(average_, network_);
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
  if (!validation_numbers_.empty()) options.images = train_numbers_;
  if (threads == 1) options.ahead = 0;
  return options;
}

void Trainer::train_batch(const TrainingSinks& sinks, BatchLoader& loader) {
  const auto began = std::chrono::steady_clock::now();
  const LoadedBatch& loaded = *loader.next();
  const std::vector<std::uint8_t>& labels = loaded.batch.labels;
  network_.set_device_temperature(device_temperature());
  network_.forward(
      loaded.batch.images,
      {{true, options_.seed, position_.epoch, position_.step, loaded.first_image}, sinks.training_hook, sinks.threads});
  const LossOptions loss{options_.label_smoothing};
  const LossSums sums = network_.loss(labels, loss);
  if (!std::isfinite(sums.loss))
    throw Error(ExitStatus::kComputation, "E503", fmt::format("the loss is not finite at step {}", position_.step),
                "lower training.learning_rate");
  network_.backward(labels, loss);
  if (options_.gradient_limit > 0.0) clip_gradients(network_.parameters(), options_.gradient_limit);
  optimizer_.step(learning_rate_at(options_.schedule, position_.step, steps_per_epoch(), total_steps()));
  if (options_.average_decay > 0.0) {
    const auto step = static_cast<double>(position_.step);
    average_weights(average_, network_, std::min(options_.average_decay, (1.0 + step) / (10.0 + step)));
  }

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

namespace {

/// The averaged weights in the network while this lives; none, where there are none.
class Averaged {
 public:
  Averaged(WeightSet& average, Network& network) : average_(average), network_(network) { swap(); }
  ~Averaged() { swap(); }
  Averaged(const Averaged&) = delete;
  Averaged& operator=(const Averaged&) = delete;

 private:
  void swap() {
    if (!average_.empty()) swap_weights(average_, network_);
  }
  WeightSet& average_;
  Network& network_;
};

}  // namespace

bool Trainer::finish_epoch(const TrainingSinks& sinks) {
  EvaluationOptions evaluation;
  evaluation.hook = sinks.evaluation_hook;
  evaluation.seed = options_.seed;
  evaluation.epoch = position_.epoch;
  evaluation.threads = sinks.threads;
  evaluation.should_stop = sinks.should_stop;
  TrainingProgress now;
  {
    const Averaged averaged(average_, network_);
    const auto tested = evaluate(network_, data_.test, evaluation);
    if (!tested) return false;
    std::optional<LossSums> validation;
    if (!validation_numbers_.empty()) {
      evaluation.numbers = validation_numbers_;
      const auto validated = evaluate(network_, data_.train, evaluation);
      if (!validated) return false;
      validation = validated->sums;
    }
    ++position_.epoch;
    if (validation) judge(*validation);
    now = progress(TrainingProgress::Event::kEpoch);
    now.test = tested->sums;
    now.validation = validation;
  }
  now.train = position_.epoch_sums;
  position_.batch = 0;
  position_.epoch_sums = {};
  report(sinks, now);
  if (sinks.metrics != nullptr) sinks.metrics->sync();
  return true;
}

void Trainer::judge(const LossSums& validation) {
  const LossSums& best = position_.best_sums;
  const bool better = position_.best_epoch == 0 || validation.correct > best.correct ||
                      (validation.correct == best.correct && validation.loss < best.loss);
  if (!better) return;
  position_.best_epoch = position_.epoch;
  position_.best_sums = validation;
  if (options_.keep == Keep::kBest) best_ = weights_of(network_);
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
      if (progress.validation) {
        record.values.emplace_back("validation_loss", progress.validation->mean_loss());
        record.values.emplace_back("validation_accuracy", progress.validation->accuracy());
      }
      record.values.emplace_back("test_loss", progress.test->mean_loss());
      record.values.emplace_back("test_accuracy", progress.test->accuracy());
    }
    sinks.metrics->append(record);
  }
  if (sinks.progress) sinks.progress(progress);
}

}  // namespace errata::training
