#pragma once

#include <cstddef>
#include <cstdint>

#include "training/layers/tensor.h"

namespace errata::training {

class MatrixLayer;
class Network;

/// Which batch is being processed; random numbers of a batch are functions of this alone.
struct BatchContext {
  bool training = false;
  std::uint64_t seed = 0;
  std::uint64_t epoch = 0;
  std::uint64_t step = 0;         ///< batches since training began (training) or since the set began (evaluation)
  std::uint64_t first_image = 0;  ///< place of the batch's first image in the epoch's order
};

/// Replaces the integer product of quantised matrix layers: hardware in the loop.
///
/// Asked for layers whose weights and inputs are both quantised. A hook that leaves a layer digital calls
/// layer.ideal_product() and fills the slope with 1.
class ProductHook {
 public:
  virtual ~ProductHook() = default;
  /// Called once before each mini-batch, single-threaded, after weight codes of all layers are up to date.
  virtual void begin_batch(Network& network, const BatchContext& context) = 0;
  /// codes: [n,in_h,in_w,in_c] input codes of one shard; product: [n,out_h,out_w,out_c] in code units;
  /// slope: same shape, d(product)/d(ideal product), multiplied onto the output gradient in backward; null
  /// unless context.training, and to be filled when it is not. Image i of the shard is image
  /// context.first_image + shard · kShardImages + i of the epoch. Called concurrently from different shards.
  virtual void product(const MatrixLayer& layer, std::size_t shard, const BatchContext& context, const Tensor& codes,
                       Tensor& product, Tensor* slope) = 0;
};

}  // namespace errata::training
