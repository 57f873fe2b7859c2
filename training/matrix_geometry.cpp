#include "training/matrix_geometry.h"

#include <algorithm>

namespace errata::training {

MatrixGeometry convolution_geometry(ImageShape input, const Window& window, std::size_t out_channels) {
  const ImageShape output = slide(window, input, "kernel");
  return {input.height, input.width, input.channels, window, output.height, output.width, out_channels};
}

MatrixGeometry convolution_geometry(ImageShape input, const ConvolutionOptions& options) {
  return convolution_geometry(input, Window::square(options.kernel, options.stride, options.pad), options.out_channels);
}

MatrixGeometry linear_geometry(std::size_t in_features, std::size_t out_features) {
  MatrixGeometry geometry;
  geometry.in_c = in_features;
  geometry.out_c = out_features;
  return geometry;
}

namespace {

/// Copies rows [first, last) of one patch; `top` and `left` may be negative (padding).
void gather_patch(const MatrixGeometry& g, const float* image, std::ptrdiff_t top, std::ptrdiff_t left,
                  std::size_t first, std::size_t last, float* out) {
  std::size_t row = first;
  while (row < last) {
    const std::size_t tap = row / g.in_c;
    const std::size_t tap_end = std::min(last, (tap + 1) * g.in_c);
    const std::ptrdiff_t y = top + static_cast<std::ptrdiff_t>(tap / g.window.kernel_w);
    const std::ptrdiff_t x = left + static_cast<std::ptrdiff_t>(tap % g.window.kernel_w);
    const bool inside =
        y >= 0 && x >= 0 && y < static_cast<std::ptrdiff_t>(g.in_h) && x < static_cast<std::ptrdiff_t>(g.in_w);
    if (inside)
      std::copy_n(image + (static_cast<std::size_t>(y) * g.in_w + static_cast<std::size_t>(x)) * g.in_c + row % g.in_c,
                  tap_end - row, out);
    else
      std::fill_n(out, tap_end - row, 0.0f);
    out += tap_end - row;
    row = tap_end;
  }
}

}  // namespace

void im2col_rows(const MatrixGeometry& geometry, const Tensor& codes, std::size_t first_position, std::size_t count,
                 std::size_t first_row, std::size_t row_count, float* out) {
  for (std::size_t k = 0; k < count; ++k, out += row_count) {
    const std::size_t position = first_position + k;
    const std::size_t image = position / geometry.positions(), p = position % geometry.positions();
    const auto top = static_cast<std::ptrdiff_t>(p / geometry.out_w * geometry.window.stride_h) -
                     static_cast<std::ptrdiff_t>(geometry.window.pad_top);
    const auto left = static_cast<std::ptrdiff_t>(p % geometry.out_w * geometry.window.stride_w) -
                      static_cast<std::ptrdiff_t>(geometry.window.pad_left);
    gather_patch(geometry, codes.image(image).data(), top, left, first_row, first_row + row_count, out);
  }
}

}  // namespace errata::training
