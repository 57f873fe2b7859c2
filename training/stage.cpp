#include "training/stage.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <optional>

#include "core/mismatch.h"
#include "training/checkpoint.h"
#include "training/hardware/composed_hook.h"
#include "training/hardware/table_conversion.h"
#include "training/logs/tensorboard_log.h"
#include "training/network/network_transform.h"
#include "training/network/project_network.h"
#include "training/optimization/learning_rate_finder.h"
#include "training/trainer.h"

namespace errata::training {

namespace {

/// Which images the operand statistics of composed mode come from: the first shard of the training set.
Batch calibration_batch(const DataSet& data, const InputNormalization& normalization) {
  std::vector<std::uint32_t> numbers;
  for (std::uint32_t i = 0; i < std::min<std::size_t>(16, data.train.count()); ++i) numbers.push_back(i);
  Batch batch;
  fill_batch(data.train, data.shape, {numbers, 0, 0, {}, normalization}, batch);
  return batch;
}

/// What TensorBoard shows of a training.
MetricsRecord scalars_of(const TrainingProgress& p) {
  MetricsRecord record{p.step, p.epoch, "", {{"learning_rate", p.learning_rate}}};
  if (p.images_per_second > 0.0) record.values.emplace_back("images_per_second", p.images_per_second);
  const bool step = p.event == TrainingProgress::Event::kStep;
  record.values.emplace_back(step ? "train/loss" : "epoch/train_loss", p.train.mean_loss());
  record.values.emplace_back(step ? "train/accuracy" : "epoch/train_accuracy", p.train.accuracy());
  if (p.test) {
    record.values.emplace_back("epoch/test_loss", p.test->mean_loss());
    record.values.emplace_back("epoch/test_accuracy", p.test->accuracy());
  }
  if (p.validation) {
    record.values.emplace_back("epoch/validation_loss", p.validation->mean_loss());
    record.values.emplace_back("epoch/validation_accuracy", p.validation->accuracy());
  }
  return record;
}

class Stage {
 public:
  Stage(const Settings& s, HardwareOptions hardware, const DataSet& data, std::filesystem::path shards,
        std::filesystem::path artifacts, const RunContext& context)
      : s_(s),
        data_(data),
        shards_(std::move(shards)),
        artifacts_(std::move(artifacts)),
        context_(context),
        hardware_(hardware),
        uncalibrated_(std::move(hardware)) {}

  TrainedArm ideal() {
    ProjectNetwork made = project_network(s_, data_, {hardware_.weight_bits, hardware_.input_bits});
    for (const auto& note : made.notes) context_.note(fmt::format("{}: {}", made.network->options().name, note));
    return run("ideal", std::move(made.network), nullptr, "training.epochs", "training.learning_rate");
  }

  /// A network that was trained elsewhere, as the arm "start".
  TrainedArm take(const TrainedArm& given) {
    TrainedArm start{"start", copy_of(*given.network), given.epochs};
    Hdf5Writer file(shards_ / "start.h5");
    write_checkpoint_header(file);
    write_network(file, *start.network);
    file.commit();
    return start;
  }

  /// Ranges by layer from the operands of the ideal network.
  std::vector<LayerHardware> ranges(const TrainedArm& start, const HardwareOptions& hardware) const {
    const Batch batch = calibration_batch(data_, start.network->options().normalization);
    return calibrate_ranges(*start.network, batch.images, hardware, s_.number("training.adc_clipped"));
  }
  void set_ranges(const std::vector<LayerHardware>& ranges) { hardware_ = with_ranges(hardware_, ranges); }
  const HardwareOptions& hardware() const { return hardware_; }
  const std::filesystem::path& shards() const { return shards_; }
  const HardwareOptions& uncalibrated_hardware() const { return uncalibrated_; }

