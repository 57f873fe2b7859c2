#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "training/layers/batch_norm.h"
#include "training/layers/window.h"

namespace errata::training {

enum class LayerKind {
  kConvolution,
  kDepthwiseConvolution,
  kLinear,
  kBatchNorm,
  kRelu,
  kMaxPooling,
  kAveragePooling,
  kGlobalAveragePooling,
  kFlatten,
  kDropout,
  kAddition,
};

/// One layer of a network as data. Members that its kind has no use for keep their defaults.
struct LayerDescription {
  LayerKind kind = LayerKind::kRelu;
  std::string name = {};                 ///< unique; letters, digits, '.', '_', '-'; at most 64
  std::vector<std::string> inputs = {};  ///< names of earlier layers, or kImages; addition has two or more, others one
  Window window = {};                    ///< convolutions and poolings
  std::size_t outputs = 0;               ///< convolution: channels; linear: features
  bool bias = true;                      ///< convolutions, linear
  bool digital = false;                  ///< convolution, linear: stays in floating point, never on the array
  int weight_bits = 0;                   ///< convolution, linear: bits of its own; 0: those of the network
  int input_bits = 0;                    ///< the same for its inputs
  bool counts_padding = false;           ///< average pooling: padding counts as zeros
  double epsilon = BatchNorm::kEpsilon;  ///< batch norm: added to the variance
  double probability = 0.0;              ///< dropout
  std::optional<double> ceiling = {};    ///< relu: 6 for ReLU6

  bool operator==(const LayerDescription&) const = default;
};

/// The name by which layers read the network's images.
inline constexpr std::string_view kImages = "images";

/// A network without its values: layers in an order in which each reads earlier ones only; the last is the output.
struct NetworkDescription {
  ImageShape input;
  std::size_t classes = 0;
  std::vector<LayerDescription> layers;

  bool operator==(const NetworkDescription&) const = default;
};

/// What is wrong with one layer, or with the network as a whole (no layer).
struct DescriptionProblem {
  std::optional<std::size_t> layer;
  std::string message;
};

/// A description that was found to be sound, with what follows from it.
struct CheckedDescription {
  std::vector<DescriptionProblem> problems;      ///< empty: the rest is valid
  std::vector<std::vector<std::size_t>> inputs;  ///< per layer the numbers of its inputs; kImageInput for the images
  std::vector<ImageShape> shapes;                ///< of the outputs
  double values = 0.0;                           ///< learned values in all, without quantiser steps

  static constexpr std::size_t kImageInput = static_cast<std::size_t>(-1);
};

/// Finds every problem: names, inputs, sizes that do not fit, layers that nobody reads. Takes no memory for values, and
/// limits sizes so that a hostile file cannot ask for all memory.
CheckedDescription check_description(const NetworkDescription& description);

/// Names layers that have none: conv1, linear1, conv1.norm, relu1, …
class LayerNames {
 public:
  /// A name from the layer's kind and, for batch norm, its input.
  std::string next(const LayerDescription& layer);

 private:
  std::map<std::string, std::size_t> counts_;
};

/// Name of a kind in files: "convolution", "depthwise_convolution", "linear", …
std::string_view kind_name(LayerKind kind);
std::optional<LayerKind> kind_of(std::string_view name);
std::span<const std::string_view> kind_names();

}  // namespace errata::training
