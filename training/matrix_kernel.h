#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "training/matrix_geometry.h"

namespace errata::training {

/// The floating-point products of one matrix layer, by oneDNN, one shard per call and one thread per shard.
///
/// Convolutions use oneDNN's own weight layout inside ("packed"); linear layers use plain matrices.
/// prepare() and set_weights() are called outside shards; the products inside for_each_shard, concurrently.
class MatrixKernel {
 public:
  explicit MatrixKernel(const MatrixGeometry& geometry);
  ~MatrixKernel();
  MatrixKernel(const MatrixKernel&) = delete;
  MatrixKernel& operator=(const MatrixKernel&) = delete;

  /// Makes the primitives for shards of `images` images (kept) and scratch memory for `threads` workers.
  void prepare(std::size_t images, int threads);
  /// Takes the matrix, [rows][out_c].
  void set_weights(std::span<const float> weights);

  /// product[n, out] = input[n, in] ∗ weights, no bias.
  void forward(std::size_t images, const float* input, float* product) const;
  /// Gradient of the input from the gradient of the product.
  void backward_input(std::size_t images, const float* product_gradient, float* input_gradient) const;
  /// Gradient of the weights of one shard, packed_size() floats in packed layout.
  void backward_weights(std::size_t images, const float* input, const float* product_gradient,
                        float* packed_gradient) const;

  std::size_t packed_size() const;
  /// From packed layout to [rows][out_c].
  void unpack_gradient(const float* packed, float* weights) const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace errata::training