  /// Goes on from `start` with a hook in the loop; none means no errors.
  TrainedArm adapt(const std::string& name, const TrainedArm& start, ProductHook* hook) {
    return adapt(name, copy(start), hook);
  }
  TrainedArm adapt(const std::string& name, std::unique_ptr<Network> network, ProductHook* hook) {
    return run(name, std::move(network), hook, "training.adaptation_epochs", "training.adaptation_learning_rate");
  }
  /// The same with a table in the loop.
  TrainedArm adapt(const std::string& name, const TrainedArm& start, const errormodel::ErrorTable& table) {
    ComposedOptions options;
    options.hardware = hardware_;
    options.gradient =
        s_.text("training.gradient") == "table" ? HardwareGradient::kTableSlope : HardwareGradient::kStraightThrough;
    options.seed = s_.seed();
    options.first_chip = chips::kTraining;
    options.chips_per_batch = static_cast<std::size_t>(s_.integer("training.chips_per_batch"));
    if (const auto chip = s_.integer("training.fixed_chip"); chip >= 0) {
      options.schedule = ChipSchedule::kFixed;
      options.first_chip = static_cast<std::uint64_t>(chip);
    }
    if (std::ranges::any_of(table.source_memory, [](double correlation) { return correlation != 0.0; }))
      context_.note("the table's read noise has memory from one read to the next: training takes every read as fresh");
    ComposedHook hook(table, options);
    const Batch batch = calibration_batch(data_, start.network->options().normalization);
    hook.calibrate(*start.network, batch.images);
    return adapt(name, copy(start), &hook);
  }

 private:
  /// A copy by way of a file, so that a resumed run starts from the same bytes.
  std::unique_ptr<Network> copy(const TrainedArm& arm) const {
    return read_network(Hdf5Reader(shards_ / (arm.name + ".h5")));
  }

  TrainingOptions options(const Network& network, const char* epochs, const char* rate) const {
    TrainingOptions o = training_options(s_, epochs, rate);
    if (o.schedule.learning_rate > 0.0) return o;
    o.schedule.learning_rate = 1.0;  // any, for the test's own checks
    const RateTest test = test_learning_rates(network, data_, o, {.threads = context_.jobs});
    if (!test.suggestion)
      throw Error(ExitStatus::kComputation, "E503", fmt::format("{} = 0: the loss falls at no learning rate", rate),
                  "give a rate; check the network and the data");
    context_.note(fmt::format("{} = {:.3g}, by a range test", rate, *test.suggestion));
    o.schedule.learning_rate = *test.suggestion;
    return o;
  }

  TrainedArm run(const std::string& name, std::unique_ptr<Network> network, ProductHook* hook, const char* epochs,
                 const char* rate) {
    const auto shard = shards_ / (name + ".h5");
    TrainedArm arm{name, std::move(network), {}};
    const TrainingOptions o = options(*arm.network, epochs, rate);
    std::vector<EpochRecord> records;
    std::optional<Trainer> trainer;
    if (std::filesystem::exists(shard)) {
      const Hdf5Reader file(shard);
      arm.network = read_network(file);
      trainer.emplace(*arm.network, data_, o);
      read_training_state(file, *trainer);
      const auto stored = file.doubles("/epochs");
      for (std::size_t i = 0; i + 2 <= stored.size(); i += 2) records.push_back({stored[i], stored[i + 1]});
    } else {
      trainer.emplace(*arm.network, data_, o);
    }
    MetricsLog metrics(artifacts_ / fmt::format("metrics-{}.jsonl", name), trainer->position().step,
                       trainer->position().epoch);
    TensorboardLog tensorboard(tensorboard_folder(name) / "events.out.tfevents.0.errata", trainer->position().step,
                               trainer->position().epoch);
    TrainingSinks sinks;
    sinks.metrics = &metrics;
    sinks.training_hook = hook;
    sinks.evaluation_hook = hook;
    sinks.threads = context_.jobs;
    sinks.should_stop = context_.cancelled;
    sinks.checkpoint_steps = 500;
    sinks.checkpoint = [&](const Trainer& t) { save(shard, t, records); };
    sinks.progress = [&](const TrainingProgress& p) {
      context_.progress(fmt::format("training, {}", name), p.step, p.total_steps);
      tensorboard.append(scalars_of(p));
      if (p.event != TrainingProgress::Event::kEpoch) return;
      records.push_back({p.train.mean_loss(), 100.0 * p.test->accuracy()});
      context_.note(fmt::format("{}: epoch {}/{}  loss {:.4f}  test accuracy {:.2f} %", name, p.epoch, p.epochs,
                                p.train.mean_loss(), 100.0 * p.test->accuracy()));
    };
    if (trainer->run(sinks) == Trainer::Outcome::kStopped) stop_if_cancelled(context_);
    save(shard, *trainer, records);
    arm.epochs = records;
    return arm;
  }

  std::filesystem::path tensorboard_folder(const std::string& arm) const { return artifacts_ / "tensorboard" / arm; }

  static void save(const std::filesystem::path& shard, const Trainer& trainer,
                   const std::vector<EpochRecord>& records) {
    Hdf5Writer file(shard);
    write_checkpoint_header(file);
    write_network(file, trainer.network());
    write_training_state(file, trainer);
    std::vector<double> flat;
    for (const auto& r : records) flat.insert(flat.end(), {r.train_loss, r.test_accuracy});
    file.write("/epochs", std::span<const double>(flat), {records.size(), 2}, "nat, %");
    file.commit();
  }

