#include "training/pooling.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "core/error.h"
#include "training/shards.h"

namespace errata::training {

Pooling::Pooling(ImageShape input, PoolingOptions options) : input_(input), options_(options) {
  const bool fits =
      options.window > 0 && options.stride > 0 && options.window <= input.height && options.window <= input.width;
  if (!fits)
    throw Error(
        ExitStatus::kComputation, "E505",
        fmt::format("a {0}×{0} pooling window does not fit a {1}×{2} image", options.window, input.height, input.width),
        "choose larger images or another network");
  output_ = {(input.height - options.window) / options.stride + 1, (input.width - options.window) / options.stride + 1,
             input.channels};
}

std::size_t Pooling::tap_offset(std::size_t tap) const {
  return (tap / options_.window * input_.width + tap % options_.window) * input_.channels;
}

template <typename Visit>
void Pooling::for_each_window(const Visit& visit) const {
  for (std::size_t y = 0; y < output_.height; ++y)
    for (std::size_t x = 0; x < output_.width; ++x)
      visit((y * input_.width + x) * options_.stride * input_.channels, (y * output_.width + x) * input_.channels);
}

void MaxPooling::begin_forward(const Pass&, const Tensor& input) {
  winners_.resize(std::max(winners_.size(), input.images() * output_.size()));
}

void MaxPooling::forward_shard(const Pass&, std::size_t shard, const Tensor& input, Tensor& output) {
  const std::size_t channels = input_.channels, end = shard_begin(shard) + shard_size(input.images(), shard);
  for (std::size_t i = shard_begin(shard); i < end; ++i) {
    const float* __restrict image = input.image(i).data();
    float* __restrict pooled = output.image(i).data();
    std::uint32_t* __restrict winners = winners_.data() + i * output_.size();
    for_each_window([&](std::size_t from, std::size_t to) {
      for (std::size_t c = 0; c < channels; ++c) {
        pooled[to + c] = image[from + c];
        winners[to + c] = static_cast<std::uint32_t>(from);
      }
      for (std::size_t tap = 1; tap < taps(); ++tap) {
        const std::size_t at = from + tap_offset(tap);
        for (std::size_t c = 0; c < channels; ++c) {
          // Without branches: which tap wins is as good as random, and a missed branch costs more.
          const std::uint32_t larger = image[at + c] > pooled[to + c] ? ~0u : 0u;
          winners[to + c] ^= (winners[to + c] ^ static_cast<std::uint32_t>(at)) & larger;
          pooled[to + c] = std::max(pooled[to + c], image[at + c]);
        }
      }
    });
  }
}

void MaxPooling::backward_shard(const Pass&, std::size_t shard, const Tensor& input, const Tensor&,
                                const Tensor& output_gradient, Tensor& input_gradient) {
  const std::size_t channels = input_.channels, end = shard_begin(shard) + shard_size(input.images(), shard);
  for (std::size_t i = shard_begin(shard); i < end; ++i) {
    const std::uint32_t* winners = winners_.data() + i * output_.size();
    const auto gradient = output_gradient.image(i);
    const auto target = input_gradient.image(i);
    std::ranges::fill(target, 0.0f);
    for (std::size_t k = 0; k < gradient.size(); k += channels)
      for (std::size_t c = 0; c < channels; ++c) target[winners[k + c] + c] += gradient[k + c];
  }
}

void AveragePooling::forward_shard(const Pass&, std::size_t shard, const Tensor& input, Tensor& output) {
  const std::size_t channels = input_.channels, end = shard_begin(shard) + shard_size(input.images(), shard);
  const float share = 1.0f / static_cast<float>(taps());
  for (std::size_t i = shard_begin(shard); i < end; ++i) {
    const float* image = input.image(i).data();
    float* pooled = output.image(i).data();
    for_each_window([&](std::size_t from, std::size_t to) {
      for (std::size_t c = 0; c < channels; ++c) {
        float sum = 0.0f;
        for (std::size_t tap = 0; tap < taps(); ++tap) sum += image[from + tap_offset(tap) + c];
        pooled[to + c] = share * sum;
      }
    });
  }
}

void AveragePooling::backward_shard(const Pass&, std::size_t shard, const Tensor& input, const Tensor&,
                                    const Tensor& output_gradient, Tensor& input_gradient) {
  const std::size_t channels = input_.channels, end = shard_begin(shard) + shard_size(input.images(), shard);
  const float share = 1.0f / static_cast<float>(taps());
  for (std::size_t i = shard_begin(shard); i < end; ++i) {
    const float* gradient = output_gradient.image(i).data();
    float* target = input_gradient.image(i).data();
    std::ranges::fill(input_gradient.image(i), 0.0f);
    for_each_window([&](std::size_t from, std::size_t to) {
      for (std::size_t tap = 0; tap < taps(); ++tap)
        for (std::size_t c = 0; c < channels; ++c) target[from + tap_offset(tap) + c] += share * gradient[to + c];
    });
  }
}

}  // namespace errata::training
