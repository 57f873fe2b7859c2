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
  std::string name = {};           ///< "conv1.weight", unique within a network
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

/// One step of a network. forward() and backward() see a whole batch and cut it into shards themselves;
/// backward() belongs to the last forward() with context.training. Not thread safe.
class Layer {
 public:
  virtual ~Layer() = default;

  virtual std::string_view name() const = 0;
  virtual ImageShape output_shape() const = 0;
  /// Fills `output`, which has the batch's number of images and output_shape().
  virtual void forward(const Pass& pass, const Tensor& input, Tensor& output) = 0;
  /// Fills the gradients of the parameters and, when pass.input_gradient, `input_gradient` (input's shape).
  virtual void backward(const Pass& pass, const Tensor& input, const Tensor& output,
                        const Tensor& output_gradient, Tensor& input_gradient) = 0;
  virtual std::vector<Parameter*> parameters() { return {}; }
  virtual std::vector<StateBuffer> buffers() { return {}; }
};

}  // namespace errata::training