  const Settings& s_;
  const DataSet& data_;
  std::filesystem::path shards_, artifacts_;
  const RunContext& context_;
  HardwareOptions hardware_, uncalibrated_;
};

void write_ranges(Hdf5Writer& file, const std::string& group, const std::vector<LayerHardware>& ranges) {
  if (ranges.empty()) return;
  std::vector<std::string> layers;
  std::vector<double> values;
  for (const auto& range : ranges) {
    layers.push_back(range.layer);
    values.push_back(range.adc_range);
  }
  file.write_strings(group + "/layers", layers);
  file.write(group + "/adc_range", std::span<const double>(values), {values.size()}, "MAC unit");
}

std::vector<LayerHardware> read_ranges(const Hdf5Reader& file, const std::string& group) {
  std::vector<LayerHardware> ranges;
  if (!file.has(group)) return ranges;
  const auto layers = file.strings(group + "/layers");
  const auto values = file.doubles(group + "/adc_range");
  for (std::size_t i = 0; i < std::min(layers.size(), values.size()); ++i) {
    LayerHardware range;
    range.layer = layers[i];
    range.adc_range = values[i];
    ranges.push_back(std::move(range));
  }
  return ranges;
}

/// metrics.jsonl: the records of every arm, one JSON object a line, the arm's name first.
void join_metrics(const std::filesystem::path& artifacts, const std::vector<TrainedArm>& arms) {
  const auto part = artifacts / "metrics.jsonl.part";
  {
    std::ofstream all(part, std::ios::binary);
    for (const auto& arm : arms) {
      std::ifstream own(artifacts / fmt::format("metrics-{}.jsonl", arm.name), std::ios::binary);
      for (std::string line; std::getline(own, line);)
        if (line.starts_with('{')) all << fmt::format("{{\"arm\":\"{}\",", arm.name) << line.substr(1) << '\n';
    }
    if (!all.flush()) throw Error(ExitStatus::kEnvironment, "E601", "cannot write metrics.jsonl", "is the disk full?");
  }
  std::filesystem::rename(part, artifacts / "metrics.jsonl");
}

}  // namespace

const TrainedArm& TrainedNetworks::arm(const std::string& name) const {
  std::vector<std::string> names;
  for (const auto& a : arms) {
    if (a.name == name) return a;
    names.push_back(a.name);
  }
  throw Error(ExitStatus::kUsage, "E513", fmt::format("the checkpoint has no network '{}'", name),
              fmt::format("it has: {}", fmt::join(names, ", ")));
}

void TrainedNetworks::save(const std::filesystem::path& path) const {
  Hdf5Writer f(path);
  write_provenance(f, provenance);
  f.attribute("/", "data_set", std::string_view(data_set));
  std::vector<std::string> names;
  for (const auto& a : arms) {
    names.push_back(a.name);
    const std::string at = "/arms/" + a.name;
    write_network(f, *a.network, at);
    std::vector<double> flat;
    for (const auto& e : a.epochs) flat.insert(flat.end(), {e.train_loss, e.test_accuracy});
    f.write(at + "/epochs", std::span<const double>(flat), {a.epochs.size(), 2}, "nat, %");
  }
  f.write_strings("/arm_names", names);
  write_ranges(f, "/ranges", ranges);
  write_ranges(f, "/nonlinear_ranges", nonlinear_ranges);
  f.commit();
}

TrainedNetworks TrainedNetworks::load(const std::filesystem::path& path) {
  const Hdf5Reader f(path);
  TrainedNetworks t;
  t.provenance = read_provenance(f, kFormat, kMajor);
  t.data_set = f.text("/", "data_set");
  for (const auto& name : f.strings("/arm_names")) {
    const std::string at = "/arms/" + name;
    TrainedArm arm{name, read_network(f, at), {}};
    const auto flat = f.doubles(at + "/epochs");
    for (std::size_t i = 0; i + 2 <= flat.size(); i += 2) arm.epochs.push_back({flat[i], flat[i + 1]});
    t.arms.push_back(std::move(arm));
  }
  t.ranges = read_ranges(f, "/ranges");
  t.nonlinear_ranges = read_ranges(f, "/nonlinear_ranges");
  return t;
}

DataSet project_data(const Settings& s, const std::filesystem::path& data_root, const RunContext& context) {
  DataSetOptions options;
  options.root = data_root;
  options.seed = s.seed();
  options.train_images = static_cast<std::size_t>(s.integer("training.train_images"));
  options.test_images = static_cast<std::size_t>(s.integer("training.test_images"));
  options.threads = context.jobs;
  return load_data_set(s.text("training.data_set"), options);
}

namespace {

/// The second phase: every arm that goes on from the ideal network.
void adapt_arms(const Settings& s, const std::optional<errormodel::ErrorTable>& table, Stage& stage,
                TrainedNetworks& result) {
  const TrainedArm ideal = result.arms[0];
  const DeviceOptions device = device_options(s);
  std::optional<NonlinearHook> curve;
  if (auto nonlinear = nonlinear_options(s, stage.uncalibrated_hardware())) {
    // Sums of whole operands are wider than the array's conversions.
    const bool whole = nonlinear->input == CurveInput::kPartialSum;
    if (whole) result.nonlinear_ranges = stage.ranges(ideal, hardware_of(*nonlinear));
    nonlinear->hardware = with_ranges(nonlinear->hardware, whole ? result.nonlinear_ranges : result.ranges);
    curve.emplace(*nonlinear);
  }
  if (table) result.arms.push_back(stage.adapt("error_aware", ideal, *table));
  if (s.flag("training.baselines")) {
    result.arms.push_back(stage.adapt("no_noise", ideal, static_cast<ProductHook*>(nullptr)));
    if (table) result.arms.push_back(stage.adapt("gaussian", ideal, matched_gaussian(*table)));
  }
  if (curve) result.arms.push_back(stage.adapt("nonlinear", ideal, &*curve));
  if (!device.is_on()) return;
  result.arms.push_back(stage.adapt("device", with_device(*ideal.network, device), nullptr));
  if (curve) result.arms.push_back(stage.adapt("device_nonlinear", with_device(*ideal.network, device), &*curve));
}

}  // namespace

namespace {

/// Where a training keeps what it goes on from.
std::filesystem::path shard_folder(const std::filesystem::path& artifacts, const Provenance& provenance) {
  const auto shards = artifacts / "shards" / fmt::format("train-{}", provenance.fingerprint().substr(0, 16));
  std::error_code ignored;
  if (!std::filesystem::exists(shards)) std::filesystem::remove_all(artifacts / "tensorboard", ignored);  // of another
  std::filesystem::create_directories(shards);
  return shards;
}

/// Calibration and the second phase behind the first arm; then the files.
void finish(const Settings& s, const std::optional<errormodel::ErrorTable>& table, Stage& stage,
            const std::filesystem::path& artifacts, TrainedNetworks& result) {
  if (s.text("training.adc_calibration") == "layer") {
    result.ranges = stage.ranges(result.arms[0], stage.hardware());
    stage.set_ranges(result.ranges);
  }
  if (s.integer("training.adaptation_epochs") > 0) adapt_arms(s, table, stage, result);
  join_metrics(artifacts, result.arms);
  result.save(artifacts / "checkpoint.h5");
  std::error_code ignored;
  for (const auto& arm : result.arms)
    std::filesystem::remove(artifacts / fmt::format("metrics-{}.jsonl", arm.name), ignored);
  std::filesystem::remove_all(stage.shards(), ignored);
}

}  // namespace

TrainedNetworks train_networks(const Settings& s, const std::optional<errormodel::ErrorTable>& table,
                               const DataSet& data, const Provenance& provenance,
                               const std::filesystem::path& artifacts, const RunContext& context) {
  TrainedNetworks result{.provenance = provenance, .data_set = data.name};
  Stage stage(s, table ? hardware_options(s, *table) : hardware_options(s), data, shard_folder(artifacts, provenance),
              artifacts, context);
  result.arms.push_back(stage.ideal());
  finish(s, table, stage, artifacts, result);
  return result;
}

TrainedNetworks adapt_networks(const Settings& s, const TrainedArm& start,
                               const std::optional<errormodel::ErrorTable>& table, const DataSet& data,
                               const Provenance& provenance, const std::filesystem::path& artifacts,
                               const RunContext& context) {
  TrainedNetworks result{.provenance = provenance, .data_set = data.name};
  Stage stage(s, table ? hardware_options(s, *table) : hardware_options(s), data, shard_folder(artifacts, provenance),
              artifacts, context);
  result.arms.push_back(stage.take(start));
  finish(s, table, stage, artifacts, result);
  return result;
}

}  // namespace errata::training
