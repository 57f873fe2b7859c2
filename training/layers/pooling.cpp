#include "training/layers/pooling.h"

#include <algorithm>

#include "training/layers/vector_clones.h"
#include "training/shards.h"

// oneDNN 2.6's maximum pooling takes eight times as long as the loops here where it has to remember the winners (AVX2,
// 16 images of 32×32×32: 88 µs an image).

namespace errata::training {

namespace {

/// All windows of one image.
struct Windows {
  Windows(const WindowPlaces& all, std::size_t image_channels)
      : places(all.places.data()), starts(all.starts.data()), count(all.count()), channels(image_channels) {}
  const std::uint32_t *places, *starts;
  std::size_t count, channels;
};

/// The usual 2×2 window, in registers.
inline void largest_of_four(const float* image, const std::uint32_t* places, std::size_t channels,
                            float* __restrict pooled, std::uint32_t* __restrict winners) {
  const float *a = image + places[0], *b = image + places[1], *c = image + places[2], *d = image + places[3];
  for (std::size_t k = 0; k < channels; ++k) {
    float best = a[k];
    std::uint32_t winner = 0;
    const auto take = [&](float value, std::uint32_t tap) {
      const bool larger = (value > best) | (value != value);  // NaN wins and stays
      best = larger ? value : best;
      winner = larger ? tap : winner;
    };
    take(b[k], 1);
    take(c[k], 2);
    take(d[k], 3);
    pooled[k] = best;
    winners[k] = winner;
  }
}

ERRATA_VECTOR_CLONES void largest(const Windows& windows, const float* image, float* __restrict pooled,
                                  std::uint32_t* __restrict winners) {
  const std::size_t channels = windows.channels;
  for (std::size_t w = 0; w < windows.count; ++w, pooled += channels, winners += channels) {
    const std::uint32_t* places = windows.places + windows.starts[w];
    const std::uint32_t taps = windows.starts[w + 1] - windows.starts[w];
    if (taps == 4) {
      largest_of_four(image, places, channels, pooled, winners);
      continue;
    }
    std::copy_n(image + places[0], channels, pooled);
    std::fill_n(winners, channels, 0u);
    for (std::uint32_t tap = 1; tap < taps; ++tap) {
      const float* values = image + places[tap];
      for (std::size_t c = 0; c < channels; ++c) {
        const float value = values[c];
        const bool larger = (value > pooled[c]) | (value != value);
        pooled[c] = larger ? value : pooled[c];
        winners[c] = larger ? tap : winners[c];
      }
    }
  }
}

/// `target` gets or, where windows overlap, is increased by the gradients of the windows' winners.
ERRATA_VECTOR_CLONES void spread_to_winners(const Windows& windows, const float* __restrict gradient,
                                            const std::uint32_t* __restrict winners, bool overlap,
                                            float* __restrict target) {
  const std::size_t channels = windows.channels;
  for (std::size_t w = 0; w < windows.count; ++w, gradient += channels, winners += channels) {
    const std::uint32_t taps = windows.starts[w + 1] - windows.starts[w];
    for (std::uint32_t tap = 0; tap < taps; ++tap) {
      float* to = target + windows.places[windows.starts[w] + tap];
      if (overlap)
        for (std::size_t c = 0; c < channels; ++c) to[c] += winners[c] == tap ? gradient[c] : 0.0f;
      else
        for (std::size_t c = 0; c < channels; ++c) to[c] = winners[c] == tap ? gradient[c] : 0.0f;
    }
  }
}

ERRATA_VECTOR_CLONES void means(const Windows& windows, const float* __restrict image, const float* shares,
                                float* __restrict pooled) {
  const std::size_t channels = windows.channels;
  for (std::size_t w = 0; w < windows.count; ++w, pooled += channels) {
    std::fill_n(pooled, channels, 0.0f);
    for (std::size_t k = windows.starts[w]; k < windows.starts[w + 1]; ++k) {
      const float* values = image + windows.places[k];
      for (std::size_t c = 0; c < channels; ++c) pooled[c] += values[c];
    }
    for (std::size_t c = 0; c < channels; ++c) pooled[c] *= shares[w];
  }
}

ERRATA_VECTOR_CLONES void spread_evenly(const Windows& windows, const float* __restrict gradient, const float* shares,
                                        float* __restrict target) {
  const std::size_t channels = windows.channels;
  for (std::size_t w = 0; w < windows.count; ++w, gradient += channels)
    for (std::size_t k = windows.starts[w]; k < windows.starts[w + 1]; ++k) {
      float* to = target + windows.places[k];
      for (std::size_t c = 0; c < channels; ++c) to[c] += shares[w] * gradient[c];
    }
}

}  // namespace

Pooling::Pooling(ImageShape input, const Window& window)
    : input_(input), output_(slide(window, input, "pooling window")), places_(window, input) {}

void MaxPooling::begin_forward(const Pass& pass, Shards) {
  winners_.resize(std::max(winners_.size(), shard_count(pass.images)));
}

void MaxPooling::forward_shard(const Pass&, std::size_t shard, std::span<const Tensor* const> inputs, Tensor& output) {
  const Windows windows(places_, input_.channels);
  auto& winners = winners_[shard];
  winners.resize(std::max(winners.size(), output.size()));
  for (std::size_t i = 0; i < output.images(); ++i)
    largest(windows, inputs[0]->image(i).data(), output.image(i).data(), winners.data() + i * output_.size());
}

void MaxPooling::backward_shard(const Pass&, std::size_t shard, const Tensor&, const Tensor&, Tensor& output_gradient,
                                Tensor& input_gradient) {
  const Windows windows(places_, input_.channels);
  if (!places_.covers_once) input_gradient.fill(0.0f);
  for (std::size_t i = 0; i < output_gradient.images(); ++i)
    spread_to_winners(windows, output_gradient.image(i).data(), winners_[shard].data() + i * output_.size(),
                      !places_.covers_once, input_gradient.image(i).data());
}

AveragePooling::AveragePooling(ImageShape input, const Window& window, Padding padding) : Pooling(input, window) {
  for (std::size_t w = 0; w < places_.count(); ++w)
    shares_.push_back(1.0f /
                      static_cast<float>(padding == Padding::kCountsAsZero ? window.taps() : places_.taps_of(w)));
}

void AveragePooling::forward_shard(const Pass&, std::size_t, std::span<const Tensor* const> inputs, Tensor& output) {
  const Windows windows(places_, input_.channels);
  for (std::size_t i = 0; i < output.images(); ++i)
    means(windows, inputs[0]->image(i).data(), shares_.data(), output.image(i).data());
}

void AveragePooling::backward_shard(const Pass&, std::size_t, const Tensor&, const Tensor&, Tensor& output_gradient,
                                    Tensor& input_gradient) {
  const Windows windows(places_, input_.channels);
  input_gradient.fill(0.0f);
  for (std::size_t i = 0; i < output_gradient.images(); ++i)
    spread_evenly(windows, output_gradient.image(i).data(), shares_.data(), input_gradient.image(i).data());
}

}  // namespace errata::training
