#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "training/input_normalization.h"
#include "training/layer.h"
#include "training/loss.h"
#include "training/matrix_layer.h"
#include "training/tensor.h"

namespace errata::training {

/// What a network is built from; stored in checkpoints.
struct NetworkOptions {
  std::string name = "lenet5";            ///< "lenet5" or "mlp"
  ImageShape input{28, 28, 1};            ///< size of the images
  std::size_t classes = 10;               ///< outputs; at most 256, labels are bytes
  std::vector<std::size_t> hidden = {};   ///< widths of hidden linear layers; empty: 120, 84 (lenet5), 128 (mlp)
  QuantizationOptions quantization = {};  ///< of every matrix layer
  bool batch_norm = false;                ///< after every matrix layer but the last
  double dropout = 0.0;                   ///< probability, after every hidden linear layer; below 1
  InputNormalization normalization = {};  ///< of the images that it was trained with; fill_batch applies it
  bool operator==(const NetworkOptions&) const = default;
};

/// How to run one batch.
struct ForwardOptions {
  BatchContext context = {};
  ProductHook* hook = nullptr;  ///< null: plain products
  int threads = 1;
};

/// A sequence of layers with its workspaces. Not thread safe; it uses `threads` threads inside.
class Network {
 public:
  Network(NetworkOptions options, std::vector<std::unique_ptr<Layer>> layers);

  /// What it was built from, standard hidden widths filled in.
  const NetworkOptions& options() const { return options_; }
  std::size_t classes() const { return options_.classes; }
  std::span<const std::unique_ptr<Layer>> layers() const { return layers_; }
  /// The matrix layers in order; element i has index() i.
  std::span<MatrixLayer* const> matrix_layers() const { return matrix_layers_; }
  /// Every learned parameter, in a fixed order.
  std::span<Parameter* const> parameters() const { return parameters_; }
  std::vector<StateBuffer> buffers() const;
  /// Number of learned values.
  std::size_t parameter_count() const;

  /// Logits [n,1,1,classes]; valid until the next forward(). `images` must outlive backward().
  const Tensor& forward(const Tensor& images, const ForwardOptions& options);
  /// Loss and hits of the last forward().
  LossSums loss(std::span<const std::uint8_t> labels) const;
  /// Gradients of the mean loss of the last forward(), which must have been in training mode.
  void backward(std::span<const std::uint8_t> labels);

 private:
  const Tensor& input_of(std::size_t layer) const { return layer > 0 ? outputs_[layer - 1] : *images_; }
  /// Runs the layers from `first` up to the next one that joins shards; returns that one.
  std::size_t forward_run(std::size_t first);
  /// Runs the layers before `end` down to one whose predecessor joins shards; returns the first one run.
  std::size_t backward_run(std::size_t end);

  NetworkOptions options_;
  std::vector<std::unique_ptr<Layer>> layers_;
  std::vector<MatrixLayer*> matrix_layers_;
  std::vector<Parameter*> parameters_;
  const Tensor* images_ = nullptr;
  Pass pass_;
  std::vector<Tensor> outputs_;
  std::vector<Tensor> gradients_;       ///< of outputs_
  std::vector<std::uint8_t> backward_;  ///< per layer: whether parameters lie at or before it
};

/// Builds a network by name and draws its weights (He uniform, RandomStream(seed, kWeightInit, layer)).
/// Unknown names, and images too small for the network, are Errors (project, E508; computation, E505).
std::unique_ptr<Network> make_network(const NetworkOptions& options, std::uint64_t seed);

/// Names that make_network knows.
std::span<const std::string_view> network_names();

}  // namespace errata::training
