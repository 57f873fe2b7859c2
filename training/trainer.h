#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "training/data/batch_loader.h"
#include "training/data/data_set.h"
#include "training/evaluation.h"
#include "training/logs/metrics_log.h"
#include "training/network/network.h"
#include "training/network/weight_set.h"
#include "training/optimization/optimizer.h"
#include "training/optimization/schedule.h"

namespace errata::training {

/// Which weights a training ends with.
enum class Keep { kLast, kBest };

/// What decides the result of a training, besides network and data.
struct TrainingOptions {
  std::uint64_t seed = 1;
  std::uint64_t epochs = 5;
  std::size_t batch_size = 64;  ///< best a multiple of kShardImages
  OptimizerOptions optimizer = {};
  ScheduleOptions schedule = {};
  std::size_t shift_pixels = 0;        ///< augmentation: shift by up to so many pixels; 0: off
  bool flip = false;                   ///< augmentation: mirror left and right, one time in two
  double gradient_limit = 0.0;         ///< gradients are scaled down to this norm; 0: off
  std::uint64_t progress_steps = 100;  ///< steps per "step" record; at least 1
  double label_smoothing = 0.0;        ///< of the training loss; 0 … below 1
  /// Exponential moving average of the weights, w̄ ← d w̄ + (1 − d) w after every step, with
  /// d = min(average_decay, (1 + step)/(10 + step)) so that it follows at first. It is what is evaluated and what the
  /// training ends with. 0: off; below 1.
  double average_decay = 0.0;
  /// Images held out of the training set, drawn by the seed, by which epochs are judged. 0: none.
  std::uint64_t validation_images = 0;
  Keep keep = Keep::kLast;     ///< kBest: the weights of the epoch with the most hits on the validation images
  std::uint64_t patience = 0;  ///< end after so many epochs without a better one; 0: never
  Precision precision = Precision::kFp32;
  /// Temperature of the devices' smooth staircase at the first and the last step, geometric in between.
  double device_temperature_start = 0.5, device_temperature_end = 0.05;
};

/// How far a training is; with network and optimiser everything that a resumed training needs.
struct TrainingPosition {
  std::uint64_t epoch = 0;       ///< epochs finished
  std::uint64_t batch = 0;       ///< batches finished in the running epoch
  std::uint64_t step = 0;        ///< optimiser steps made
  LossSums epoch_sums;           ///< of the running epoch's batches, before their step
  LossSums recent_sums;          ///< since the last "step" record
  std::uint64_t best_epoch = 0;  ///< epochs finished when the validation images were met best; 0: not judged yet
  LossSums best_sums;            ///< of the validation images then
};

/// A report from inside a training.
struct TrainingProgress {
  enum class Event { kStep, kEpoch };

  Event event = Event::kStep;
  std::uint64_t epoch = 0;             ///< kStep: epochs finished; kEpoch: the same including this one
  std::uint64_t epochs = 0;            ///< epochs in all
  std::uint64_t step = 0;              ///< steps made
  std::uint64_t total_steps = 0;       ///< steps in all
  double learning_rate = 0.0;          ///< of the last step
  LossSums train;                      ///< kStep: since the last report; kEpoch: of the epoch
  std::optional<LossSums> test;        ///< kEpoch: of the test images
  std::optional<LossSums> validation;  ///< kEpoch: of the images held out
  /// Training images a second of wall-clock time since the last report of either kind; 0: none since then.
  double images_per_second = 0.0;
};

class Trainer;

/// Who listens to a training; every member may stay empty.
struct TrainingSinks {
  std::function<void(const TrainingProgress&)> progress;
  std::function<bool()> should_stop;               ///< asked after each batch (Ctrl-C)
  std::function<void(const Trainer&)> checkpoint;  ///< called every checkpoint_steps, after each epoch, when stopped
  std::uint64_t checkpoint_steps = 0;              ///< 0: only after epochs and when stopped
  MetricsLog* metrics = nullptr;
  ProductHook* training_hook = nullptr;
  ProductHook* evaluation_hook = nullptr;
  int threads = 1;  ///< never changes results
};

/// Trains a network by mini-batches. Same options, data and start give the same bytes for every thread count,
/// and however often it was stopped, saved and resumed. Not thread safe.
class Trainer {
 public:
  enum class Outcome { kFinished, kStopped };

  /// `network` and `data` must outlive the trainer. Options out of their domain and data of another shape
  /// than the network's are an Error (project, E512).
  Trainer(Network& network, const DataSet& data, TrainingOptions options);

  /// Trains to the last epoch, until patience ends, or until should_stop. When finished the network holds what
  /// options().keep and average_decay say. A loss that is not finite is an Error (computation, E503).
  Outcome run(const TrainingSinks& sinks);

  const TrainingOptions& options() const { return options_; }
  const Network& network() const { return network_; }
  const Optimizer& optimizer() const { return optimizer_; }
  Optimizer& optimizer() { return optimizer_; }
  const TrainingPosition& position() const { return position_; }
  /// Continues from here at the next run().
  void set_position(const TrainingPosition& position) { position_ = position; }
  /// Moving average and best weights; empty where the options have none, or not yet.
  const WeightSet& average() const { return average_; }
  const WeightSet& best() const { return best_; }
  void restore(WeightSet average, WeightSet best);
  /// The batches from the present position on.
  BatchLoaderOptions loader_options(int threads) const;
  /// Numbers of the images held out.
  std::span<const std::uint32_t> validation_numbers() const { return validation_numbers_; }

  std::uint64_t steps_per_epoch() const;
  /// Temperature of the present step.
  double device_temperature() const;
  std::uint64_t total_steps() const { return steps_per_epoch() * options_.epochs; }

 private:
  void hold_out();
  bool is_finished() const;
  void train_batch(const TrainingSinks& sinks, BatchLoader& loader);
  bool finish_epoch(const TrainingSinks& sinks);
  /// Notes the epoch when it is the best so far.
  void judge(const LossSums& validation);
  void deliver();
  void report(const TrainingSinks& sinks, const TrainingProgress& progress) const;
  TrainingProgress progress(TrainingProgress::Event event);

  Network& network_;
  const DataSet& data_;
  TrainingOptions options_;
  Optimizer optimizer_;
  TrainingPosition position_;
  std::vector<std::uint32_t> train_numbers_, validation_numbers_;
  WeightSet average_, best_;
  double recent_seconds_ = 0.0;  ///< of training since the last report
  std::size_t recent_images_ = 0;
};

}  // namespace errata::training
