#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "training/layers/matrix_geometry.h"

namespace errata::training {

/// A convolution in vectors of outputs that stay in registers over all of a window, for what oneDNN has no product or
/// no fast one: sums over products that need not be stored, and outputs that do not fill a vector.
///
/// Highway chooses the instruction set at run time. Multiplications and additions are fused where it can, so that last
/// bits depend on the kind of processor, as oneDNN's do. May be used concurrently.
class ImageConvolution {
 public:
  /// `weights` [rows][out_c].
  ImageConvolution(const MatrixGeometry& geometry, std::span<const float> weights);

  /// Σ gradient · (values ∗ weights) over `images` images, values [images][in_h][in_w][in_c], gradient
  /// [images][out_h][out_w][out_c].
  double gradient_sum(std::size_t images, const float* values, const float* gradient) const;
  /// product = values ∗ weights. Of at most 8 outputs.
  void product(std::size_t images, const float* values, float* product) const;

  static constexpr std::size_t kMostStored = 8;  ///< outputs of product()

 private:
  /// The image with its padding, zeros around it.
  void pad(const float* values, std::vector<float>& padded) const;

  MatrixGeometry geometry_;
  std::size_t padded_width_, padded_height_;
  std::size_t stride_;          ///< of weights_: outputs rounded up to 16
  std::vector<float> weights_;  ///< [rows][stride_]
};

}  // namespace errata::training
