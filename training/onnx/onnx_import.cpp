#include "training/onnx/onnx_import.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "core/error.h"
#include "training/network_text.h"

namespace errata::training::onnx {

namespace {

constexpr std::string_view kSupported =
    "Conv, Gemm, MatMul, Add, Sum, BatchNormalization, Relu, Clip, Pad, MaxPool, AveragePool, GlobalAveragePool, "
    "GlobalMaxPool, ReduceMean, Flatten, Reshape, Squeeze, Transpose, Softmax, LogSoftmax, Dropout, Identity, Constant";

/// A value of the graph that depends on the images.
struct Flow {
  std::string layer{kImages};  ///< whose output it is
  ImageShape shape;            ///< before flattening, if it is flat
  bool flat = false;           ///< one axis of features
  bool channels_last = false;  ///< order of the axes, or of the features that came from them
  /// Zeros that a Pad before put around it and no layer has taken over yet: top, left, bottom, right.
  std::array<std::size_t, 4> zeros = {};

  bool is_padded() const { return zeros != std::array<std::size_t, 4>{}; }
};

/// Number of a feature here, from its number there.
std::size_t feature_here(const Flow& flow, std::size_t there) {
  if (flow.channels_last) return there;
  const std::size_t pixels = flow.shape.height * flow.shape.width;
  return there % pixels * flow.shape.channels + there / pixels;
}

class Importer {
 public:
  Importer(const Graph& graph, std::optional<ImageShape> input) : graph_(graph), wanted_(input) {
    for (const Node& node : graph.nodes)
      for (const auto& name : node.inputs) ++readers_[name];
    for (const Value& value : graph.outputs) ++readers_[value.name];
  }

  Import import() {
    read_input();
    for (const Node& node : graph_.nodes) {
      node_ = &node;
      read_node();
    }
    finish();
    return std::move(import_);
  }

 private:
  // --- messages ---

  [[noreturn]] void fail(const std::string& what, const std::string& hint = {}) const {
    const std::string where =
        node_ == nullptr
            ? ""
            : fmt::format("node '{}' ({}): ", node_->name.empty() ? first_output() : node_->name, node_->operation);
    std::string message = "ONNX: " + where + what;
    std::ranges::replace_if(
        message, [](char c) { return static_cast<unsigned char>(c) < ' '; }, '?');  // names are foreign
    throw Error(ExitStatus::kArtifact, "E515", message, hint.empty() ? "docs/formats/onnx.md says what is read" : hint);
  }
  std::string first_output() const { return node_->outputs.empty() ? "?" : node_->outputs[0]; }
  void need(bool holds, const std::string& what) const {
    if (!holds) fail(what);
  }

  // --- access to the node at hand ---

  std::int64_t integer(const std::string& name, std::int64_t otherwise) const {
    const auto found = node_->attributes.find(name);
    if (found == node_->attributes.end()) return otherwise;
    need(found->second.kind == Attribute::Kind::kInteger, fmt::format("attribute {} is not an integer", name));
    return found->second.integer;
  }
  double real(const std::string& name, double otherwise) const {
    const auto found = node_->attributes.find(name);
    if (found == node_->attributes.end()) return otherwise;
    need(found->second.kind == Attribute::Kind::kReal, fmt::format("attribute {} is not a number", name));
    return static_cast<double>(found->second.real);
  }
  std::string text(const std::string& name, const std::string& otherwise) const {
    const auto found = node_->attributes.find(name);
    return found == node_->attributes.end() ? otherwise : found->second.text;
  }
  std::optional<std::vector<std::int64_t>> integers(const std::string& name) const {
    const auto found = node_->attributes.find(name);
    if (found == node_->attributes.end()) return std::nullopt;
    need(found->second.kind == Attribute::Kind::kIntegers, fmt::format("attribute {} is not a list of integers", name));
    return found->second.integers;
  }

