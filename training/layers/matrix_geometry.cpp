#include "training/layers/matrix_geometry.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

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

/// Neighbours in memory: what rows of a tile see of one kernel row, `offset` values from its first tap on.
struct Segment {
  std::ptrdiff_t kernel_row;
  std::size_t offset, count;
};

std::vector<Segment> segments_of(const MatrixGeometry& g, std::size_t first, std::size_t last) {
  std::vector<Segment> all;
  const std::size_t length = g.window.kernel_w * g.in_c;
  for (std::size_t row = first; row < last;) {
    const std::size_t offset = row % length, count = std::min(last - row, length - offset);
    all.push_back({static_cast<std::ptrdiff_t>(row / length), offset, count});
    row += count;
  }
  return all;
}

/// kCount values at a time, of which the last two times may overlap.
template <std::size_t kCount, class T>
inline void copy_in_pieces(const T* from, std::size_t count, T* to) {
  for (std::size_t k = 0; k + kCount <= count; k += kCount) std::memcpy(to + k, from + k, kCount * sizeof(T));
  std::memcpy(to + count - kCount, from + count - kCount, kCount * sizeof(T));
}

/// Short pieces without a call, which takes longer than they do.
template <class T>
inline void copy_values(const T* from, std::size_t count, T* to) {
  constexpr std::size_t kLong = 256;
  if (count > kLong)
    std::copy_n(from, count, to);
  else if (count >= 8)
    copy_in_pieces<8>(from, count, to);
  else if (count >= 4)
    copy_in_pieces<4>(from, count, to);
  else if (count >= 2)
    copy_in_pieces<2>(from, count, to);
  else
    *to = *from;
}

/// One patch whose window begins at (top, left), which may be negative (padding).
template <class T>
void gather_patch(const MatrixGeometry& g, std::span<const Segment> segments, const T* image, std::ptrdiff_t top,
                  std::ptrdiff_t left, T* out) {
  const auto height = static_cast<std::ptrdiff_t>(g.in_h), channels = static_cast<std::ptrdiff_t>(g.in_c),
             row = static_cast<std::ptrdiff_t>(g.in_w) * channels;
  for (const Segment& s : segments) {
    const std::ptrdiff_t y = top + s.kernel_row;
    const auto count = static_cast<std::ptrdiff_t>(s.count);
    // In values from the row's beginning; what lies outside the row is padding.
    const std::ptrdiff_t begin = left * channels + static_cast<std::ptrdiff_t>(s.offset);
    const bool outside = y < 0 || y >= height;
    const std::ptrdiff_t before = outside ? count : std::clamp<std::ptrdiff_t>(-begin, 0, count),
                         after = outside ? 0 : std::clamp<std::ptrdiff_t>(begin + count - row, 0, count),
                         inside = count - before - after;
    if (before > 0) std::fill_n(out, before, T{0});
    if (inside > 0) copy_values(image + y * row + begin + before, static_cast<std::size_t>(inside), out + before);
    if (after > 0) std::fill_n(out + count - after, after, T{0});
    out += s.count;
  }
}

template <class T>
void gather_rows(const MatrixGeometry& geometry, const T* images, std::size_t first_position, std::size_t count,
                 std::size_t first_row, std::size_t row_count, T* out) {
  const std::vector<Segment> segments = segments_of(geometry, first_row, first_row + row_count);
  const std::size_t place = first_position % geometry.positions();
  std::size_t image = first_position / geometry.positions(), y = place / geometry.out_w, x = place % geometry.out_w;
  for (std::size_t k = 0; k < count; ++k, out += row_count) {
    const auto top = static_cast<std::ptrdiff_t>(y * geometry.window.stride_h) -
                     static_cast<std::ptrdiff_t>(geometry.window.pad_top);
    const auto left = static_cast<std::ptrdiff_t>(x * geometry.window.stride_w) -
                      static_cast<std::ptrdiff_t>(geometry.window.pad_left);
    gather_patch(geometry, segments, images + image * geometry.input().size(), top, left, out);
    if (++x < geometry.out_w) continue;
    x = 0;
    if (++y < geometry.out_h) continue;
    y = 0;
    ++image;
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
