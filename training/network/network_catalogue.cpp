// The networks that errata knows by name.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "core/error.h"
#include "training/network/network.h"

namespace errata::training {

namespace {

/// Writes layers one after the other.
class Author {
 public:
  explicit Author(const NetworkOptions& options) : options_(options) {}

  void convolution(std::size_t channels, std::size_t kernel, std::size_t stride, std::size_t pad, bool bias = true) {
    LayerDescription layer = named(LayerKind::kConvolution, fmt::format("conv{}", ++convolutions_));
    layer.outputs = channels;
    layer.window = Window::square(kernel, stride, pad);
    layer.bias = bias;
    last_matrix_ = layer.name;
    add(std::move(layer));
  }
  void linear(std::size_t features) {
    LayerDescription layer = named(LayerKind::kLinear, fmt::format("linear{}", ++linears_));
    layer.outputs = features;
    last_matrix_ = layer.name;
    add(std::move(layer));
  }
  void batch_norm() { add(named(LayerKind::kBatchNorm, last_matrix_ + ".norm")); }
  void batch_norm_if_asked() {
    if (options_.batch_norm) batch_norm();
  }
  void relu() { add(named(LayerKind::kRelu, fmt::format("relu{}", ++relus_))); }
  void max_pooling() {
    LayerDescription layer = named(LayerKind::kMaxPooling, fmt::format("pool{}", ++pools_));
    layer.window = Window::square(2, 2);
    add(std::move(layer));
  }
  void global_pooling() { add(named(LayerKind::kGlobalAveragePooling, "global_pool")); }
  void flatten() { add(named(LayerKind::kFlatten, "flatten")); }
  void dropout() {
    LayerDescription layer = named(LayerKind::kDropout, fmt::format("dropout{}", ++dropouts_));
    layer.probability = options_.dropout;
    add(std::move(layer));
  }
  void addition(const std::string& other) {
    LayerDescription layer = named(LayerKind::kAddition, fmt::format("add{}", ++additions_));
    layer.inputs.push_back(other);
    add(std::move(layer));
  }
  /// Hidden linear layers as the options have them, then the classifier.
  void classifier() {
    for (const std::size_t width : options_.hidden) {
      linear(width);
      batch_norm_if_asked();
      relu();
      if (options_.dropout > 0.0) dropout();
    }
    linear(options_.classes);
  }

  const std::string& last() const { return last_; }
  /// Goes on from another layer than the last.
  void go_on_from(std::string name) { last_ = std::move(name); }
  std::vector<LayerDescription> take() { return std::move(layers_); }

 private:
  LayerDescription named(LayerKind kind, std::string name) const {
    LayerDescription layer;
    layer.kind = kind;
    layer.name = std::move(name);
    layer.inputs = {last_};
    return layer;
  }
  void add(LayerDescription layer) {
    last_ = layer.name;
    layers_.push_back(std::move(layer));
  }