  bool has_input(std::size_t which) const { return which < node_->inputs.size() && !node_->inputs[which].empty(); }
  const Constant* find_constant(std::size_t which) const {
    if (!has_input(which)) return nullptr;
    if (const auto made = made_.find(node_->inputs[which]); made != made_.end()) return &made->second;
    const auto found = graph_.constants.find(node_->inputs[which]);
    return found == graph_.constants.end() ? nullptr : &found->second;
  }
  const Constant& constant(std::size_t which, std::string_view what) const {
    if (!has_input(which)) fail(fmt::format("has no {}", what));
    if (const Constant* found = find_constant(which)) return *found;
    if (flows_.contains(node_->inputs[which]))
      fail(fmt::format("its {} depends on the images; only constants are supported", what));
    fail(fmt::format("its {} '{}' is missing from the file", what, node_->inputs[which]));
  }
  const std::vector<float>& reals(std::size_t which, std::string_view what,
                                  std::optional<std::size_t> size = {}) const {
    const Constant& found = constant(which, what);
    need(found.kind == Constant::Kind::kReal && !found.reals.empty(),
         fmt::format("its {} is not of a floating-point type", what));
    if (size)
      need(found.reals.size() == *size, fmt::format("its {} has {} values, need {}", what, found.reals.size(), *size));
    need(std::ranges::all_of(found.reals, [](float v) { return std::isfinite(v); }),
         fmt::format("its {} is not finite", what));
    return found.reals;
  }
  const Flow& flow(std::size_t which) const {
    if (!has_input(which)) fail(fmt::format("has no input {}", which));
    const auto found = flows_.find(node_->inputs[which]);
    if (found != flows_.end()) {
      const bool takes_zeros = node_->operation == "Conv" || node_->operation == "AveragePool";
      need(takes_zeros || !found->second.is_padded(), "follows a Pad; only Conv and AveragePool may");
      return found->second;
    }
    if (find_constant(which) != nullptr) fail(fmt::format("its input '{}' is a constant", node_->inputs[which]));
    fail(fmt::format(
        "its input '{}' is made by no node before it: the graph has a cycle, is not in order, or lacks a constant",
        node_->inputs[which]));
  }
  const Flow& image(std::size_t which) const {
    const Flow& found = flow(which);
    need(!found.flat, "takes an image, but its input is flat");
    need(!found.channels_last, "takes channels first, but its input has them last");
    return found;
  }

  // --- results ---

  void put(Flow flow) {
    need(!node_->outputs.empty() && !node_->outputs[0].empty(), "has no output");
    need(!flows_.contains(node_->outputs[0]) && !made_.contains(node_->outputs[0]) &&
             !graph_.constants.contains(node_->outputs[0]),
         fmt::format("its output '{}' is made twice", node_->outputs[0]));
    flows_.emplace(node_->outputs[0], std::move(flow));
  }
  void put(Constant constant) {
    need(!node_->outputs.empty(), "has no output");
    made_.emplace(node_->outputs[0], std::move(constant));
  }

  /// Adds a layer that reads `input` and keeps its order of axes; returns its name.
  std::string add(LayerDescription layer, const Flow& input, ImageShape shape) {
    if (layer.inputs.empty()) layer.inputs = {input.layer};
    layer.name = names_.next(layer);
    while (numbers_.contains(layer.name)) layer.name += "_";
    numbers_.emplace(layer.name, import_.description.layers.size());
    Flow output = input;
    output.zeros = {};
    output.layer = layer.name;
    output.shape = shape;
    import_.description.layers.push_back(layer);
    put(output);
    return layer.name;
  }
  static LayerDescription make(LayerKind kind) {
    LayerDescription layer;
    layer.kind = kind;
    return layer;
  }
  void store(const std::string& name, std::vector<float> values) { import_.values[name] = std::move(values); }

  // --- the graph's ends ---

  void read_input() {
    need(graph_.inputs.size() == 1, fmt::format("the graph has {} inputs, need one: the images", graph_.inputs.size()));
    const Value& input = graph_.inputs[0];
    need(input.shape.size() == 4 || input.shape.size() == 2,
         fmt::format("its input '{}' has {} axes, need 4 (images) or 2 (features)", input.name, input.shape.size()));
    for (const std::int64_t size : input.shape)
      need(size == Value::kAnySize || (size >= 0 && size <= 1 << 24), fmt::format("its input has a size of {}", size));
    Flow flow;
    const std::vector<std::int64_t> sizes(input.shape.begin() + 1, input.shape.end());
    const bool transposed_at_once = std::ranges::any_of(graph_.nodes, [&](const Node& node) {
      return node.operation == "Transpose" && !node.inputs.empty() && node.inputs[0] == input.name;
    });
    flow.channels_last = transposed_at_once;  // as programs with channels last export
    flow.flat = sizes.size() == 1;
    if (flow.flat)
      flow.shape = input_of({1, 1, sizes[0] < 1 && wanted_ ? wanted_->size() : known(sizes[0])});
    else if (flow.channels_last)
      flow.shape = input_of({known(sizes[0]), known(sizes[1]), known(sizes[2])});
    else
      flow.shape = input_of({known(sizes[1]), known(sizes[2]), known(sizes[0])});
    import_.description.input = flow.shape;
    flows_.emplace(input.name, flow);
  }
  static std::size_t known(std::int64_t size) { return size < 1 ? 0 : static_cast<std::size_t>(size); }
  /// Sizes of the file, and where it leaves them open those that are wanted.
  ImageShape input_of(ImageShape file) const {
    const ImageShape otherwise = wanted_.value_or(ImageShape{0, 0, 0});
    ImageShape input{file.height > 0 ? file.height : otherwise.height, file.width > 0 ? file.width : otherwise.width,
                     file.channels > 0 ? file.channels : otherwise.channels};
    need(input.size() > 0, "the file leaves the size of the images open");
    const bool features = input.height * input.width == 1 && wanted_ && wanted_->size() == input.size();
    need(!wanted_ || *wanted_ == input || features,
         fmt::format("the network takes {}×{}×{} images, the data has {}×{}×{}", input.height, input.width,
                     input.channels, otherwise.height, otherwise.width, otherwise.channels));
    return features ? *wanted_ : input;
  }

