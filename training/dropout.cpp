#include "training/dropout.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "core/random_stream.h"
#include "training/shards.h"

namespace errata::training {

namespace {

/// Factors of one image; four 16-bit thresholds come from each random word.
void draw_mask(RandomStream stream, double probability, std::span<float> mask) {
  const auto threshold = static_cast<std::uint64_t>(probability * 65536.0);
  const auto kept = static_cast<float>(65536.0 / (65536.0 - static_cast<double>(threshold)));
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < mask.size(); ++i, word >>= 16) {
    if (i % 4 == 0) word = stream.bits();
    mask[i] = (word & 0xffffu) < threshold ? 0.0f : kept;
  }
}

}  // namespace

void Dropout::begin_forward(const Pass&, const Tensor& input) { mask_.resize(input.images(), shape_); }

void Dropout::forward_shard(const Pass& pass, std::size_t shard, const Tensor& input, Tensor& output) {
  const BatchContext& context = pass.context;
  if (!context.training) {
    std::ranges::copy(shard_values(input, shard), shard_values(output, shard).begin());
    return;
  }
  const std::size_t end = shard_begin(shard) + shard_size(input.images(), shard);
  for (std::size_t i = shard_begin(shard); i < end; ++i) {
    draw_mask(RandomStream(context.seed, StreamPurpose::kDropout, context.first_image + i, context.epoch, index_),
              probability_, mask_.image(i));
    const auto x = input.image(i), mask = std::as_const(mask_).image(i);
    const auto y = output.image(i);
    for (std::size_t k = 0; k < x.size(); ++k) y[k] = x[k] * mask[k];
  }
}

void Dropout::backward_shard(const Pass&, std::size_t shard, const Tensor&, const Tensor&,
                             const Tensor& output_gradient, Tensor& input_gradient) {
  const auto dy = shard_values(output_gradient, shard);
  const auto mask = shard_values(std::as_const(mask_), shard);
  const auto dx = shard_values(input_gradient, shard);
  for (std::size_t i = 0; i < dy.size(); ++i) dx[i] = dy[i] * mask[i];
}

}  // namespace errata::training
