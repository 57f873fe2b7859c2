#include "training/network/network_description.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "core/error.h"

namespace errata::training {

namespace {

constexpr std::size_t kLargestSide = 4096, kLargestWidth = 65536, kMostLayers = 1024;
constexpr double kLargestImage = 1 << 24;   // values in one feature map
constexpr double kMostValues = 4294967296;  // learned values of a network

constexpr std::array<std::string_view, 11> kKindNames{
    "convolution",     "depthwise_convolution",  "linear",  "batch_norm", "relu",    "max_pooling",
    "average_pooling", "global_average_pooling", "flatten", "dropout",    "addition"};

bool has_window(LayerKind kind) {
  return kind == LayerKind::kConvolution || kind == LayerKind::kDepthwiseConvolution ||
         kind == LayerKind::kMaxPooling || kind == LayerKind::kAveragePooling;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && text != kImages && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

std::string text_of(const ImageShape& shape) {
  return fmt::format("{}×{}×{}", shape.height, shape.width, shape.channels);
}

/// Walks over the layers and keeps what is known about each.
class Checker {
 public:
  explicit Checker(const NetworkDescription& description) : description_(description) {}

  CheckedDescription check() {
    check_sizes();
    if (description_.layers.empty() || description_.layers.size() > kMostLayers) {
      problem({}, fmt::format("{} layers, need 1 … {}", description_.layers.size(), kMostLayers));
      return std::move(result_);
    }
    readers_.resize(description_.layers.size());
    for (number_ = 0; number_ < description_.layers.size(); ++number_) check_layer(description_.layers[number_]);
    check_whole();
    return std::move(result_);
  }

 private:
  void problem(std::optional<std::size_t> layer, std::string message) {
    result_.problems.push_back({layer, std::move(message)});
  }
  void problem_here(std::string message) { problem(number_, std::move(message)); }

  void check_sizes() {
    const auto& in = description_.input;
    if (description_.classes < 2 || description_.classes > 256)
      problem({}, fmt::format("classes = {}, need 2 … 256", description_.classes));
    const bool fits = in.height >= 1 && in.width >= 1 && in.channels >= 1 && in.height <= kLargestSide &&
                      in.width <= kLargestSide && in.channels <= kLargestSide && volume(in) <= kLargestImage;
    if (!fits) problem({}, fmt::format("input = {}, need 1 … {} on each axis", text_of(in), kLargestSide));
  }

  static double volume(const ImageShape& shape) {
    return static_cast<double>(shape.height) * static_cast<double>(shape.width) * static_cast<double>(shape.channels);
  }

  void check_layer(const LayerDescription& layer) {
    if (!is_name(layer.name))
      problem_here(
          fmt::format("'{}' is not a layer's name: need letters, digits, '.', '_' and '-', 1 … 64 of them, "
                      "other than '{}'",
                      layer.name, kImages));
    else if (numbers_.contains(layer.name))
      problem_here(fmt::format("two layers are called '{}'", layer.name));
    const auto inputs = inputs_of(layer);
    result_.inputs.push_back(inputs.value_or(std::vector<std::size_t>{}));
    result_.shapes.push_back(inputs ? output_of(layer, *inputs) : ImageShape{0, 0, 0});
    numbers_.emplace(layer.name, number_);
  }

  std::optional<std::vector<std::size_t>> inputs_of(const LayerDescription& layer) {
    const bool several = layer.kind == LayerKind::kAddition;
    if (several ? layer.inputs.size() < 2 || layer.inputs.size() > 16 : layer.inputs.size() != 1) {
      problem_here(fmt::format("{} has {} inputs, need {}", kind_name(layer.kind), layer.inputs.size(),
                               several ? "2 … 16" : "one"));
      return std::nullopt;
    }
    std::vector<std::size_t> numbers;
    for (const auto& name : layer.inputs) {
      const auto found = numbers_.find(name);
      if (name != kImages && found == numbers_.end()) {
        const bool later = std::ranges::any_of(description_.layers, [&](const auto& l) { return l.name == name; });
        problem_here(later ? fmt::format("'{}' does not come before this layer", name)
                           : fmt::format("no layer is called '{}'", name));
        return std::nullopt;
      }
      numbers.push_back(name == kImages ? CheckedDescription::kImageInput : found->second);
      if (name != kImages) ++readers_[found->second];
    }
    return numbers;
  }

  /// A shape of zeros after a problem, here or before; nothing more is said about it.
  ImageShape output_of(const LayerDescription& layer, const std::vector<std::size_t>& inputs) {
    constexpr ImageShape kUnknown{0, 0, 0};
    const auto shape_of = [&](std::size_t number) {
      return number == CheckedDescription::kImageInput ? description_.input : result_.shapes[number];
    };
    const ImageShape input = shape_of(inputs[0]);
    for (const std::size_t number : inputs) {
      if (shape_of(number) == kUnknown) return kUnknown;
      if (shape_of(number) == input) continue;
      problem_here(fmt::format("cannot add feature maps of {} and {}", text_of(input), text_of(shape_of(number))));
      return kUnknown;
    }
    if (!check_numbers(layer)) return kUnknown;
    ImageShape output = input;
    try {
      if (has_window(layer.kind)) {
        const bool pooling = layer.kind == LayerKind::kMaxPooling || layer.kind == LayerKind::kAveragePooling;
        output = slide(layer.window, input, pooling ? "pooling window" : "kernel");
      }
    } catch (const Error& failure) {
      problem_here(failure.what());
      return kUnknown;
    }
    if (layer.kind == LayerKind::kConvolution) output.channels = layer.outputs;
    if (layer.kind == LayerKind::kLinear) output = {1, 1, layer.outputs};
    if (layer.kind == LayerKind::kFlatten) output = {1, 1, input.size()};
    if (layer.kind == LayerKind::kGlobalAveragePooling) output = {1, 1, input.channels};
    if (volume(output) > kLargestImage) {
      problem_here(fmt::format("a feature map of {} is too large", text_of(output)));
      return kUnknown;
    }
    count_values(layer, input);
    return output;
  }

  bool check_numbers(const LayerDescription& layer) {
    const Window& w = layer.window;
    const auto need = [&](bool holds, std::string message) {
      if (!holds) problem_here(std::move(message));
      return holds;
    };
    bool good = true;
    if (layer.kind == LayerKind::kConvolution || layer.kind == LayerKind::kLinear)
      good = need(layer.outputs >= 1 && layer.outputs <= kLargestWidth,
                  fmt::format("{} outputs, need 1 … {}", layer.outputs, kLargestWidth));
    if (has_window(layer.kind))
      good = need(std::max({w.kernel_h, w.kernel_w, w.stride_h, w.stride_w, w.pad_top, w.pad_left, w.pad_bottom,
                            w.pad_right}) <= kLargestSide,
                  fmt::format("kernel, stride and padding need to be at most {}", kLargestSide)) &&
             good;
    if (layer.kind == LayerKind::kConvolution || layer.kind == LayerKind::kLinear)
      good = need((layer.weight_bits == 0 || (layer.weight_bits >= 2 && layer.weight_bits <= 16)) &&
                      layer.input_bits >= 0 && layer.input_bits <= 16,
                  fmt::format("weight_bits = {} and input_bits = {}, need 2 … 16 and 1 … 16, or 0 for the network's",
                              layer.weight_bits, layer.input_bits)) &&
             good;
    if (layer.kind == LayerKind::kBatchNorm)
      good = need(layer.epsilon > 0.0 && layer.epsilon < 1.0,
                  fmt::format("epsilon = {}, need above 0 and below 1", layer.epsilon)) &&
             good;
    if (layer.kind == LayerKind::kDropout)
      good = need(layer.probability >= 0.0 && layer.probability < 1.0,
                  fmt::format("dropout = {}, need 0 ≤ dropout < 1", layer.probability)) &&
             good;
    if (layer.kind == LayerKind::kRelu && layer.ceiling)
      good = need(*layer.ceiling > 0.0, fmt::format("ceiling = {}, need above 0", *layer.ceiling)) && good;
    return good;
  }

  void count_values(const LayerDescription& layer, const ImageShape& input) {
    const auto channels = static_cast<double>(input.channels), outputs = static_cast<double>(layer.outputs);
    const auto taps = static_cast<double>(layer.window.kernel_h) * static_cast<double>(layer.window.kernel_w);
    double values = 0.0;
    if (layer.kind == LayerKind::kConvolution) values = taps * channels * outputs + (layer.bias ? outputs : 0.0);
    if (layer.kind == LayerKind::kDepthwiseConvolution) values = (taps + (layer.bias ? 1.0 : 0.0)) * channels;
    if (layer.kind == LayerKind::kLinear) values = volume(input) * outputs + (layer.bias ? outputs : 0.0);
    if (layer.kind == LayerKind::kBatchNorm) values = 2.0 * channels;
    result_.values += values;
    if (result_.values > kMostValues && result_.values - values <= kMostValues)
      problem_here(fmt::format("the network has more than {:.0f} values from here on", kMostValues));
  }

  void check_whole() {
    for (std::size_t i = 0; i + 1 < readers_.size(); ++i)
      if (readers_[i] == 0) problem(i, fmt::format("nobody reads layer '{}'", description_.layers[i].name));
    const ImageShape last = result_.shapes.back();
    if (last.size() != 0 && last.size() != description_.classes)
      problem(readers_.size() - 1,
              fmt::format("the last layer has {} outputs, the data has {} classes", last.size(), description_.classes));
  }

  const NetworkDescription& description_;
  CheckedDescription result_;
  std::map<std::string, std::size_t, std::less<>> numbers_;
  std::vector<std::size_t> readers_;
  std::size_t number_ = 0;
};

}  // namespace

CheckedDescription check_description(const NetworkDescription& description) { return Checker(description).check(); }

std::string LayerNames::next(const LayerDescription& layer) {
  static const std::map<LayerKind, std::string> kShort = {{LayerKind::kConvolution, "conv"},
                                                          {LayerKind::kDepthwiseConvolution, "depthwise"},
                                                          {LayerKind::kMaxPooling, "pool"},
                                                          {LayerKind::kAveragePooling, "pool"},
                                                          {LayerKind::kGlobalAveragePooling, "global_pool"},
                                                          {LayerKind::kAddition, "add"}};
  if (layer.kind == LayerKind::kBatchNorm && !layer.inputs.empty()) return layer.inputs[0] + ".norm";
  const auto found = kShort.find(layer.kind);
  const std::string stem = found != kShort.end() ? found->second : std::string(kind_name(layer.kind));
  return fmt::format("{}{}", stem, ++counts_[stem]);
}

std::string_view kind_name(LayerKind kind) { return kKindNames[static_cast<std::size_t>(kind)]; }

std::optional<LayerKind> kind_of(std::string_view name) {
  const auto* found = std::ranges::find(kKindNames, name);
  if (found == kKindNames.end()) return std::nullopt;
  return static_cast<LayerKind>(found - kKindNames.begin());
}

std::span<const std::string_view> kind_names() { return kKindNames; }

}  // namespace errata::training