  void finish() {
    node_ = nullptr;
    need(!graph_.outputs.empty(), "the graph has no output");
    const auto found = flows_.find(graph_.outputs[0].name);
    need(found != flows_.end(), fmt::format("no node makes the graph's output '{}'", graph_.outputs[0].name));
    if (graph_.outputs.size() > 1) note("only the first of several outputs is used");
    const Flow& output = found->second;
    need(output.shape.height * output.shape.width == 1,
         fmt::format("the output is a map of {}×{}, not one value per class", output.shape.height, output.shape.width));
    import_.description.classes = output.shape.size();
    drop_unread(output.layer);
    const auto checked = check_description(import_.description);
    if (!checked.problems.empty()) {
      const auto& problem = checked.problems[0];
      fail(problem.layer
               ? fmt::format("layer '{}': {}", import_.description.layers[*problem.layer].name, problem.message)
               : problem.message);
    }
  }
  void note(const std::string& text) {
    if (std::ranges::find(import_.notes, text) == import_.notes.end()) import_.notes.push_back(text);
  }

  /// Keeps the layers that the output depends on.
  void drop_unread(const std::string& output) {
    auto& layers = import_.description.layers;
    std::set<std::string> read{output};
    for (std::size_t i = layers.size(); i-- > 0;)
      if (read.contains(layers[i].name)) read.insert(layers[i].inputs.begin(), layers[i].inputs.end());
    std::erase_if(layers, [&](const LayerDescription& layer) { return !read.contains(layer.name); });
    need(!layers.empty() && layers.back().name == output, "the graph's output does not depend on its last layer");
  }

  // --- nodes ---

  void read_node() {
    using Read = void (Importer::*)();
    static const std::map<std::string, Read, std::less<>> kReaders = {{"Conv", &Importer::convolution},
                                                                      {"Gemm", &Importer::gemm},
                                                                      {"MatMul", &Importer::matrix_product},
                                                                      {"Add", &Importer::sum},
                                                                      {"Sum", &Importer::sum},
                                                                      {"BatchNormalization", &Importer::batch_norm},
                                                                      {"Relu", &Importer::relu},
                                                                      {"Clip", &Importer::clip},
                                                                      {"MaxPool", &Importer::pooling},
                                                                      {"AveragePool", &Importer::pooling},
                                                                      {"Pad", &Importer::pad},
                                                                      {"GlobalAveragePool", &Importer::global_pooling},
                                                                      {"GlobalMaxPool", &Importer::global_pooling},
                                                                      {"ReduceMean", &Importer::mean},
                                                                      {"Flatten", &Importer::flatten},
                                                                      {"Reshape", &Importer::reshape},
                                                                      {"Squeeze", &Importer::squeeze},
                                                                      {"Transpose", &Importer::transpose},
                                                                      {"Softmax", &Importer::softmax},
                                                                      {"LogSoftmax", &Importer::softmax},
                                                                      {"Dropout", &Importer::pass},
                                                                      {"Identity", &Importer::pass},
                                                                      {"Constant", &Importer::constant_node},
                                                                      {"Shape", &Importer::shape_node},
                                                                      {"Gather", &Importer::gather},
                                                                      {"Unsqueeze", &Importer::unsqueeze},
                                                                      {"Concat", &Importer::concat},
                                                                      {"Cast", &Importer::cast}};
    const auto found = kReaders.find(node_->operation);
    if (found == kReaders.end()) fail("this operation is not supported", fmt::format("supported: {}", kSupported));
    (this->*found->second)();
  }

  /// Strides, kernel and padding of a convolution or pooling over `shape`.
  Window window(const ImageShape& shape, std::size_t kernel_h, std::size_t kernel_w) {
    constexpr std::int64_t kLargest = 4096;
    Window w{kernel_h, kernel_w};
    const auto list = [&](const char* name, std::size_t count, std::int64_t least) {
      const auto given = integers(name);
      if (!given) return std::vector<std::int64_t>{};
      need(given->size() == count, fmt::format("{} has {} entries, need {}", name, given->size(), count));
      for (const std::int64_t value : *given)
        need(value >= least && value <= kLargest, fmt::format("{} has {}, need {} … {}", name, value, least, kLargest));
      return *given;
    };
    const auto size = [](std::int64_t value) { return static_cast<std::size_t>(value); };
    if (const auto strides = list("strides", 2, 1); !strides.empty())
      w.stride_h = size(strides[0]), w.stride_w = size(strides[1]);
    for (const std::int64_t dilation : list("dilations", 2, 1)) need(dilation == 1, "dilation is not supported");
    const std::string automatic = text("auto_pad", "NOTSET");
    if (const auto pads = list("pads", 4, 0); !pads.empty() && automatic == "NOTSET")
      w.pad_top = size(pads[0]), w.pad_left = size(pads[1]), w.pad_bottom = size(pads[2]), w.pad_right = size(pads[3]);
    if (automatic == "SAME_UPPER" || automatic == "SAME_LOWER") {
      const auto total = [](std::size_t in, std::size_t kernel, std::size_t stride) {
        const std::size_t reach = ((in + stride - 1) / stride - 1) * stride + kernel;
        return reach > in ? reach - in : 0;
      };
      const std::size_t vertical = total(shape.height, w.kernel_h, w.stride_h),
                        horizontal = total(shape.width, w.kernel_w, w.stride_w);
      const std::size_t odd = automatic == "SAME_LOWER" ? 1 : 0;
      w.pad_top = (vertical + odd) / 2;
      w.pad_left = (horizontal + odd) / 2;
      w.pad_bottom = vertical - w.pad_top;
      w.pad_right = horizontal - w.pad_left;
    } else {
      need(automatic == "NOTSET" || automatic == "VALID", fmt::format("auto_pad '{}' is not known", automatic));
    }
    return w;
  }

