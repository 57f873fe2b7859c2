#include "training/batches.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "core/random_stream.h"

namespace errata::training {

namespace {

std::array<float, 256> make_levels() {
  std::array<float, 256> levels{};
  for (std::size_t i = 0; i < levels.size(); ++i) levels[i] = static_cast<float>(i) / 255.0f;
  return levels;
}

struct Shift {
  std::ptrdiff_t down = 0, right = 0;
};

Shift draw_shift(const BatchRequest& request, std::uint32_t image) {
  if (request.shift_pixels == 0) return {};
  RandomStream stream(request.seed, StreamPurpose::kAugmentation, image, request.epoch);
  const auto one = [&] {
    return static_cast<std::ptrdiff_t>(stream.below(2 * request.shift_pixels + 1)) -
           static_cast<std::ptrdiff_t>(request.shift_pixels);
  };
  const std::ptrdiff_t down = one();
  return {down, one()};
}

void copy_shifted(std::span<const std::uint8_t> pixels, const ImageShape& shape, Shift shift, std::span<float> out) {
  const auto height = static_cast<std::ptrdiff_t>(shape.height), width = static_cast<std::ptrdiff_t>(shape.width);
  std::ranges::fill(out, 0.0f);
  for (std::ptrdiff_t y = 0; y < height; ++y)
    for (std::ptrdiff_t x = 0; x < width; ++x) {
      const std::ptrdiff_t from_y = y - shift.down, from_x = x - shift.right;
      if (from_y < 0 || from_x < 0 || from_y >= height || from_x >= width) continue;
      for (std::size_t c = 0; c < shape.channels; ++c)
        out[static_cast<std::size_t>(y * width + x) * shape.channels + c] =
            static_cast<float>(pixels[static_cast<std::size_t>(from_y * width + from_x) * shape.channels + c]) / 255.0f;
    }
}

}  // namespace

void fill_batch(const ImageSet& set, ImageShape shape, const BatchRequest& request, Batch& batch) {
  const auto levels = make_levels();
  batch.images.resize(request.images.size(), shape);
  batch.labels.resize(request.images.size());
  for (std::size_t i = 0; i < request.images.size(); ++i) {
    const std::uint32_t image = request.images[i];
    const auto pixels = std::span(set.pixels).subspan(image * shape.size(), shape.size());
    const auto out = batch.images.image(i);
    batch.labels[i] = set.labels[image];
    const Shift shift = draw_shift(request, image);
    if (shift.down != 0 || shift.right != 0)
      copy_shifted(pixels, shape, shift, out);
    else
      std::ranges::transform(pixels, out.begin(), [&](std::uint8_t byte) { return levels[byte]; });
  }
}

std::vector<std::uint32_t> shuffled_order(std::size_t count, std::uint64_t seed, std::uint64_t epoch) {
  std::vector<std::uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0u);
  RandomStream(seed, StreamPurpose::kShuffle, epoch).shuffle(order);
  return order;
}

}  // namespace errata::training
