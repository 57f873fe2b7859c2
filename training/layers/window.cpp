#include "training/layers/window.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/error.h"

namespace errata::training {

ImageShape slide(const Window& w, ImageShape input, std::string_view what) {
  const std::size_t height = input.height + w.pad_top + w.pad_bottom, width = input.width + w.pad_left + w.pad_right;
  // Every window must see something of the image; the last one begins at the last multiple of the stride.
  const auto sees = [](std::size_t padded, std::size_t kernel, std::size_t stride, std::size_t begin,
                       std::size_t size) {
    return kernel > 0 && stride > 0 && kernel <= padded && begin < kernel &&
           (padded - kernel) / stride * stride < size + begin;
  };
  const bool fits = sees(height, w.kernel_h, w.stride_h, w.pad_top, input.height) &&
                    sees(width, w.kernel_w, w.stride_w, w.pad_left, input.width);
  if (!fits)
    throw Error(ExitStatus::kComputation, "E505",
                fmt::format("a {}×{} {} with stride {}×{} and padding {}, {}, {}, {} does not fit a {}×{} image",
                            w.kernel_h, w.kernel_w, what, w.stride_h, w.stride_w, w.pad_top, w.pad_left, w.pad_bottom,
                            w.pad_right, input.height, input.width),
                "choose larger images or another network");
  return {(height - w.kernel_h) / w.stride_h + 1, (width - w.kernel_w) / w.stride_w + 1, input.channels};
}

namespace {

/// Places along one axis that tap `tap` of output `output` sees, or nothing outside.
std::optional<std::size_t> place_of(std::size_t output, std::size_t tap, std::size_t stride, std::size_t pad,
                                    std::size_t size) {
  const std::size_t padded = output * stride + tap;
  if (padded < pad || padded >= size + pad) return std::nullopt;
  return padded - pad;
}

}  // namespace

WindowPlaces::WindowPlaces(const Window& w, ImageShape input) {
  const ImageShape output = slide(w, input, "window");
  std::vector<std::uint32_t> seen(input.height * input.width, 0);
  for (std::size_t position = 0; position < output.height * output.width; ++position) {
    starts.push_back(static_cast<std::uint32_t>(places.size()));
    for (std::size_t tap = 0; tap < w.taps(); ++tap) {
      const auto y = place_of(position / output.width, tap / w.kernel_w, w.stride_h, w.pad_top, input.height);
      const auto x = place_of(position % output.width, tap % w.kernel_w, w.stride_w, w.pad_left, input.width);
      if (!y || !x) continue;
      ++seen[*y * input.width + *x];
      places.push_back(static_cast<std::uint32_t>((*y * input.width + *x) * input.channels));
      taps.push_back(static_cast<std::uint32_t>(tap));
    }
  }
  starts.push_back(static_cast<std::uint32_t>(places.size()));
  covers_once = std::ranges::all_of(seen, [](std::uint32_t windows) { return windows == 1; });
}

}  // namespace errata::training