  /// A Pad's zeros become padding of the layer that follows.
  void take_zeros(const Flow& input, Window& w) const {
    need(!input.is_padded() || text("auto_pad", "NOTSET") == "NOTSET" || text("auto_pad", "NOTSET") == "VALID",
         "has automatic padding after a Pad");
    w.pad_top += input.zeros[0];
    w.pad_left += input.zeros[1];
    w.pad_bottom += input.zeros[2];
    w.pad_right += input.zeros[3];
  }

  ImageShape slid(const Window& w, const ImageShape& shape) const {
    try {
      return slide(w, shape, "window");
    } catch (const Error& failure) {
      fail(failure.what());
    }
  }

  void convolution() {
    const Flow& input = image(0);
    const Constant& weight = constant(1, "weight");
    need(weight.shape.size() == 4,
         fmt::format("its weight has {} axes; only convolutions of images are supported", weight.shape.size()));
    const std::vector<float>& values = reals(1, "weight");
    const auto outputs = static_cast<std::size_t>(weight.shape[0]), depth = static_cast<std::size_t>(weight.shape[1]),
               kernel_h = static_cast<std::size_t>(weight.shape[2]),
               kernel_w = static_cast<std::size_t>(weight.shape[3]);
    const std::int64_t group = integer("group", 1);
    const bool depthwise = group > 1 && static_cast<std::size_t>(group) == input.shape.channels && depth == 1 &&
                           outputs == input.shape.channels;
    need(group == 1 || depthwise, fmt::format("group = {}: only 1 and depthwise are supported", group));
    need(depthwise || depth == input.shape.channels,
         fmt::format("its weight takes {} channels, its input has {}", depth, input.shape.channels));
    if (const auto kernel = integers("kernel_shape"))
      need(*kernel == std::vector<std::int64_t>{weight.shape[2], weight.shape[3]},
           "kernel_shape differs from its weight's shape");

    LayerDescription layer = make(depthwise ? LayerKind::kDepthwiseConvolution : LayerKind::kConvolution);
    layer.window = window(input.shape, kernel_h, kernel_w);
    take_zeros(input, layer.window);
    layer.outputs = depthwise ? 0 : outputs;
    layer.bias = has_input(2);
    ImageShape shape = slid(layer.window, input.shape);
    shape.channels = outputs;
    // There [output][channel][row][column], here [row][column][channel][output].
    std::vector<float> here(values.size());
    const std::size_t taps = kernel_h * kernel_w;
    for (std::size_t o = 0; o < outputs; ++o)
      for (std::size_t c = 0; c < depth; ++c)
        for (std::size_t t = 0; t < taps; ++t) {
          const float value = values[(o * depth + c) * taps + t];
          here[depthwise ? t * outputs + o : (t * depth + c) * outputs + o] = value;
        }
    std::vector<float> bias;
    if (layer.bias) bias = reals(2, "bias", outputs);
    const std::string name = add(layer, input, shape);
    store(name + ".weight", std::move(here));
    if (layer.bias) store(name + ".bias", std::move(bias));
  }

  /// A linear layer with weight(input there, output).
  template <class Weight>
  void linear(const Flow& input, std::size_t outputs, const Weight& weight, const std::vector<float>& bias) {
    const std::size_t inputs = input.shape.size();
    std::vector<float> here(inputs * outputs);
    for (std::size_t i = 0; i < inputs; ++i)
      for (std::size_t o = 0; o < outputs; ++o) here[feature_here(input, i) * outputs + o] = weight(i, o);
    LayerDescription layer = make(LayerKind::kLinear);
    layer.outputs = outputs;
    layer.bias = !bias.empty();
    Flow from = input;
    from.channels_last = false;  // one row of features has no order
    const std::string name = add(layer, from, {1, 1, outputs});
    store(name + ".weight", std::move(here));
    if (!bias.empty()) store(name + ".bias", bias);
  }