  const NetworkOptions& options_;
  std::vector<LayerDescription> layers_;
  std::string last_{kImages}, last_matrix_;
  std::size_t convolutions_ = 0, linears_ = 0, relus_ = 0, pools_ = 0, dropouts_ = 0, additions_ = 0;
};

/// LeCun et al. 1998, with ReLU and maximum pooling; 61,706 parameters on 28×28. Pooling comes before ReLU here and
/// below: both orders are the same function with the same gradient, and this one has a quarter of the work.
void lenet5(const NetworkOptions&, Author& a) {
  for (const auto& [channels, pad] : {std::pair<std::size_t, std::size_t>{6, 2}, {16, 0}}) {
    a.convolution(channels, 5, 1, pad);
    a.batch_norm_if_asked();
    a.max_pooling();
    a.relu();
  }
  a.flatten();
  a.classifier();
}

void mlp(const NetworkOptions&, Author& a) {
  a.flatten();
  a.classifier();
}

/// Stages of 3×3 convolutions with pooling after each stage.
void stages(Author& a, std::initializer_list<std::initializer_list<std::size_t>> channels, bool always_norm) {
  for (const auto& stage : channels) {
    std::size_t left = stage.size();
    for (const std::size_t width : stage) {
      a.convolution(width, 3, 1, 1, !always_norm);
      if (always_norm)
        a.batch_norm();
      else
        a.batch_norm_if_asked();
      if (--left == 0) a.max_pooling();
      a.relu();
    }
  }
  a.flatten();
}

/// 0.81 million parameters on 32×32×3.
void vgg_small(const NetworkOptions&, Author& a) {
  stages(a, {{32, 32}, {64, 64}, {128, 128}}, false);
  a.classifier();
}

/// The CIFAR network of many in-memory-computing papers (six convolutions, two linear layers).
void vgg8(const NetworkOptions&, Author& a) {
  stages(a, {{128, 128}, {256, 256}, {512, 512}}, false);
  a.classifier();
}

/// Simonyan and Zisserman 2015, configuration D, in the form that is usual for CIFAR: batch norm after each of the 13
/// convolutions, one linear layer.
void vgg16(const NetworkOptions&, Author& a) {
  stages(a, {{64, 64}, {128, 128}, {256, 256, 256}, {512, 512, 512}, {512, 512, 512}}, true);
  a.classifier();
}

/// He et al. 2016, §4.2, n = 3; where sizes change, the shortcut is a 1×1 convolution (their option B).
void resnet20(const NetworkOptions&, Author& a) {
  a.convolution(16, 3, 1, 1, false);
  a.batch_norm();
  a.relu();
  std::size_t before = 16;
  for (const std::size_t width : {16u, 32u, 64u})
    for (int block = 0; block < 3; ++block) {
      const std::string start = a.last();
      const std::size_t stride = width == before ? 1 : 2;
      a.convolution(width, 3, stride, 1, false);
      a.batch_norm();
      a.relu();
      a.convolution(width, 3, 1, 1, false);
      a.batch_norm();
      std::string shortcut = start;
      const std::string branch = a.last();
      if (width != before) {
        a.go_on_from(start);
        a.convolution(width, 1, stride, 0, false);
        a.batch_norm();
        shortcut = a.last();
        a.go_on_from(branch);
      }
      a.addition(shortcut);
      a.relu();
      before = width;
    }
  a.global_pooling();
  a.flatten();
  a.classifier();
}

struct Architecture {
  std::string_view name;
  void (*write)(const NetworkOptions&, Author&);
  std::array<std::size_t, 2> hidden;  ///< standard widths; 0: no such layer
};
constexpr std::array<Architecture, 6> kArchitectures{{{"lenet5", lenet5, {120, 84}},
                                                      {"mlp", mlp, {128, 0}},
                                                      {"vgg_small", vgg_small, {256, 0}},
                                                      {"vgg8", vgg8, {1024, 0}},
                                                      {"vgg16", vgg16, {0, 0}},
                                                      {"resnet20", resnet20, {0, 0}}}};
constexpr std::array<std::string_view, kArchitectures.size()> names() {
  std::array<std::string_view, kArchitectures.size()> all;
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = kArchitectures[i].name;
  return all;
}
constexpr auto kNames = names();

const Architecture& architecture_of(const NetworkOptions& options) {
  const auto* found = std::ranges::find(kArchitectures, options.name, &Architecture::name);
  if (found == kArchitectures.end())
    throw Error(ExitStatus::kInvalidProject, "E508",
                fmt::format("network: no network is called '{}'; known: {}", options.name, fmt::join(kNames, ", ")));
  return *found;
}

}  // namespace

std::span<const std::string_view> network_names() { return kNames; }

std::vector<std::size_t> hidden_widths(const NetworkOptions& options) {
  if (!options.hidden.empty() || !options.layers.empty()) return options.hidden;
  std::vector<std::size_t> widths;
  std::ranges::copy_if(architecture_of(options).hidden, std::back_inserter(widths),
                       [](std::size_t width) { return width > 0; });
  return widths;
}

NetworkDescription describe_network(const NetworkOptions& options) {
  const Architecture& architecture = architecture_of(options);
  NetworkOptions complete = options;
  complete.hidden = hidden_widths(options);
  Author author(complete);
  architecture.write(complete, author);
  return {options.input, options.classes, author.take()};
}

}  // namespace errata::training
