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

/// Copies rows [first, last) of one patch; `top` and `left` may be negative (padding). Taps of one kernel row that lie
/// inside the image, or outside, are neighbours in memory and go together.
template <class T>
void gather_patch(const MatrixGeometry& g, const T* image, std::ptrdiff_t top, std::ptrdiff_t left, std::size_t first,
                  std::size_t last, T* out) {
  const auto height = static_cast<std::ptrdiff_t>(g.in_h), width = static_cast<std::ptrdiff_t>(g.in_w),
             kernel = static_cast<std::ptrdiff_t>(g.window.kernel_w);
  for (std::size_t row = first; row < last;) {
    const auto tap = static_cast<std::ptrdiff_t>(row / g.in_c);
    const std::size_t channel = row % g.in_c;
    const std::ptrdiff_t y = top + tap / kernel, x = left + tap % kernel, rest = kernel - tap % kernel;
    const bool inside = y >= 0 && y < height && x >= 0 && x < width;
    std::ptrdiff_t taps = rest;
    if (inside)
      taps = std::min(rest, width - x);
    else if (y >= 0 && y < height && x < 0)
      taps = std::min(rest, -x);
    const std::size_t count = std::min(last - row, static_cast<std::size_t>(taps) * g.in_c - channel);
    if (inside)
      std::copy_n(image + static_cast<std::size_t>(y * width + x) * g.in_c + channel, count, out);
    else
      std::fill_n(out, count, T{0});
    out += count;
    row += count;
  }
}

template <class T>
void gather_rows(const MatrixGeometry& geometry, const T* images, std::size_t first_position, std::size_t count,
                 std::size_t first_row, std::size_t row_count, T* out) {
  for (std::size_t k = 0; k < count; ++k, out += row_count) {
    const std::size_t position = first_position + k;
    const std::size_t image = position / geometry.positions(), p = position % geometry.positions();
    const auto top = static_cast<std::ptrdiff_t>(p / geometry.out_w * geometry.window.stride_h) -
                     static_cast<std::ptrdiff_t>(geometry.window.pad_top);
    const auto left = static_cast<std::ptrdiff_t>(p % geometry.out_w * geometry.window.stride_w) -
                      static_cast<std::ptrdiff_t>(geometry.window.pad_left);
    gather_patch(geometry, images + image * geometry.input().size(), top, left, first_row, first_row + row_count, out);
  }
}

}  // namespace

void im2col_rows(const MatrixGeometry& geometry, const Tensor& codes, std::size_t first_position, std::size_t count,
                 std::size_t first_row, std::size_t row_count, float* out) {
  gather_rows(geometry, codes.data(), first_position, count, first_row, row_count, out);
}

void im2col_rows(const MatrixGeometry& geometry, std::span<const std::uint8_t> codes, std::size_t first_position,
                 std::size_t count, std::size_t first_row, std::size_t row_count, std::uint8_t* out) {
  gather_rows(geometry, codes.data(), first_position, count, first_row, row_count, out);
}

}  // namespace errata::training
