#include "training/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include "core/error.h"
#include "training/network/network_text.h"

namespace errata::training {

namespace {

constexpr std::int64_t kMajor = 1, kMinor = 1;
constexpr std::string_view kFormat = "checkpoint";

[[noreturn]] void damaged(const Hdf5Reader& file, std::string_view what) {
  throw Error(ExitStatus::kArtifact, "E403", fmt::format("{}: {}", file.path().string(), what),
              "the file is damaged or was made by something else; train again");
}

std::int64_t signed_of(std::uint64_t value) { return std::bit_cast<std::int64_t>(value); }

/// Non-negative integer attribute of at most `largest`.
std::uint64_t count_attribute(const Hdf5Reader& file, std::string_view group, std::string_view name,
                              std::int64_t largest) {
  const std::int64_t value = file.integer(group, name);
  if (value < 0 || value > largest) damaged(file, fmt::format("{} of {} is {}", name, group, value));
  return static_cast<std::uint64_t>(value);
}

std::vector<std::size_t> size_list(const Hdf5Reader& file, std::string_view group, std::string_view name) {
  constexpr std::int64_t kLargest = 1 << 24;
  std::vector<std::size_t> sizes;
  for (const std::int64_t value : file.integer_list(group, name)) {
    if (value < 1 || value > kLargest) damaged(file, fmt::format("{} of {} has {}", name, group, value));
    sizes.push_back(static_cast<std::size_t>(value));
  }
  return sizes;
}

std::vector<float> finite_floats(const Hdf5Reader& file, const std::string& name, const Shape& shape) {
  auto values = file.floats(name, shape);
  if (!std::ranges::all_of(values, [](float value) { return std::isfinite(value); }))
    damaged(file, fmt::format("{} has values that are not finite", name));
  return values;
}

/// Two rows, mean and deviation of each channel; none when the images are taken as they are.
InputNormalization read_normalization(const Hdf5Reader& file, const std::string& name, std::size_t channels) {
  if (!file.has(name)) return {};
  const auto rows = finite_floats(file, name, {2, channels});
  const auto middle = rows.begin() + static_cast<std::ptrdiff_t>(channels);
  if (std::any_of(middle, rows.end(), [](float deviation) { return deviation <= 0.0f; }))
    damaged(file, name + " has a deviation that is not positive");
  return {{rows.begin(), middle}, {middle, rows.end()}};
}

void write_sums(Hdf5Writer& file, const std::string& name, const LossSums& sums) {
  file.attribute("/progress", name + "_loss", sums.loss);
  file.attribute("/progress", name + "_correct", static_cast<std::int64_t>(sums.correct));
  file.attribute("/progress", name + "_images", static_cast<std::int64_t>(sums.images));
}

LossSums read_sums(const Hdf5Reader& file, const std::string& name) {
  constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();
  LossSums sums;
  sums.loss = file.real("/progress", name + "_loss");
  sums.correct = count_attribute(file, "/progress", name + "_correct", kLargest);
  sums.images = count_attribute(file, "/progress", name + "_images", kLargest);
  if (!std::isfinite(sums.loss)) damaged(file, name + "_loss is not finite");
  return sums;
}

/// What two trainings must share for one to continue the other, by name.
struct TrainingKeys {
  std::vector<std::pair<std::string, std::string>> texts;
  std::vector<std::pair<std::string, std::int64_t>> integers;
  std::vector<std::pair<std::string, double>> reals;
  /// Keys that came with version 1.1: name, value, and what files without them mean.
  std::vector<std::tuple<std::string, std::string, std::string>> later_texts;
  std::vector<std::tuple<std::string, std::int64_t, std::int64_t>> later_integers;
  std::vector<std::tuple<std::string, double, double>> later_reals;
};

TrainingKeys keys_of(const Trainer& trainer) {
  const TrainingOptions& options = trainer.options();
  const auto& o = options.optimizer;
  const auto& s = options.schedule;
  TrainingKeys keys;
  keys.texts = {{"optimizer", o.name}, {"schedule", s.name}};
  keys.later_texts = {{"keep", options.keep == Keep::kBest ? "best" : "last", "last"},
                      {"precision", options.precision == Precision::kBf16 ? "bf16" : "fp32", "fp32"}};
  keys.later_integers = {{"nesterov", o.nesterov ? 1 : 0, 0},
                         {"validation_images", signed_of(options.validation_images), 0},
                         {"patience", signed_of(options.patience), 0}};
  keys.later_reals = {{"label_smoothing", options.label_smoothing, 0.0},
                      {"average_decay", options.average_decay, 0.0},
                      {"device_temperature_start", options.device_temperature_start, 0.5},
                      {"device_temperature_end", options.device_temperature_end, 0.05}};
  keys.integers = {{"seed", signed_of(options.seed)},
                   {"epochs", signed_of(options.epochs)},
                   {"batch_size", signed_of(options.batch_size)},
                   {"steps_per_epoch", signed_of(trainer.steps_per_epoch())},
                   {"shift_pixels", signed_of(options.shift_pixels)},
                   {"flip", options.flip ? 1 : 0},
                   {"step_epochs", signed_of(s.step_epochs)},
                   {"warmup_steps", signed_of(s.warmup_steps)}};
  keys.reals = {{"momentum", o.momentum},
                {"beta1", o.beta1},
                {"beta2", o.beta2},
                {"epsilon", o.epsilon},
                {"weight_decay", o.weight_decay},
                {"learning_rate", s.learning_rate},
                {"final_fraction", s.final_fraction},
                {"step_factor", s.step_factor},
                {"gradient_limit", options.gradient_limit}};
  return keys;
}

void check_same_training(const Hdf5Reader& file, const Trainer& trainer) {
  const TrainingKeys keys = keys_of(trainer);
  std::vector<std::string> differences;
  const auto compare = [&](const std::string& name, const auto& stored, const auto& wanted) {
    if (stored != wanted) differences.push_back(fmt::format("{} = {} in the file, {} now", name, stored, wanted));
  };
  for (const auto& [name, value] : keys.texts) compare(name, file.text("/progress", name), value);
  for (const auto& [name, value] : keys.integers) compare(name, file.integer("/progress", name), value);
  for (const auto& [name, value] : keys.reals) compare(name, file.real("/progress", name), value);
  const auto has = [&](const std::string& name) { return file.has_attribute("/progress", name); };
  for (const auto& [name, value, before] : keys.later_texts)
    compare(name, has(name) ? file.text("/progress", name) : before, value);
  for (const auto& [name, value, before] : keys.later_integers)
    compare(name, has(name) ? file.integer("/progress", name) : before, value);
  for (const auto& [name, value, before] : keys.later_reals)
    compare(name, has(name) ? file.real("/progress", name) : before, value);
  if (!differences.empty())
    throw Error(ExitStatus::kArtifact, "E405",
                fmt::format("{} belongs to another training: {}", file.path().string(), fmt::join(differences, "; ")),
                "train from the start, or with the options of the checkpoint");
}

/// Values that the stored parameters can hold, by their shapes and by the size of the file.
double stored_values(const Hdf5Reader& file, const std::string& group) {
  double total = 0.0;
  for (const auto& name : file.children(group + "/parameters")) {
    double count = 1.0;
    for (const std::size_t size : file.shape(group + "/parameters/" + name)) count *= static_cast<double>(size);
    total += count;
  }
  constexpr double kDeflateLimit = 1100.0;  // deflate shrinks at most 1032-fold
  return std::min(total, kDeflateLimit * static_cast<double>(std::filesystem::file_size(file.path())));
}

void write_weights(Hdf5Writer& file, const std::string& group, const Network& network, const WeightSet& weights) {
  if (weights.empty()) return;
  const auto places = weight_places(network);
  for (std::size_t i = 0; i < places.size(); ++i)
    file.write(group + "/" + places[i].name, std::span<const float>(weights.values[i]), places[i].shape, "1");
}

WeightSet read_weights(const Hdf5Reader& file, const std::string& group, const Network& network) {
  WeightSet weights;
  if (!file.has(group)) return weights;
  for (const auto& place : weight_places(network))
    weights.values.push_back(finite_floats(file, group + "/" + place.name, place.shape));
  return weights;
}

/// The stored description; files of version 1.0 have none, their networks are known by name.
NetworkDescription read_description(const Hdf5Reader& file, const std::string& group, NetworkOptions& options) {
  const std::string name = group + "/layers";
  if (!file.has(name)) return describe_network(options);
  std::string text;
  for (const auto& line : file.strings(name)) text += line + "\n";
  if (std::ranges::find(network_names(), options.name) == network_names().end()) options.layers = text;
  return parse_network_text(text, "layers", options.input, options.classes);
}

/// Networks on exact levels have no attributes of devices.
void write_device(Hdf5Writer& file, const std::string& group, const DeviceOptions& o) {
  if (!o.is_on()) return;
  file.attribute(group, "device_ratio", o.ratio);
  file.attribute(group, "device_nonlinearity", o.nonlinearity);
  file.attribute(group, "device_asymmetry", o.asymmetry);
  file.attribute(group, "device_pair", o.pair == DevicePair::kPair ? "pair" : "reference");
  file.attribute(group, "device_gradient", o.gradient == DeviceGradient::kSmooth ? "smooth" : "straight_through");
  if (!o.levels.empty())
    file.write(group + "/device_levels", std::span<const double>(o.levels), {o.levels.size()}, "1");
}

DeviceOptions read_device(const Hdf5Reader& file, const std::string& group) {
  DeviceOptions o;
  if (!file.has_attribute(group, "device_ratio")) return o;
  o.ratio = file.real(group, "device_ratio");
  o.nonlinearity = file.real(group, "device_nonlinearity");
  o.asymmetry = file.real(group, "device_asymmetry");
  o.pair = file.text(group, "device_pair") == "reference" ? DevicePair::kReference : DevicePair::kPair;
  o.gradient =
      file.text(group, "device_gradient") == "smooth" ? DeviceGradient::kSmooth : DeviceGradient::kStraightThrough;
  if (file.has(group + "/device_levels")) o.levels = file.doubles(group + "/device_levels");
  for (const double value : {o.ratio, o.nonlinearity, o.asymmetry})
    if (!std::isfinite(value)) damaged(file, group + " has a device whose values are not finite");
  return o;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

}  // namespace

void write_checkpoint_header(Hdf5Writer& file) {
  const std::vector<std::int64_t> version{kMajor, kMinor};
  file.attribute("/", "errata_format", kFormat);
  file.attribute("/", "format_version", std::span<const std::int64_t>(version));
}

void check_checkpoint_header(const Hdf5Reader& file) {
  const auto fail = [&](const std::string& what) {
    throw Error(ExitStatus::kArtifact, "E405", fmt::format("{}: {}", file.path().string(), what),
                "give a checkpoint that this version of errata made");
  };
  if (!file.has_attribute("/", "errata_format") || file.text("/", "errata_format") != kFormat)
    fail("is not an errata checkpoint");
  const auto version = file.integer_list("/", "format_version");
  if (version.size() != 2 || version[0] != kMajor)
    fail(fmt::format("has format version {}, this program reads {}.x", fmt::join(version, "."), kMajor));
}

void write_network(Hdf5Writer& file, const Network& network, const std::string& group) {
  const NetworkOptions& o = network.options();
  const std::vector<std::int64_t> input{static_cast<std::int64_t>(o.input.height),
                                        static_cast<std::int64_t>(o.input.width),
                                        static_cast<std::int64_t>(o.input.channels)};
  const std::vector<std::int64_t> hidden(o.hidden.begin(), o.hidden.end());
  file.attribute(group, "name", o.name);
  file.attribute(group, "input", std::span<const std::int64_t>(input));
  file.attribute(group, "classes", static_cast<std::int64_t>(o.classes));
  if (!hidden.empty()) file.attribute(group, "hidden", std::span<const std::int64_t>(hidden));
  file.attribute(group, "weight_bits", static_cast<std::int64_t>(o.quantization.weight_bits));
  file.attribute(group, "input_bits", static_cast<std::int64_t>(o.quantization.input_bits));
  write_device(file, group, o.quantization.device);
  file.attribute(group, "batch_norm", static_cast<std::int64_t>(o.batch_norm ? 1 : 0));
  file.attribute(group, "dropout", o.dropout);
  file.write_strings(group + "/layers", lines_of(network_text(network.description())));
  if (!o.normalization.empty()) {
    std::vector<float> rows = o.normalization.mean;
    rows.insert(rows.end(), o.normalization.deviation.begin(), o.normalization.deviation.end());
    file.write(group + "/input_normalization", std::span<const float>(rows), {2, o.input.channels}, "1");
  }
  for (const Parameter* parameter : network.parameters())
    file.write(group + "/parameters/" + parameter->name, std::span<const float>(parameter->value), parameter->shape,
               "1");
  for (const StateBuffer& buffer : network.buffers())
    file.write(group + "/buffers/" + buffer.name, std::span<const float>(*buffer.values), {buffer.values->size()}, "1");
}

std::unique_ptr<Network> read_network(const Hdf5Reader& file, const std::string& group) {
  NetworkOptions o;
  const auto input = size_list(file, group, "input");
  if (input.size() != 3) damaged(file, group + " input needs three sizes");
  o.name = file.text(group, "name");
  o.input = {input[0], input[1], input[2]};
  o.classes = count_attribute(file, group, "classes", 256);
  if (file.has_attribute(group, "hidden")) o.hidden = size_list(file, group, "hidden");
  o.quantization.weight_bits = static_cast<int>(count_attribute(file, group, "weight_bits", 16));
  o.quantization.input_bits = static_cast<int>(count_attribute(file, group, "input_bits", 16));
  o.quantization.device = read_device(file, group);
  o.batch_norm = count_attribute(file, group, "batch_norm", 1) == 1;
  o.dropout = file.real(group, "dropout");
  o.normalization = read_normalization(file, group + "/input_normalization", o.input.channels);
  std::unique_ptr<Network> network;
  try {
    const NetworkDescription description = read_description(file, group, o);
    if (check_description(description).values > stored_values(file, group))
      damaged(file, "describes a larger network than it has values for");
    network = build_network(o, description);
  } catch (const Error& failure) {
    damaged(file, failure.what());
  }
  for (Parameter* parameter : network->parameters()) {
    parameter->value = finite_floats(file, group + "/parameters/" + parameter->name, parameter->shape);
    if (parameter->bounded && parameter->value[0] < 0.0f) damaged(file, parameter->name + " is negative");
  }
  for (const StateBuffer& buffer : network->buffers())
    *buffer.values = finite_floats(file, group + "/buffers/" + buffer.name, {buffer.values->size()});
  return network;
}

void write_training_state(Hdf5Writer& file, const Trainer& trainer) {
  const Optimizer& optimizer = trainer.optimizer();
  const auto parameters = trainer.network().parameters();
  file.attribute("/optimizer", "steps", signed_of(optimizer.steps()));
  for (std::size_t which = 0; which < optimizer.moment_count(); ++which)
    for (std::size_t i = 0; i < parameters.size(); ++i)
      file.write(fmt::format("/optimizer/moment{}/{}", which, parameters[i]->name), optimizer.moment(which, i),
                 parameters[i]->shape, "1");
  const TrainingKeys keys = keys_of(trainer);
  for (const auto& [name, value] : keys.texts) file.attribute("/progress", name, std::string_view(value));
  for (const auto& [name, value] : keys.integers) file.attribute("/progress", name, value);
  for (const auto& [name, value] : keys.reals) file.attribute("/progress", name, value);
  for (const auto& [name, value, before] : keys.later_texts) file.attribute("/progress", name, std::string_view(value));
  for (const auto& [name, value, before] : keys.later_integers) file.attribute("/progress", name, value);
  for (const auto& [name, value, before] : keys.later_reals) file.attribute("/progress", name, value);
  write_weights(file, "/average", trainer.network(), trainer.average());
  write_weights(file, "/best", trainer.network(), trainer.best());
  const TrainingPosition& position = trainer.position();
  file.attribute("/progress", "epoch", signed_of(position.epoch));
  file.attribute("/progress", "batch", signed_of(position.batch));
  file.attribute("/progress", "step", signed_of(position.step));
  write_sums(file, "epoch", position.epoch_sums);
  write_sums(file, "recent", position.recent_sums);
  file.attribute("/progress", "best_epoch", signed_of(position.best_epoch));
  write_sums(file, "best", position.best_sums);
}

void read_training_state(const Hdf5Reader& file, Trainer& trainer) {
  check_same_training(file, trainer);
  const auto parameters = trainer.network().parameters();
  std::vector<std::vector<std::vector<float>>> moments(trainer.optimizer().moment_count());
  for (std::size_t which = 0; which < moments.size(); ++which)
    for (const Parameter* parameter : parameters)
      moments[which].push_back(
          finite_floats(file, fmt::format("/optimizer/moment{}/{}", which, parameter->name), parameter->shape));
  TrainingPosition position;
  const auto steps_per_epoch = static_cast<std::int64_t>(trainer.steps_per_epoch());
  position.epoch = count_attribute(file, "/progress", "epoch", static_cast<std::int64_t>(trainer.options().epochs));
  position.batch = count_attribute(file, "/progress", "batch", steps_per_epoch);
  position.step = count_attribute(file, "/progress", "step", std::numeric_limits<std::int64_t>::max());
  if (position.step != position.epoch * trainer.steps_per_epoch() + position.batch)
    damaged(file,
            fmt::format("step {} does not fit epoch {}, batch {}", position.step, position.epoch, position.batch));
  position.epoch_sums = read_sums(file, "epoch");
  position.recent_sums = read_sums(file, "recent");
  if (file.has_attribute("/progress", "best_epoch")) {
    position.best_epoch = count_attribute(file, "/progress", "best_epoch", signed_of(position.epoch));
    position.best_sums = read_sums(file, "best");
  }
  const auto steps = count_attribute(file, "/optimizer", "steps", std::numeric_limits<std::int64_t>::max());
  trainer.optimizer().restore(steps, std::move(moments));
  trainer.set_position(position);
  trainer.restore(read_weights(file, "/average", trainer.network()), read_weights(file, "/best", trainer.network()));
}

void save_checkpoint(const std::filesystem::path& path, const Trainer& trainer) {
  Hdf5Writer file(path);
  write_checkpoint_header(file);
  write_network(file, trainer.network());
  write_training_state(file, trainer);
  file.commit();
}

}  // namespace errata::training
