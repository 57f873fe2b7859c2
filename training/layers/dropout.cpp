#include "training/layers/dropout.h"

#include <algorithm>
#include <cstdint>

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

void Dropout::begin_forward(const Pass& pass, Shards) {
  masks_.resize(std::max(masks_.size(), shard_count(pass.images)));
}

void Dropout::forward_shard(const Pass& pass, std::size_t shard, std::span<const Tensor* const> inputs,
                            Tensor& output) {
  const BatchContext& context = pass.context;
  const Tensor& input = *inputs[0];
  if (!context.training) {
    if (output.data() != input.data()) std::ranges::copy(input.values(), output.data());
    return;
  }
  Tensor& mask = masks_[shard];
  mask.resize(input.images(), shape_);
  for (std::size_t i = 0; i < input.images(); ++i)
    draw_mask(RandomStream(context.seed, StreamPurpose::kDropout, context.first_image + shard_begin(shard) + i,
                           context.epoch, index_),
              probability_, mask.image(i));
  const float *x = input.data(), *factor = mask.data();
  for (std::size_t k = 0; k < input.size(); ++k) output.data()[k] = x[k] * factor[k];
}

void Dropout::backward_shard(const Pass&, std::size_t shard, const Tensor&, const Tensor&, Tensor& output_gradient,
                             Tensor& input_gradient) {
  const float *dy = output_gradient.data(), *factor = masks_[shard].data();
  for (std::size_t k = 0; k < output_gradient.size(); ++k) input_gradient.data()[k] = dy[k] * factor[k];
}

}  // namespace errata::training
