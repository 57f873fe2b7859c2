#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "training/layers/tensor.h"
#include "training/product_hook.h"
#include "training/shards.h"

namespace errata::training {

/// Learned values of a layer with their gradient, as the optimiser and checkpoints see them.
struct Parameter {
  std::string name = {};                ///< "conv1.weight", unique within a network
  std::vector<std::size_t> shape = {};  ///< slowest axis first
  std::vector<float> value = {};
  std::vector<float> gradient = {};
  bool decays = false;   ///< weight decay applies: matrices only
  float minimum = 0.0f;  ///< with `bounded`: the optimiser clamps from below
  bool bounded = false;
};

/// Values that are part of a layer's state and not learned by gradient (running statistics).
struct StateBuffer {
  std::string name;
  std::vector<float>* values;
};

/// What a layer needs to know about one pass over a batch.
struct Pass {
  BatchContext context;
  ProductHook* hook = nullptr;
  ShardTeam* team = nullptr;   ///< never null in a pass that layers see
  std::size_t images = 0;      ///< of the whole batch
  bool input_gradient = true;  ///< backward: whether anybody reads the gradient of the input
};

/// The shards of one batch, in order (shards.h).
using Shards = std::span<const Tensor>;

/// What a network may do with a layer's tensors; the plan of its memory follows from it.
struct LayerTraits {
  bool backward_reads_input = false;
  bool backward_reads_output = false;
  /// The output may lie where the (first) input lies, and the input's gradient where the output's lies.
  bool in_place = false;
  /// The gradient of every input is the gradient of the output, untouched; backward_shard() is not called.
  bool passes_gradient = false;
};

/// One step of a network, worked on shard by shard. A network calls, for runs of layers,
///
///   begin_forward() of each layer, then forward_shard() of all layers for every shard, shards in parallel;
///   begin_backward() of each layer, then backward_shard() from the last to the first; end_backward() at the
///   end.
///
/// A layer that joins starts such a run: all shards of its input (or output gradient) are there when it begins.
/// Tensors hold the images of one shard. backward belongs to the last forward with context.training.
class Layer {
 public:
  virtual ~Layer() = default;

  virtual std::string_view name() const = 0;
  virtual ImageShape output_shape() const = 0;
  virtual LayerTraits traits() const = 0;
  /// Whether begin_forward() looks at values of the batch.
  virtual bool joins_forward(const Pass&) const { return false; }
  /// Whether begin_backward() looks at values of the batch.
  virtual bool joins_backward(const Pass&) const { return false; }

  virtual void begin_forward(const Pass&, Shards /*input*/) {}
  /// Fills `output` from one input, or from several where the layer takes several.
  virtual void forward_shard(const Pass& pass, std::size_t shard, std::span<const Tensor* const> inputs,
                             Tensor& output) = 0;
  virtual void begin_backward(const Pass&, Shards /*input*/, Shards /*output_gradient*/) {}
  /// Fills `input_gradient` if pass.input_gradient, and adds up what the parameters' gradients need. Without
  /// traits().in_place the gradients never share memory.
  virtual void backward_shard(const Pass& /*pass*/, std::size_t /*shard*/, const Tensor& /*input*/,
                              const Tensor& /*output*/, Tensor& /*output_gradient*/, Tensor& /*input_gradient*/) {}
  /// Sums the shards' gradients of the parameters, in order of the shards.
  virtual void end_backward(const Pass&) {}

  /// This layer alone over a whole batch; for layers of one input that stand by themselves.
  void forward(const Pass& pass, Tensor& input, Tensor& output);
  void backward(const Pass& pass, Tensor& input, Tensor& output, Tensor& output_gradient, Tensor& input_gradient);

  virtual std::vector<Parameter*> parameters() { return {}; }
  virtual std::vector<StateBuffer> buffers() { return {}; }
};

/// The shards of a whole batch, lying on its values.
std::vector<Tensor> shards_of(Tensor& batch);

}  // namespace errata::training