  const Flow& features(std::size_t which) const {
    const Flow& found = flow(which);
    need(found.flat, "takes rows of features, but its input is an image: a Flatten is missing");
    return found;
  }

  void gemm() {
    const Flow& input = features(0);
    need(integer("transA", 0) == 0, "transA is not supported");
    const bool transposed = integer("transB", 0) != 0;
    const Constant& matrix = constant(1, "weight");
    need(matrix.shape.size() == 2, "its weight is not a matrix");
    const auto inputs = static_cast<std::size_t>(matrix.shape[transposed ? 1 : 0]),
               outputs = static_cast<std::size_t>(matrix.shape[transposed ? 0 : 1]);
    need(inputs == input.shape.size(),
         fmt::format("its weight takes {} features, its input has {}", inputs, input.shape.size()));
    const std::vector<float>& values = reals(1, "weight");
    const auto alpha = static_cast<float>(real("alpha", 1.0)), beta = static_cast<float>(real("beta", 1.0));
    std::vector<float> bias;
    if (has_input(2)) {
      const std::vector<float>& given = reals(2, "bias");
      need(given.size() == outputs || given.size() == 1,
           fmt::format("its bias has {} values, need {}", given.size(), outputs));
      for (std::size_t o = 0; o < outputs; ++o) bias.push_back(beta * given[given.size() == 1 ? 0 : o]);
    }
    linear(
        input, outputs,
        [&](std::size_t i, std::size_t o) { return alpha * values[transposed ? o * inputs + i : i * outputs + o]; },
        bias);
  }

  void matrix_product() {
    const Flow& input = features(0);
    const Constant& matrix = constant(1, "weight");
    need(matrix.shape.size() == 2, "its weight is not a matrix");
    const auto outputs = static_cast<std::size_t>(matrix.shape[1]);
    need(static_cast<std::size_t>(matrix.shape[0]) == input.shape.size(),
         fmt::format("its weight takes {} features, its input has {}", matrix.shape[0], input.shape.size()));
    const std::vector<float>& values = reals(1, "weight");
    linear(input, outputs, [&](std::size_t i, std::size_t o) { return values[i * outputs + o]; }, {});
  }

  void sum() {
    const bool first = find_constant(0) != nullptr, second = find_constant(1) != nullptr;
    if (node_->inputs.size() == 2 && (first || second)) return add_bias(first ? 1 : 0, first ? 0 : 1);
    const Flow& input = flow(0);
    if (node_->inputs.size() == 1) return put(Flow(input));
    LayerDescription layer = make(LayerKind::kAddition);
    for (std::size_t i = 0; i < node_->inputs.size(); ++i) {
      const Flow& other = flow(i);
      need(other.shape == input.shape && other.flat == input.flat && other.channels_last == input.channels_last,
           "its inputs differ in shape; only sums of equal shapes are supported");
      layer.inputs.push_back(other.layer);
    }
    add(layer, input, input.shape);
  }

  /// A constant added to what a convolution or product makes, for each channel, is its bias.
  void add_bias(std::size_t data, std::size_t added) {
    const Flow input = flow(data);
    const auto number = numbers_.find(input.layer);
    need(number != numbers_.end() && readers_[node_->inputs[data]] == 1,
         "adds a constant to something else than a layer's output");
    LayerDescription& layer = import_.description.layers[number->second];
    const bool matrix = layer.kind == LayerKind::kConvolution || layer.kind == LayerKind::kLinear ||
                        layer.kind == LayerKind::kDepthwiseConvolution;
    need(matrix, fmt::format("adds a constant to the output of {}; only a bias after Conv, Gemm or MatMul is supported",
                             kind_name(layer.kind)));
    const std::size_t channels = input.shape.channels;
    const Constant& constant = this->constant(added, "bias");
    const std::vector<float>& values = reals(added, "bias");
    std::size_t axis_of_channels = input.flat || input.channels_last ? 0 : 2;  // counted from the last axis
    bool per_channel = values.size() == 1;
    if (values.size() == channels && constant.shape.size() > axis_of_channels)
      per_channel = static_cast<std::size_t>(constant.shape[constant.shape.size() - 1 - axis_of_channels]) == channels;
    need(per_channel && (!input.flat || input.shape.height * input.shape.width == 1),
         "its constant is not one value per channel");
    std::vector<float> bias(channels);
    if (layer.bias) bias = import_.values.at(layer.name + ".bias");
    for (std::size_t c = 0; c < channels; ++c) bias[c] += values[values.size() == 1 ? 0 : c];
    layer.bias = true;
    store(layer.name + ".bias", std::move(bias));
    put(input);
  }

