#include "training/data/batches.h"

#include <algorithm>
#include <numeric>

#include "core/random_stream.h"

namespace errata::training {

namespace {

constexpr std::size_t kBytes = 256;

/// Value of each byte in each channel, [channel][byte].
class Levels {
 public:
  Levels(std::size_t channels, const InputNormalization& normalization)
      : uniform_(normalization.empty()), values_(channels * kBytes) {
    for (std::size_t c = 0; c < channels; ++c)
      for (std::size_t byte = 0; byte < kBytes; ++byte) {
        const float plain = static_cast<float>(byte) / 255.0f;
        values_[c * kBytes + byte] = uniform_ ? plain : (plain - normalization.mean[c]) / normalization.deviation[c];
      }
  }
  /// Whether every channel has the same values.
  bool uniform() const { return uniform_; }
  float operator()(std::size_t channel, std::uint8_t byte) const { return values_[channel * kBytes + byte]; }

 private:
  bool uniform_;
  std::vector<float> values_;
};

/// How an image is moved: flipped first, then shifted.
struct Move {
  std::ptrdiff_t down = 0, right = 0;
  bool flip = false;
};

Move draw_move(const BatchRequest& request, std::uint32_t image) {
  const Augmentation& augmentation = request.augmentation;
  if (augmentation == Augmentation{}) return {};
  RandomStream stream(request.seed, StreamPurpose::kAugmentation, image, request.epoch);
  const auto reach = static_cast<std::ptrdiff_t>(augmentation.shift_pixels);
  const auto shift = [&] {
    return static_cast<std::ptrdiff_t>(stream.below(2 * augmentation.shift_pixels + 1)) - reach;
  };
  Move move;
  move.down = shift();
  move.right = shift();
  move.flip = augmentation.flip && stream.bits() >> 63 != 0;
  return move;
}

/// Copies `count` pixels from `from` on, backwards when `step` is −1. Channels is the number of channels, 0:
/// `channels`.
template <std::size_t Channels>
void copy_pixels(const std::uint8_t* from, std::ptrdiff_t step, std::size_t count, std::size_t channels,
                 const Levels& levels, float* out) {
  const std::size_t n = Channels > 0 ? Channels : channels;
  for (std::size_t x = 0; x < count; ++x, from += step * static_cast<std::ptrdiff_t>(n), out += n)
    for (std::size_t c = 0; c < n; ++c) out[c] = levels(c, from[c]);
}

void fill_black(std::size_t pixels, std::size_t channels, const Levels& levels, float* out) {
  for (std::size_t x = 0; x < pixels; ++x, out += channels)
    for (std::size_t c = 0; c < channels; ++c) out[c] = levels(c, 0);
}

void copy_moved(const std::uint8_t* pixels, const ImageShape& shape, const Move& move, const Levels& levels,
                float* out) {
  const auto height = static_cast<std::ptrdiff_t>(shape.height), width = static_cast<std::ptrdiff_t>(shape.width);
  const std::size_t channels = shape.channels, row = shape.width * channels;
  const std::ptrdiff_t begin = std::clamp<std::ptrdiff_t>(move.right, 0, width);
  const std::ptrdiff_t end = std::max(begin, std::clamp<std::ptrdiff_t>(width + move.right, 0, width));
  const auto before = static_cast<std::size_t>(begin), count = static_cast<std::size_t>(end - begin);
  const std::ptrdiff_t first = move.flip ? width - 1 - (begin - move.right) : begin - move.right;
  const std::ptrdiff_t step = move.flip ? -1 : 1;
  const auto copy = channels == 1 ? copy_pixels<1> : channels == 3 ? copy_pixels<3> : copy_pixels<0>;
  for (std::ptrdiff_t y = 0; y < height; ++y, out += row) {
    const std::ptrdiff_t from_y = y - move.down;
    if (from_y < 0 || from_y >= height || count == 0) {
      fill_black(shape.width, channels, levels, out);
      continue;
    }
    fill_black(before, channels, levels, out);
    copy(pixels + (from_y * width + first) * static_cast<std::ptrdiff_t>(channels), step, count, channels, levels,
         out + before * channels);
    fill_black(shape.width - before - count, channels, levels, out + (before + count) * channels);
  }
}

}  // namespace

void fill_batch(const ImageSet& set, ImageShape shape, const BatchRequest& request, Batch& batch) {
  const Levels levels(shape.channels, request.normalization);
  batch.images.resize(request.images.size(), shape);
  batch.labels.resize(request.images.size());
  for (std::size_t i = 0; i < request.images.size(); ++i) {
    const std::uint32_t image = request.images[i];
    batch.labels[i] = set.labels[image];
    const std::uint8_t* pixels = set.pixels.data() + image * shape.size();
    copy_moved(pixels, shape, draw_move(request, image), levels, batch.images.image(i).data());
  }
}

std::vector<std::uint32_t> shuffled_order(std::size_t count, std::uint64_t seed, std::uint64_t epoch) {
  std::vector<std::uint32_t> order(count);
  std::iota(order.begin(), order.end(), 0u);
  RandomStream(seed, StreamPurpose::kShuffle, epoch).shuffle(order);
  return order;
}

}  // namespace errata::training
