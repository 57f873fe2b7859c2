#include "training/network/project_network.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>

#include "core/error.h"
#include "core/sha256.h"
#include "training/hardware_settings.h"
#include "training/network/network_text.h"
#include "training/onnx/onnx_import.h"

namespace errata::training {

namespace {

/// training.network_file, relative to the project's folder; it must exist.
std::optional<std::filesystem::path> network_file(const Settings& s) {
  if (!s.has("training.network_file")) return std::nullopt;
  const std::string& name = s.text("training.network_file");
  const auto path = s.folder() / name;
  if (std::filesystem::is_regular_file(path)) return path;
  throw ProjectError({{.code = "E514",
                       .position = s.value("training.network_file").position,
                       .message = fmt::format("training.network_file = \"{}\" does not exist", name),
                       .hint = "the path is relative to the project's folder"}});
}

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

std::vector<ArtifactInput> network_file_input(const Settings& s) {
  const auto path = network_file(s);
  if (!path) return {};
  return {{"network", sha256_of_file(*path)}};
}

ProjectNetwork project_network(const Settings& s, const DataSet& data, QuantizationOptions quantization) {
  NetworkOptions options;
  options.name = s.text("training.network");
  options.input = data.shape;
  options.classes = data.classes;
  options.quantization = quantization;
  options.batch_norm = s.flag("training.batch_norm");
  if (s.text("training.normalization") == "scale")
    options.normalization = scale_normalization(data.train, data.shape.channels);
  const auto path = network_file(s);
  if (!path) {
    options.hidden = hidden_widths(options);
    NetworkDescription description = describe_network(options);
    apply_layer_settings(s, description);
    return {make_network(options, description, s.seed()), {}};
  }

  options.name = path->filename().string();
  options.batch_norm = false;
  if (path->extension() == ".onnx") {
    onnx::Import import = onnx::import_graph(onnx::read_file(*path), data.shape);
    if (import.description.classes < data.classes)
      throw Error(ExitStatus::kInvalidProject, "E512",
                  fmt::format("{} has {} outputs, data set '{}' has {} classes", path->string(),
                              import.description.classes, data.name, data.classes));
    apply_layer_settings(s, import.description);
    return {onnx::network_of(import, options), import.notes};
  }
  NetworkDescription description = parse_network_text(text_of(*path), path->string(), data.shape, data.classes);
  apply_layer_settings(s, description);
  options.layers = network_text(description);
  return {make_network(options, description, s.seed()), {}};
}

TrainingOptions training_options(const Settings& s, const char* epochs, const char* rate) {
  TrainingOptions o;
  o.seed = s.seed();
  o.epochs = static_cast<std::uint64_t>(s.integer(epochs));
  o.batch_size = static_cast<std::size_t>(s.integer("training.batch_size"));
  o.optimizer.name = s.text("training.optimizer");
  o.optimizer.momentum = s.number("training.momentum");
  o.optimizer.nesterov = s.flag("training.nesterov");
  o.optimizer.weight_decay = s.number("training.weight_decay");
  o.schedule.name = s.text("training.schedule");
  o.schedule.learning_rate = s.number(rate);
  o.schedule.warmup_steps = static_cast<std::uint64_t>(s.integer("training.warmup_steps"));
  o.shift_pixels = static_cast<std::size_t>(s.integer("training.shift"));
  o.flip = s.flag("training.augmentation.flip");
  o.gradient_limit = s.number("training.gradient_limit");
  o.label_smoothing = s.number("training.label_smoothing");
  o.average_decay = s.number("training.average_decay");
  o.validation_images = static_cast<std::uint64_t>(s.integer("training.validation_images"));
  o.keep = s.text("training.keep") == "best" ? Keep::kBest : Keep::kLast;
  o.patience = static_cast<std::uint64_t>(s.integer("training.patience"));
  o.device_temperature_start = s.number("training.device.temperature_start");
  o.device_temperature_end = s.number("training.device.temperature_end");
  o.precision = s.text("training.precision") == "bf16" ? Precision::kBf16 : Precision::kFp32;
  return o;
}

}  // namespace errata::training
