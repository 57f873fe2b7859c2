// From a description to layers with drawn weights.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/random_stream.h"
#include "training/layers/addition.h"
#include "training/layers/batch_norm.h"
#include "training/layers/depthwise_layer.h"
#include "training/layers/dropout.h"
#include "training/layers/flatten.h"
#include "training/layers/pooling.h"
#include "training/layers/relu.h"
#include "training/network/network.h"
#include "training/network/network_text.h"

namespace errata::training {

namespace {

/// One message for each option out of its domain.
std::vector<std::string> problems_of(const NetworkOptions& options) {
  std::vector<std::string> problems;
  const auto need = [&](bool holds, std::string text) {
    if (!holds) problems.push_back(std::move(text));
  };
  const auto& q = options.quantization;
  need(q.weight_bits == 0 || (q.weight_bits >= 2 && q.weight_bits <= 16),
       fmt::format("weight_bits = {}, need 0 (floating point) or 2 … 16", q.weight_bits));
  need(q.input_bits == 0 || (q.input_bits >= 1 && q.input_bits <= 16),
       fmt::format("input_bits = {}, need 0 (floating point) or 1 … 16", q.input_bits));
  need(options.dropout >= 0.0 && options.dropout < 1.0,
       fmt::format("dropout = {}, need 0 ≤ dropout < 1", options.dropout));
  return problems;
}

[[noreturn]] void refuse(const std::vector<std::string>& problems) {
  throw Error(ExitStatus::kInvalidProject, "E508", fmt::format("network: {}", fmt::join(problems, "; ")));
}

/// An unknown name, with whatever else is wrong.
[[noreturn]] void refuse_name(const NetworkOptions& options) {
  std::vector<std::string> problems{
      fmt::format("no network is called '{}'; known: {}", options.name, fmt::join(network_names(), ", "))};
  for (auto& problem : problems_of(options)) problems.push_back(std::move(problem));
  NetworkOptions instead = options;
  instead.name = "mlp";
  for (auto& problem : check_description(describe_network(instead)).problems)
    problems.push_back(std::move(problem.message));
  refuse(problems);
}

class Builder {
 public:
  Builder(const NetworkOptions& options, const NetworkDescription& description, const CheckedDescription& checked)
      : options_(options), description_(description), checked_(checked) {}

  std::vector<std::unique_ptr<Layer>> build() {
    std::vector<std::unique_ptr<Layer>> layers;
    for (std::size_t i = 0; i < description_.layers.size(); ++i) {
      const std::size_t input = checked_.inputs[i][0];
      layers.push_back(make(description_.layers[i],
                            input == CheckedDescription::kImageInput ? description_.input : checked_.shapes[input]));
    }
    return layers;
  }

 private:
  std::unique_ptr<Layer> make(const LayerDescription& d, ImageShape in) {
    switch (d.kind) {
      case LayerKind::kConvolution:
        return matrix(d, convolution_geometry(in, d.window, d.outputs));
      case LayerKind::kLinear:
        return matrix(d, linear_geometry(in.size(), d.outputs));
      case LayerKind::kDepthwiseConvolution:
        return std::make_unique<DepthwiseLayer>(d.name, in, d.window,
                                                d.bias ? DepthwiseLayer::Bias::kLearned : DepthwiseLayer::Bias::kNone);
      case LayerKind::kBatchNorm:
        return std::make_unique<BatchNorm>(d.name, in, d.epsilon);
      case LayerKind::kRelu:
        return d.ceiling ? std::make_unique<Relu>(in, static_cast<float>(*d.ceiling)) : std::make_unique<Relu>(in);
      case LayerKind::kMaxPooling:
        return std::make_unique<MaxPooling>(in, d.window);
      case LayerKind::kAveragePooling:
        return std::make_unique<AveragePooling>(
            in, d.window,
            d.counts_padding ? AveragePooling::Padding::kCountsAsZero : AveragePooling::Padding::kLeftOut);
      case LayerKind::kGlobalAveragePooling:
        return std::make_unique<AveragePooling>(in, Window{in.height, in.width});
      case LayerKind::kFlatten:
        return std::make_unique<Flatten>(in);
      case LayerKind::kDropout:
        return std::make_unique<Dropout>(in, d.probability, dropouts_++);
      case LayerKind::kAddition:
        return std::make_unique<Addition>(in);
    }
    throw Error(ExitStatus::kBug, "E700", "a layer of no kind");
  }

  std::unique_ptr<Layer> matrix(const LayerDescription& d, const MatrixGeometry& geometry) {
    return std::make_unique<MatrixLayer>(d.name, matrices_++, geometry, quantization_of(d),
                                         d.bias ? MatrixLayer::Bias::kLearned : MatrixLayer::Bias::kNone);
  }

  /// Bits of a layer's own hold where the network is quantised at all: in floating point every layer is.
  QuantizationOptions quantization_of(const LayerDescription& d) const {
    QuantizationOptions q = d.digital ? QuantizationOptions{} : options_.quantization;
    if (q.weight_bits > 0 && d.weight_bits > 0) q.weight_bits = d.weight_bits;
    if (q.input_bits > 0 && d.input_bits > 0) q.input_bits = d.input_bits;
    return q;
  }

  const NetworkOptions& options_;
  const NetworkDescription& description_;
  const CheckedDescription& checked_;
  std::size_t matrices_ = 0, dropouts_ = 0;
};

void draw(RandomStream stream, std::size_t inputs, Parameter& weight) {
  const double bound = std::sqrt(6.0 / static_cast<double>(inputs));
  for (float& value : weight.value) value = static_cast<float>((2.0 * stream.uniform() - 1.0) * bound);
}

void draw_weights(Network& network, std::uint64_t seed) {
  for (MatrixLayer* layer : network.matrix_layers())
    draw(RandomStream(seed, StreamPurpose::kWeightInit, layer->index()), layer->geometry().rows(), layer->weight());
  std::size_t depthwise = 0;
  for (const auto& layer : network.layers())
    if (auto* d = dynamic_cast<DepthwiseLayer*>(layer.get()))
      draw(RandomStream(seed, StreamPurpose::kWeightInit, depthwise++, 1), d->weight().shape[0], d->weight());
}

}  // namespace

std::unique_ptr<Network> build_network(const NetworkOptions& options, const NetworkDescription& description) {
  auto problems = problems_of(options);
  const CheckedDescription checked = check_description(description);
  for (const auto& problem : checked.problems)
    problems.push_back(problem.layer
                           ? fmt::format("layer '{}': {}", description.layers[*problem.layer].name, problem.message)
                           : problem.message);
  if (!problems.empty()) refuse(problems);
  return std::make_unique<Network>(options, description, Builder(options, description, checked).build());
}

std::unique_ptr<Network> make_network(const NetworkOptions& options, const NetworkDescription& description,
                                      std::uint64_t seed) {
  auto network = build_network(options, description);
  draw_weights(*network, seed);
  return network;
}

std::unique_ptr<Network> make_network(const NetworkOptions& options, std::uint64_t seed) {
  NetworkOptions complete = options;
  NetworkDescription description;
  if (!options.layers.empty()) {
    description = parse_network_text(options.layers, options.name, options.input, options.classes);
  } else {
    const bool known = std::ranges::find(network_names(), options.name) != network_names().end();
    if (!known) refuse_name(options);
    description = describe_network(options);
    complete.hidden = hidden_widths(options);
  }
  return make_network(complete, description, seed);
}

}  // namespace errata::training
