#pragma once

#include <vector>

#include "training/data/data_set.h"
#include "training/network/network.h"
#include "training/product_hook.h"

namespace errata::training {

/// What is measured anew on each chip before it is used. Each costs a calibration run of every chip in the factory, so
/// it is never done silently.
enum class Recalibration : std::uint8_t {
  kNone,
  kBatchNorm,  ///< running statistics of batch norm, under the chip's errors
  kAffine,     ///< a digital gain and offset for each output column
};

/// How it is measured: training images 0 … images − 1, in batches of kShardImages.
struct RecalibrationOptions {
  std::uint64_t seed = 1;
  std::size_t images = 128;
};

/// Replaces the running statistics of every batch norm by the mean over the calibration batches under `hook`.
void recalibrate_batch_norm(Network& network, ProductHook& hook, const DataSet& data,
                            const RecalibrationOptions& options);

/// Gain and offset for each output of each layer: product ← gain · product + offset, by least squares of the ideal
/// product of the same operands on the hardware's. A column without variation keeps gain 1.
class AffineHook final : public ProductHook {
 public:
  /// `inner` must outlive the hook.
  explicit AffineHook(ProductHook& inner) : inner_(inner) {}

  /// Measures on the calibration images; until then products stay as they are.
  void calibrate(Network& network, const DataSet& data, const RecalibrationOptions& options);
  /// Of one layer, by output; empty for layers that are not quantised.
  struct Affine {
    std::vector<float> gain, offset;
  };
  const Affine& affine(std::size_t layer) const { return affine_.at(layer); }

  void begin_batch(Network& network, const BatchContext& context) override { inner_.begin_batch(network, context); }
  void product(const MatrixLayer& layer, std::size_t shard, const BatchContext& context, const Tensor& codes,
               Tensor& product, Tensor* slope) override;

 private:
  /// Sums over all positions, by output.
  struct Sums {
    std::vector<double> count, hardware, ideal, square, cross;
  };
  void gather(const MatrixLayer& layer, const Tensor& codes, const Tensor& product);

  ProductHook& inner_;
  bool gathering_ = false;
  std::vector<Sums> sums_;      ///< by layer, while gathering
  std::vector<Affine> affine_;  ///< by layer
};

}  // namespace errata::training
