#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "training/layers/tensor.h"
#include "training/layers/window.h"

namespace errata::training {

/// Sizes of a matrix layer: every output position multiplies a patch of rows() inputs by a [rows()][out_c]
/// matrix. A linear layer is a 1×1 kernel on a 1×1 image.
struct MatrixGeometry {
  std::size_t in_h = 1, in_w = 1, in_c = 1;
  Window window = {};
  std::size_t out_h = 1, out_w = 1, out_c = 1;

  /// Rows of the matrix, in the order (kernel row, kernel column, channel), channel fastest.
  std::size_t rows() const { return window.taps() * in_c; }
  /// Products per image.
  std::size_t positions() const { return out_h * out_w; }
  ImageShape input() const { return {in_h, in_w, in_c}; }
  ImageShape output() const { return {out_h, out_w, out_c}; }
  bool is_linear() const { return in_h * in_w * window.taps() * out_h * out_w == 1 && !window.is_padded(); }
};

/// Kernel of a convolution that is the same in both directions.
struct ConvolutionOptions {
  std::size_t kernel = 3;
  std::size_t stride = 1;
  std::size_t pad = 0;
  std::size_t out_channels = 1;
};

/// Geometry of a convolution. Throws Error (computation, E505) when the kernel does not fit.
MatrixGeometry convolution_geometry(ImageShape input, const Window& window, std::size_t out_channels);
MatrixGeometry convolution_geometry(ImageShape input, const ConvolutionOptions& options);
/// Geometry of a fully connected layer.
MatrixGeometry linear_geometry(std::size_t in_features, std::size_t out_features);

/// Gathers patch entries of a batch: for the positions [first_position, first_position + count) (position
/// index = image · positions() + p) and the rows [first_row, first_row + row_count), zero outside the image.
/// `out` is row-major [count][row_count]. Thread safe.
void im2col_rows(const MatrixGeometry& geometry, const Tensor& codes, std::size_t first_position, std::size_t count,
                 std::size_t first_row, std::size_t row_count, float* out);
/// The same of codes in bytes, [images][input()].
void im2col_rows(const MatrixGeometry& geometry, std::span<const std::uint8_t> codes, std::size_t first_position,
                 std::size_t count, std::size_t first_row, std::size_t row_count, std::uint8_t* out);

}  // namespace errata::training
