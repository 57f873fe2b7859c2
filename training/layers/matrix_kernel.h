#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "training/layers/matrix_geometry.h"

namespace errata::training {

/// In what the operands of convolutions are multiplied; sums are fp32 always.
enum class Precision {
  kFp32,
  kBf16,        ///< operands rounded to bfloat16, for processors that multiply it (avx512_bf16, amx_bf16)
  kFp32Staged,  ///< fp32 by the way that bf16 takes, with copies of the operands: for tests of that way
};

/// Whether this processor and oneDNN can convolve in that precision.
bool has_precision(Precision precision);

/// The floating-point products of one matrix layer, by oneDNN, one shard per call and one thread per shard.
///
/// Convolutions use oneDNN's own weight layout inside ("packed"); linear layers use plain matrices, always fp32.
/// prepare() and set_weights() are called outside shards; the products inside a ShardTeam, concurrently.
class MatrixKernel {
 public:
  explicit MatrixKernel(const MatrixGeometry& geometry, Precision precision = Precision::kFp32);
  ~MatrixKernel();
  MatrixKernel(const MatrixKernel&) = delete;
  MatrixKernel& operator=(const MatrixKernel&) = delete;

  /// Makes the primitives for shards of `images` images (kept) and scratch memory for `threads` of them at a time.
  void prepare(std::size_t images, int threads);
  /// Takes the matrix, [rows][out_c], which must stay where it is; `backward`: backward_input() will be called.
  enum class Use { kForward, kForwardAndBackward };
  void set_weights(std::span<const float> weights, Use use);

  /// product[n, out] = input[n, in] ∗ weights + bias, bias [out_c].
  void forward(std::size_t images, const float* input, const float* bias, float* product) const;
  /// Gradient of the input from the gradient of the product.
  void backward_input(std::size_t images, const float* product_gradient, float* input_gradient) const;

  /// Convolutions: gradient of the weights of one shard, packed_size() floats, and of the bias, out_c floats.
  void backward_weights(std::size_t images, const float* input, const float* product_gradient, float* packed_gradient,
                        float* bias_gradient) const;
  std::size_t packed_size() const;
  /// From packed layout to [rows][out_c].
  void unpack_gradient(const float* packed, float* weights) const;

  /// Linear layers: rows [first, first + count) of the weight gradient, [count][out_c], over one shard.
  enum class Sum { kStart, kAdd };
  void backward_rows(std::size_t first, std::size_t count, std::size_t images, const float* input,
                     const float* product_gradient, Sum sum, float* gradient) const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace errata::training