  void batch_norm() {
    const Flow& input = flow(0);
    need(!input.channels_last || input.flat, "takes channels first, but its input has them last");
    const bool spread = input.flat && input.shape.height * input.shape.width > 1;
    const std::size_t channels = input.flat ? input.shape.size() : input.shape.channels;
    std::array<std::vector<float>, 4> values;
    static constexpr std::array<std::string_view, 4> kWhat{"scale", "shift", "mean", "variance"};
    for (std::size_t k = 0; k < 4; ++k) {
      const std::vector<float>& there = reals(k + 1, kWhat[k], channels);
      values[k].resize(channels);
      for (std::size_t c = 0; c < channels; ++c) values[k][input.flat ? feature_here(input, c) : c] = there[c];
    }
    need(std::ranges::all_of(values[3], [](float v) { return v >= 0.0f; }), "its variance is negative");
    LayerDescription layer = make(LayerKind::kBatchNorm);
    layer.epsilon = real("epsilon", 1e-5);
    Flow from = input;
    if (spread) {  // a channel for each feature
      LayerDescription flat = make(LayerKind::kFlatten);
      flat.inputs = {input.layer};
      flat.name = names_.next(flat);
      import_.description.layers.push_back(flat);
      from.layer = flat.name;
    }
    const std::string name = add(layer, from, input.shape);
    store(name + ".scale", values[0]);
    store(name + ".shift", values[1]);
    store(name + ".running_mean", values[2]);
    store(name + ".running_variance", values[3]);
  }

  void relu() {
    const Flow& input = flow(0);
    add(make(LayerKind::kRelu), input, input.shape);
  }

  void clip() {
    const Flow& input = flow(0);
    const auto bound = [&](const char* name, std::size_t which, double otherwise) {
      if (graph_.opset < 11 || !has_input(which)) return real(name, otherwise);
      return static_cast<double>(reals(which, name, 1)[0]);
    };
    constexpr double kHuge = 3e38;  // of the largest float, which stands for none
    const double low = bound("min", 1, -kHuge), high = bound("max", 2, kHuge);
    need(low == 0.0 && high > 0.0, fmt::format("clips to {} … {}; only 0 … maximum is supported (ReLU6)", low, high));
    LayerDescription layer = make(LayerKind::kRelu);
    if (high < kHuge) layer.ceiling = high;
    add(layer, input, input.shape);
  }

  void pooling() {
    const Flow& input = image(0);
    const bool average = node_->operation == "AveragePool";
    const auto kernel = integers("kernel_shape");
    need(kernel && kernel->size() == 2 && (*kernel)[0] >= 1 && (*kernel)[1] >= 1 && (*kernel)[0] <= 4096 &&
             (*kernel)[1] <= 4096,
         "kernel_shape needs two sizes");
    need(integer("storage_order", 0) == 0, "storage_order is not supported");
    for (std::size_t i = 1; i < node_->outputs.size(); ++i)
      need(node_->outputs[i].empty() || readers_[node_->outputs[i]] == 0,
           "its indices are used, which is not supported");
    LayerDescription layer = make(average ? LayerKind::kAveragePooling : LayerKind::kMaxPooling);
    layer.window = window(input.shape, static_cast<std::size_t>((*kernel)[0]), static_cast<std::size_t>((*kernel)[1]));
    layer.counts_padding = average && integer("count_include_pad", 0) != 0 && layer.window.is_padded();
    if (input.is_padded()) {
      need(layer.counts_padding || !layer.window.is_padded(), "has padding of its own after a Pad");
      take_zeros(input, layer.window);
      layer.counts_padding = true;
    }
    if (integer("ceil_mode", 0) != 0) round_up(layer, input.shape);
    add(layer, input, slid(layer.window, input.shape));
  }

  /// Padding at the end, so that a last incomplete window counts.
  void round_up(LayerDescription& layer, const ImageShape& shape) {
    Window& w = layer.window;
    const auto rest = [&](std::size_t size, std::size_t kernel, std::size_t stride, std::size_t begin,
                          std::size_t end) {
      const std::size_t padded = size + begin + end;
      need(padded >= kernel, "its window is larger than the image");
      const std::size_t steps = (padded - kernel + stride - 1) / stride;
      if (steps * stride >= size + begin) return std::size_t{0};  // would begin in the padding: left out there as well
      const std::size_t reach = steps * stride + kernel;
      return reach > padded ? reach - padded : 0;
    };
    const std::size_t bottom = rest(shape.height, w.kernel_h, w.stride_h, w.pad_top, w.pad_bottom),
                      right = rest(shape.width, w.kernel_w, w.stride_w, w.pad_left, w.pad_right);
    need(bottom + right == 0 || !layer.counts_padding, "ceil_mode with count_include_pad is not supported");
    w.pad_bottom += bottom;
    w.pad_right += right;
  }

  void pad() {
    Flow padded = image(0);
    const auto attribute = integers("pads");
    const std::vector<std::int64_t> pads = attribute ? *attribute : constant(1, "padding").integers;
    need(text("mode", "constant") == "constant", "only padding with zeros is supported");
    const double value = has_input(2) ? static_cast<double>(reals(2, "value", 1)[0]) : real("value", 0.0);
    need(value == 0.0, "only padding with zeros is supported");
    need(pads.size() == 8 && !has_input(3) && pads[0] == 0 && pads[1] == 0 && pads[4] == 0 && pads[5] == 0,
         "only padding of rows and columns is supported");
    const std::array<std::size_t, 4> places{2, 3, 6, 7};
    for (std::size_t side = 0; side < 4; ++side) {
      const std::int64_t zeros = pads[places[side]];
      need(zeros >= 0 && zeros <= 4096, fmt::format("pads has {}, need 0 … 4096", zeros));
      padded.zeros[side] = static_cast<std::size_t>(zeros);
    }
    put(std::move(padded));
  }

