#include "training/onnx/onnx_import.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/error.h"
#include "training/network/network_text.h"
#include "training/onnx/importer.h"

namespace errata::training::onnx {

namespace {

constexpr std::string_view kSupported =
    "Conv, Gemm, MatMul, Add, Sum, BatchNormalization, Relu, Clip, Pad, MaxPool, AveragePool, GlobalAveragePool, "
    "GlobalMaxPool, ReduceMean, Flatten, Reshape, Squeeze, Transpose, Softmax, LogSoftmax, Dropout, Identity, Constant";

}  // namespace

std::size_t feature_here(const Flow& flow, std::size_t there) {
  if (flow.channels_last) return there;
  const std::size_t pixels = flow.shape.height * flow.shape.width;
  return there % pixels * flow.shape.channels + there / pixels;
}

Importer::Importer(const Graph& graph, std::optional<ImageShape> input) : graph_(graph), wanted_(input) {
  for (const Node& node : graph.nodes)
    for (const auto& name : node.inputs) ++readers_[name];
  for (const Value& value : graph.outputs) ++readers_[value.name];
}

Import Importer::import() {
  read_input();
  for (const Node& node : graph_.nodes) {
    node_ = &node;
    read_node();
  }
  finish();
  return std::move(import_);
}

void Importer::fail(const std::string& what, const std::string& hint) const {
  const std::string where =
      node_ == nullptr
          ? ""
          : fmt::format("node '{}' ({}): ", node_->name.empty() ? first_output() : node_->name, node_->operation);
  std::string message = "ONNX: " + where + what;
  std::ranges::replace_if(
      message, [](char c) { return static_cast<unsigned char>(c) < ' '; }, '?');  // names are foreign
  throw Error(ExitStatus::kArtifact, "E515", message, hint.empty() ? "docs/formats/onnx.md says what is read" : hint);
}

std::int64_t Importer::integer(const std::string& name, std::int64_t otherwise) const {
  const auto found = node_->attributes.find(name);
  if (found == node_->attributes.end()) return otherwise;
  need(found->second.kind == Attribute::Kind::kInteger, fmt::format("attribute {} is not an integer", name));
  return found->second.integer;
}

double Importer::real(const std::string& name, double otherwise) const {
  const auto found = node_->attributes.find(name);
  if (found == node_->attributes.end()) return otherwise;
  need(found->second.kind == Attribute::Kind::kReal, fmt::format("attribute {} is not a number", name));
  return static_cast<double>(found->second.real);
}

std::string Importer::text(const std::string& name, const std::string& otherwise) const {
  const auto found = node_->attributes.find(name);
  return found == node_->attributes.end() ? otherwise : found->second.text;
}

std::optional<std::vector<std::int64_t>> Importer::integers(const std::string& name) const {
  const auto found = node_->attributes.find(name);
  if (found == node_->attributes.end()) return std::nullopt;
  need(found->second.kind == Attribute::Kind::kIntegers, fmt::format("attribute {} is not a list of integers", name));
  return found->second.integers;
}

const Constant* Importer::find_constant(std::size_t which) const {
  if (!has_input(which)) return nullptr;
  if (const auto made = made_.find(node_->inputs[which]); made != made_.end()) return &made->second;
  const auto found = graph_.constants.find(node_->inputs[which]);
  return found == graph_.constants.end() ? nullptr : &found->second;
}

const Constant& Importer::constant(std::size_t which, std::string_view what) const {
  if (!has_input(which)) fail(fmt::format("has no {}", what));
  if (const Constant* found = find_constant(which)) return *found;
  if (flows_.contains(node_->inputs[which]))
    fail(fmt::format("its {} depends on the images; only constants are supported", what));
  fail(fmt::format("its {} '{}' is missing from the file", what, node_->inputs[which]));
}

const std::vector<float>& Importer::reals(std::size_t which, std::string_view what,
                                          std::optional<std::size_t> size) const {
  const Constant& found = constant(which, what);
  need(found.kind == Constant::Kind::kReal && !found.reals.empty(),
       fmt::format("its {} is not of a floating-point type", what));
  if (size)
    need(found.reals.size() == *size, fmt::format("its {} has {} values, need {}", what, found.reals.size(), *size));
  need(std::ranges::all_of(found.reals, [](float v) { return std::isfinite(v); }),
       fmt::format("its {} is not finite", what));
  return found.reals;
}

const Flow& Importer::flow(std::size_t which) const {
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

const Flow& Importer::image(std::size_t which) const {
  const Flow& found = flow(which);
  need(!found.flat, "takes an image, but its input is flat");
  need(!found.channels_last, "takes channels first, but its input has them last");
  return found;
}

void Importer::put(Flow flow) {
  need(!node_->outputs.empty() && !node_->outputs[0].empty(), "has no output");
  need(!flows_.contains(node_->outputs[0]) && !made_.contains(node_->outputs[0]) &&
           !graph_.constants.contains(node_->outputs[0]),
       fmt::format("its output '{}' is made twice", node_->outputs[0]));
  flows_.emplace(node_->outputs[0], std::move(flow));
}

void Importer::put(Constant constant) {
  need(!node_->outputs.empty(), "has no output");
  made_.emplace(node_->outputs[0], std::move(constant));
}

std::string Importer::add(LayerDescription layer, const Flow& input, ImageShape shape) {
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

void Importer::read_input() {
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

ImageShape Importer::input_of(ImageShape file) const {
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

void Importer::finish() {
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
    fail(problem.layer ? fmt::format("layer '{}': {}", import_.description.layers[*problem.layer].name, problem.message)
                       : problem.message);
  }
}

void Importer::note(const std::string& text) {
  if (std::ranges::find(import_.notes, text) == import_.notes.end()) import_.notes.push_back(text);
}

void Importer::drop_unread(const std::string& output) {
  auto& layers = import_.description.layers;
  std::set<std::string> read{output};
  for (std::size_t i = layers.size(); i-- > 0;)
    if (read.contains(layers[i].name)) read.insert(layers[i].inputs.begin(), layers[i].inputs.end());
  std::erase_if(layers, [&](const LayerDescription& layer) { return !read.contains(layer.name); });
  need(!layers.empty() && layers.back().name == output, "the graph's output does not depend on its last layer");
}

void Importer::read_node() {
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
