#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "training/data/input_normalization.h"
#include "training/layers/layer.h"
#include "training/layers/matrix_layer.h"
#include "training/layers/tensor.h"
#include "training/network/network_description.h"
#include "training/network/network_plan.h"
#include "training/optimization/loss.h"

namespace errata::training {

/// What a network is built from; stored in checkpoints.
struct NetworkOptions {
  std::string name = "lenet5";            ///< one of network_names(), or a name of your own with `layers`
  std::string layers = {};                ///< description as text (network_text.h); empty: what the name stands for
  ImageShape input{28, 28, 1};            ///< size of the images
  std::size_t classes = 10;               ///< outputs; at most 256, labels are bytes
  std::vector<std::size_t> hidden = {};   ///< widths of hidden linear layers; empty: as the name has them
  QuantizationOptions quantization = {};  ///< of every matrix layer that is not digital
  bool batch_norm = false;                ///< after every matrix layer but the last; vgg16 and resnet20 always have it
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

/// A graph of layers with its workspaces, in an order in which each layer reads earlier ones. Not thread safe; it uses
/// `threads` threads inside. Memory is planned once (network_plan.h); a step takes none.
class Network {
 public:
  /// `layers` in the order of the description, which must have no problems.
  Network(NetworkOptions options, NetworkDescription description, std::vector<std::unique_ptr<Layer>> layers);

  /// What it was built from, standard hidden widths filled in.
  const NetworkOptions& options() const { return options_; }
  const NetworkDescription& description() const { return description_; }
  std::size_t classes() const { return options_.classes; }
  std::span<const std::unique_ptr<Layer>> layers() const { return layers_; }
  /// The matrix layers in order; element i has index() i.
  std::span<MatrixLayer* const> matrix_layers() const { return matrix_layers_; }
  /// Every learned parameter, in a fixed order.
  std::span<Parameter* const> parameters() const { return parameters_; }
  std::vector<StateBuffer> buffers() const;
  /// Number of learned values.
  std::size_t parameter_count() const;
  /// Precision of all products from the next batch on. One that the processor lacks is an Error (environment, E517).
  void set_precision(Precision precision);
  /// Temperature of the devices' smooth staircase in training, in level spacings; 0: hard.
  void set_device_temperature(double temperature);
  /// Memory of feature maps and their gradients, once a batch has run [bytes].
  std::size_t workspace_bytes() const;

  /// Logits [n,1,1,classes]; valid until the next forward(). `images` must outlive backward().
  const Tensor& forward(const Tensor& images, const ForwardOptions& options);
  /// Loss and hits of the last forward().
  LossSums loss(std::span<const std::uint8_t> labels, const LossOptions& options = {}) const;
  /// Gradients of the mean loss of the last forward(), which must have been in training mode.
  void backward(std::span<const std::uint8_t> labels, const LossOptions& options = {});

 private:
  void prepare(const Tensor& images, PlanFor purpose);
  std::span<const Tensor> input_of(std::size_t layer) const;
  void forward_layer(std::size_t layer, std::size_t shard);
  void backward_layer(std::size_t layer, std::size_t shard);
  void add_gradients(const NetworkPlan::GradientSum& sum, std::size_t shard);
  /// Runs the layers from `first` up to the next one that joins; returns that one.
  std::size_t forward_run(std::size_t first);
  /// Runs the layers before `end` down to one that joins; returns that one.
  std::size_t backward_run(std::size_t end);

  NetworkOptions options_;
  NetworkDescription description_;
  std::vector<std::unique_ptr<Layer>> layers_;
  std::vector<std::vector<std::size_t>> inputs_;  ///< per layer; NetworkPlan::kOutside: the images
  std::vector<PlannedLayer> planned_;
  std::vector<MatrixLayer*> matrix_layers_;
  std::vector<Parameter*> parameters_;
  NetworkPlan training_plan_, evaluation_plan_;
  Precision precision_ = Precision::kFp32;

  std::unique_ptr<ShardTeam> team_;
  Pass pass_;
  PlanFor purpose_ = PlanFor::kEvaluation;
  Tensor logits_, logits_gradient_;
  std::vector<Tensor> memory_;                ///< per shard
  std::vector<Tensor> images_;                ///< per shard, on the caller's images
  std::vector<std::vector<Tensor>> outputs_;  ///< [layer][shard], on memory_ or logits_
  std::vector<std::vector<Tensor>> gradients_, input_gradients_;
};

/// Builds a network and draws its weights (He uniform, RandomStream(seed, kWeightInit, layer)). Options that are not
/// usable are an Error (project, E508), images too small for a network by name too.
std::unique_ptr<Network> make_network(const NetworkOptions& options, std::uint64_t seed);

/// The same of a given description, which wins over the options' name.
std::unique_ptr<Network> make_network(const NetworkOptions& options, const NetworkDescription& description,
                                      std::uint64_t seed);

/// A network of a given description, which wins over the options' name; weights are zeros.
std::unique_ptr<Network> build_network(const NetworkOptions& options, const NetworkDescription& description);

/// The description behind options without `layers`. Throws as make_network does.
NetworkDescription describe_network(const NetworkOptions& options);

/// Widths of the hidden linear layers, the name's own where options have none.
std::vector<std::size_t> hidden_widths(const NetworkOptions& options);

/// Names that make_network knows.
std::span<const std::string_view> network_names();

}  // namespace errata::training