  void global_pooling() {
    const Flow& input = image(0);
    LayerDescription layer = make(LayerKind::kGlobalAveragePooling);
    if (node_->operation == "GlobalMaxPool") {
      layer.kind = LayerKind::kMaxPooling;
      layer.window = {input.shape.height, input.shape.width, input.shape.height, input.shape.width};
    }
    add(layer, input, {1, 1, input.shape.channels});
  }

  /// Axes of a Squeeze or ReduceMean over 4 axes, sorted: an attribute, later an input.
  std::vector<std::int64_t> axes(std::size_t input_number) const {
    std::vector<std::int64_t> list;
    if (const auto given = integers("axes"))
      list = *given;
    else if (const Constant* constant = find_constant(input_number))
      list = constant->integers;
    for (std::int64_t& axis : list)
      if (axis < 0) axis += 4;
    std::ranges::sort(list);
    return list;
  }

  void mean() {
    const Flow& input = flow(0);
    const std::vector<std::int64_t> spatial =
        input.channels_last ? std::vector<std::int64_t>{1, 2} : std::vector<std::int64_t>{2, 3};
    need(!input.flat && axes(1) == spatial, "only a mean over rows and columns is supported");
    Flow from = input;
    from.flat = integer("keepdims", 1) == 0;
    add(make(LayerKind::kGlobalAveragePooling), from, {1, 1, input.shape.channels});
  }

  void make_flat(const Flow& input) {
    if (input.flat) return put(Flow(input));
    Flow from = input;
    from.flat = true;
    LayerDescription layer = make(LayerKind::kFlatten);
    add(layer, from, input.shape);
  }

  void flatten() {
    const Flow& input = flow(0);
    const std::int64_t axis = integer("axis", 1), rank = input.flat ? 2 : 4;
    need(axis == 1 || axis == 1 - rank, fmt::format("axis = {}: only 1 is supported", axis));
    make_flat(input);
  }

  void reshape() {
    if (const Constant* data = find_constant(0)) {  // of a weight, by exporters that keep it in another shape
      Constant reshaped = *data;
      const Constant& target = constant(1, "shape");
      std::int64_t count = 1;
      for (const std::int64_t size : target.integers) count *= std::clamp<std::int64_t>(size, 0, 1 << 30);
      need(count == static_cast<std::int64_t>(data->size()),
           "only a reshape of a constant to fixed sizes is supported");
      reshaped.shape = target.integers;
      return put(std::move(reshaped));
    }
    const Flow& input = flow(0);
    std::vector<std::int64_t> target;
    if (const auto attribute = integers("shape"))  // before opset 5
      target = *attribute;
    else
      target = constant(1, "shape").integers;
    const auto features = static_cast<std::int64_t>(input.shape.size());
    const bool flat = target.size() == 2 && (target[1] == -1 || target[1] == features);
    need(flat, "only a reshape to rows of features is supported");
    make_flat(input);
  }

  void squeeze() {
    const Flow& input = flow(0);
    const auto list = axes(1);
    const std::vector<std::int64_t> spatial =
        input.channels_last ? std::vector<std::int64_t>{1, 2} : std::vector<std::int64_t>{2, 3};
    need(!input.flat && input.shape.height * input.shape.width == 1 && list == spatial,
         "only removing a height and width of 1 is supported");
    make_flat(input);
  }

  void transpose() {
    if (const Constant* data = find_constant(0)) {
      const auto order = integers("perm");
      need(data->kind == Constant::Kind::kReal && data->shape.size() == 2 &&
               (!order || *order == std::vector<std::int64_t>{1, 0}),
           "only a matrix of constants can be transposed");
      Constant turned = *data;
      std::swap(turned.shape[0], turned.shape[1]);
      const auto rows = static_cast<std::size_t>(data->shape[0]), columns = static_cast<std::size_t>(data->shape[1]);
      for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t c = 0; c < columns; ++c) turned.reals[c * rows + r] = data->reals[r * columns + c];
      return put(std::move(turned));
    }
    Flow moved = flow(0);
    const auto order = integers("perm");
    const std::vector<std::int64_t> first{0, 3, 1, 2}, last{0, 2, 3, 1};
    need(!moved.flat && order && *order == (moved.channels_last ? first : last),
         "only moving the channels from first to last or back is supported");
    moved.channels_last = !moved.channels_last;
    put(moved);
  }

