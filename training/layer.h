#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "training/product_hook.h"
#include "training/tensor.h"

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
  int threads = 1;
  bool input_gradient = true;  ///< backward: whether anybody reads the gradient of the input
};

/// One step of a network, worked on shard by shard. A network calls, for runs of layers,
///
///   begin_forward() of each layer, then forward_shard() of all layers for every shard, shards in parallel;
///   begin_backward() of each layer, then backward_shard() from the last to the first; end_backward() at the
///   end.
///
/// A layer that joins_shards() starts such a run: all of its input (or output gradient) is there when it
/// begins. Tensors hold the whole batch; a shard touches its own images only. backward belongs to the last
/// forward with context.training.
class Layer {
 public:
  virtual ~Layer() = default;

  virtual std::string_view name() const = 0;
  virtual ImageShape output_shape() const = 0;
  /// Whether begin_forward() and begin_backward() look at values of the batch.
  virtual bool joins_shards(const Pass&) const { return false; }

  virtual void begin_forward(const Pass&, const Tensor& /*input*/) {}
  /// Fills the shard's images of `output`.
  virtual void forward_shard(const Pass& pass, std::size_t shard, const Tensor& input, Tensor& output) = 0;
  virtual void begin_backward(const Pass&, const Tensor& /*input*/, const Tensor& /*output_gradient*/) {}
  /// Fills the shard's images of `input_gradient`. Called when pass.input_gradient or when there are
  /// parameters.
  virtual void backward_shard(const Pass& pass, std::size_t shard, const Tensor& input, const Tensor& output,
                              const Tensor& output_gradient, Tensor& input_gradient) = 0;
  /// Sums the shards' gradients of the parameters, in order of the shards.
  virtual void end_backward(std::size_t /*shards*/) {}

  /// This layer alone over a whole batch; for layers that stand by themselves.
  void forward(const Pass& pass, const Tensor& input, Tensor& output);
  void backward(const Pass& pass, const Tensor& input, const Tensor& output, const Tensor& output_gradient,
                Tensor& input_gradient);

  virtual std::vector<Parameter*> parameters() { return {}; }
  virtual std::vector<StateBuffer> buffers() { return {}; }
};

}  // namespace errata::training
