#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "training/layers/tensor.h"

namespace errata::training {

/// A window that slides over an image: the kernel of a convolution, or what a pooling layer pools over.
///
/// Output (y, x) sees rows y·stride_h − pad_top … + kernel_h − 1 of the image and columns accordingly; places outside
/// count as padding. A rest at the bottom or right that no whole window covers is left out.
struct Window {
  std::size_t kernel_h = 1, kernel_w = 1;
  std::size_t stride_h = 1, stride_w = 1;
  std::size_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;

  static Window square(std::size_t kernel, std::size_t stride, std::size_t pad = 0) {
    return {kernel, kernel, stride, stride, pad, pad, pad, pad};
  }
  std::size_t taps() const { return kernel_h * kernel_w; }
  bool is_padded() const { return pad_top + pad_left + pad_bottom + pad_right > 0; }
  bool operator==(const Window&) const = default;
};

/// Size of what a window makes of an image, same channels. Throws Error (computation, E505) naming `what` when the
/// window does not fit the padded image, its stride is 0, or a window would see nothing but padding.
ImageShape slide(const Window& window, ImageShape input, std::string_view what);

/// Which places of an image each position of a window sees, padding left out.
struct WindowPlaces {
  WindowPlaces(const Window& window, ImageShape input);

  std::size_t count() const { return starts.size() - 1; }
  std::size_t taps_of(std::size_t position) const { return starts[position + 1] - starts[position]; }

  std::vector<std::uint32_t> places;  ///< offset of channel 0 in the image, window after window
  std::vector<std::uint32_t> taps;    ///< number of the tap, row by row
  std::vector<std::uint32_t> starts;  ///< per position its first entry of the above; one more at the end
  bool covers_once = false;           ///< every place of the image belongs to exactly one position
};

}  // namespace errata::training