  void softmax() {
    const Flow& input = flow(0);
    const bool last = !graph_.outputs.empty() && !node_->outputs.empty() && node_->outputs[0] == graph_.outputs[0].name;
    need(last, "is supported at the end only");
    note("the final softmax is left out: outputs are logits");
    put(Flow(input));
  }

  void pass() {
    if (const Constant* data = find_constant(0)) return put(Constant(*data));
    const Flow& input = flow(0);
    if (node_->operation == "Dropout") note("dropout is left out");
    put(Flow(input));
  }

  // --- constants, and the sizes that exporters compute from shapes ---

  void constant_node() {
    Constant made;
    const auto& attributes = node_->attributes;
    if (const auto value = attributes.find("value");
        value != attributes.end() && value->second.kind == Attribute::Kind::kConstant) {
      made = value->second.constant;
    } else if (const auto one = attributes.find("value_float"); one != attributes.end()) {
      made.reals = {one->second.real};
    } else if (const auto whole = attributes.find("value_int"); whole != attributes.end()) {
      made.kind = Constant::Kind::kInteger;
      made.integers = {whole->second.integer};
    } else if (const auto list = attributes.find("value_ints"); list != attributes.end()) {
      made.kind = Constant::Kind::kInteger;
      made.integers = list->second.integers;
      made.shape = {static_cast<std::int64_t>(made.integers.size())};
    } else {
      fail("holds no value that is supported");
    }
    put(std::move(made));
  }

  void shape_node() {
    const Flow& input = flow(0);
    const auto size = [](std::size_t value) { return static_cast<std::int64_t>(value); };
    Constant shape;
    shape.kind = Constant::Kind::kInteger;
    constexpr std::int64_t kBatch = -1;  // whatever the batch has
    if (input.flat)
      shape.integers = {kBatch, size(input.shape.size())};
    else if (input.channels_last)
      shape.integers = {kBatch, size(input.shape.height), size(input.shape.width), size(input.shape.channels)};
    else
      shape.integers = {kBatch, size(input.shape.channels), size(input.shape.height), size(input.shape.width)};
    shape.shape = {size(shape.integers.size())};
    put(std::move(shape));
  }

  const Constant& sizes(std::size_t which) const {
    const Constant& found = constant(which, "operand");
    need(found.kind == Constant::Kind::kInteger, "is supported for shapes only");
    return found;
  }

  void gather() {
    const Constant &data = sizes(0), &places = sizes(1);
    need(integer("axis", 0) == 0 && data.shape.size() == 1, "is supported for shapes only");
    Constant taken;
    taken.kind = Constant::Kind::kInteger;
    taken.shape = places.shape;
    for (std::int64_t place : places.integers) {
      if (place < 0) place += static_cast<std::int64_t>(data.integers.size());
      need(place >= 0 && place < static_cast<std::int64_t>(data.integers.size()), "reaches outside its data");
      taken.integers.push_back(data.integers[static_cast<std::size_t>(place)]);
    }
    put(std::move(taken));
  }

  void unsqueeze() {
    Constant made = sizes(0);
    need(made.integers.size() == 1, "is supported for shapes only");
    made.shape = {1};
    put(std::move(made));
  }

  void concat() {
    Constant all;
    all.kind = Constant::Kind::kInteger;
    for (std::size_t i = 0; i < node_->inputs.size(); ++i) {
      const Constant& part = sizes(i);
      all.integers.insert(all.integers.end(), part.integers.begin(), part.integers.end());
    }
    need(all.integers.size() <= 8, "is supported for shapes only");
    all.shape = {static_cast<std::int64_t>(all.integers.size())};
    put(std::move(all));
  }

  void cast() { put(Constant(sizes(0))); }

  const Graph& graph_;
  std::optional<ImageShape> wanted_;
  const Node* node_ = nullptr;
  std::map<std::string, std::size_t> readers_;               ///< of values, by name
  std::map<std::string, Flow, std::less<>> flows_;           ///< what depends on the images
  std::map<std::string, Constant, std::less<>> made_;        ///< constants that nodes make
  std::map<std::string, std::size_t, std::less<>> numbers_;  ///< of layers
  LayerNames names_;
  Import import_;
};

}  // namespace

Import import_graph(const Graph& graph, std::optional<ImageShape> input) { return Importer(graph, input).import(); }

std::unique_ptr<Network> network_of(const Import& import, NetworkOptions options) {
  options.layers = network_text(import.description);
  options.input = import.description.input;
  options.classes = import.description.classes;
  auto network = build_network(options, import.description);
  const auto take = [&](const std::string& name, std::vector<float>& values) {
    const auto found = import.values.find(name);
    if (found == import.values.end()) return;  // steps of quantisers start from the first batch
    if (found->second.size() != values.size())
      throw Error(ExitStatus::kBug, "E700", "an imported value of another size");
    values = found->second;
  };
  for (Parameter* parameter : network->parameters()) take(parameter->name, parameter->value);
  for (const StateBuffer& buffer : network->buffers()) take(buffer.name, *buffer.values);
  return network;
}

}  // namespace errata::training::onnx
