#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <string_view>

#include "core/error.h"
#include "core/random_stream.h"
#include "training/batch_norm.h"
#include "training/dropout.h"
#include "training/flatten.h"
#include "training/network.h"
#include "training/pooling.h"
#include "training/relu.h"

namespace errata::training {

namespace {

/// Collects layers and keeps track of the shape between them.
class Builder {
 public:
  explicit Builder(const NetworkOptions& options) : options_(options), shape_(options.input) {}

  /// Convolution, batch norm, 2×2 max pooling, ReLU. Pooling comes before ReLU: both orders are the same
  /// function with the same gradient, and this one has a quarter of the work.
  void convolution_block(ConvolutionOptions convolution) {
    add_matrix(fmt::format("conv{}", ++convolutions_), convolution_geometry(shape_, convolution));
    if (options_.batch_norm) add_batch_norm();
    add(std::make_unique<MaxPooling>(shape_, PoolingOptions{}));
    add(std::make_unique<Relu>(shape_));
  }

  void hidden_block(std::size_t width) {
    add_matrix(fmt::format("linear{}", ++linears_), linear_geometry(shape_.size(), width));
    if (options_.batch_norm) add_batch_norm();
    add(std::make_unique<Relu>(shape_));
    if (options_.dropout > 0.0) add(std::make_unique<Dropout>(shape_, options_.dropout, dropouts_++));
  }

  void output_block() {
    add_matrix(fmt::format("linear{}", ++linears_), linear_geometry(shape_.size(), options_.classes));
  }

  void flatten() { add(std::make_unique<Flatten>(shape_)); }

  std::vector<std::unique_ptr<Layer>> take() { return std::move(layers_); }

 private:
  void add(std::unique_ptr<Layer> layer) {
    shape_ = layer->output_shape();
    layers_.push_back(std::move(layer));
  }
  void add_matrix(const std::string& name, const MatrixGeometry& geometry) {
    last_matrix_ = name;
    add(std::make_unique<MatrixLayer>(name, matrices_++, geometry, options_.quantization));
  }
  void add_batch_norm() { add(std::make_unique<BatchNorm>(last_matrix_ + ".norm", shape_)); }

  const NetworkOptions& options_;
  ImageShape shape_;
  std::vector<std::unique_ptr<Layer>> layers_;
  std::string last_matrix_;
  std::size_t matrices_ = 0, convolutions_ = 0, linears_ = 0, dropouts_ = 0;
};

void build_lenet5(const NetworkOptions& options, Builder& builder) {
  builder.convolution_block({.kernel = 5, .stride = 1, .pad = 2, .out_channels = 6});
  builder.convolution_block({.kernel = 5, .stride = 1, .pad = 0, .out_channels = 16});
  builder.flatten();
  for (const std::size_t width : options.hidden) builder.hidden_block(width);
  builder.output_block();
}

void build_mlp(const NetworkOptions& options, Builder& builder) {
  builder.flatten();
  for (const std::size_t width : options.hidden) builder.hidden_block(width);
  builder.output_block();
}

/// One message for each option out of its domain; sizes are limited so that a hostile file can't ask for all
/// memory.
std::vector<std::string> problems_of(const NetworkOptions& options) {
  constexpr std::size_t kLargestSide = 4096, kLargestWidth = 65536, kMostLayers = 64;
  std::vector<std::string> problems;
  const auto need = [&](bool holds, std::string text) {
    if (!holds) problems.push_back(std::move(text));
  };
  const auto& q = options.quantization;
  const auto& in = options.input;
  need(options.classes >= 2 && options.classes <= 256, fmt::format("classes = {}, need 2 … 256", options.classes));
  need(q.weight_bits == 0 || (q.weight_bits >= 2 && q.weight_bits <= 16),
       fmt::format("weight_bits = {}, need 0 (floating point) or 2 … 16", q.weight_bits));
  need(q.input_bits == 0 || (q.input_bits >= 1 && q.input_bits <= 16),
       fmt::format("input_bits = {}, need 0 (floating point) or 1 … 16", q.input_bits));
  need(options.dropout >= 0.0 && options.dropout < 1.0,
       fmt::format("dropout = {}, need 0 ≤ dropout < 1", options.dropout));
  need(in.height >= 1 && in.width >= 1 && in.channels >= 1 && in.height <= kLargestSide && in.width <= kLargestSide &&
           in.channels <= kLargestSide && in.size() <= kLargestSide * kLargestSide,
       fmt::format("input = {}×{}×{}, need 1 … {} on each axis", in.height, in.width, in.channels, kLargestSide));
  need(options.hidden.size() <= kMostLayers,
       fmt::format("{} hidden layers, need at most {}", options.hidden.size(), kMostLayers));
  for (const std::size_t width : options.hidden)
    need(width >= 1 && width <= kLargestWidth, fmt::format("hidden width {}, need 1 … {}", width, kLargestWidth));
  return problems;
}

void draw_weights(Network& network, std::uint64_t seed) {
  for (MatrixLayer* layer : network.matrix_layers()) {
    RandomStream stream(seed, StreamPurpose::kWeightInit, layer->index());
    const double bound = std::sqrt(6.0 / static_cast<double>(layer->geometry().rows()));
    for (float& weight : layer->weight().value) weight = static_cast<float>((2.0 * stream.uniform() - 1.0) * bound);
  }
}

struct Architecture {
  std::string_view name;
  void (*build)(const NetworkOptions&, Builder&);
  std::array<std::size_t, 2> hidden;  ///< standard widths; 0: no such layer
};
constexpr std::array<Architecture, 2> kArchitectures{
    {{"lenet5", build_lenet5, {120, 84}}, {"mlp", build_mlp, {128, 0}}}};
constexpr std::array<std::string_view, 2> kNames{kArchitectures[0].name, kArchitectures[1].name};

}  // namespace

std::span<const std::string_view> network_names() { return kNames; }

std::unique_ptr<Network> make_network(const NetworkOptions& options, std::uint64_t seed) {
  auto problems = problems_of(options);
  const auto* found = std::ranges::find(kArchitectures, options.name, &Architecture::name);
  if (found == kArchitectures.end())
    problems.push_back(fmt::format("no network is called '{}'; known: {}", options.name, fmt::join(kNames, ", ")));
  if (!problems.empty())
    throw Error(ExitStatus::kInvalidProject, "E508", fmt::format("network: {}", fmt::join(problems, "; ")));
  NetworkOptions complete = options;
  if (complete.hidden.empty())
    std::ranges::copy_if(found->hidden, std::back_inserter(complete.hidden),
                         [](std::size_t width) { return width > 0; });
  Builder builder(complete);
  found->build(complete, builder);
  auto network = std::make_unique<Network>(complete, builder.take());
  draw_weights(*network, seed);
  return network;
}

}  // namespace errata::training
