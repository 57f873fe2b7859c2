#include "training/layers/depthwise_layer.h"

#include <algorithm>

#include "training/layers/sums.h"
#include "training/layers/vector_clones.h"
#include "training/shards.h"

namespace errata::training {

namespace {

struct Kernels {
  const WindowPlaces& places;
  std::size_t channels;
};

ERRATA_VECTOR_CLONES void convolve(const Kernels& k, const float* __restrict image, const float* weight,
                                   const float* bias, float* __restrict output) {
  for (std::size_t p = 0; p < k.places.count(); ++p, output += k.channels) {
    std::copy_n(bias, k.channels, output);
    for (std::size_t entry = k.places.starts[p]; entry < k.places.starts[p + 1]; ++entry) {
      const float* x = image + k.places.places[entry];
      const float* w = weight + k.places.taps[entry] * k.channels;
      for (std::size_t c = 0; c < k.channels; ++c) output[c] += w[c] * x[c];
    }
  }
}

/// Adds to the gradient of the image.
ERRATA_VECTOR_CLONES void convolve_back(const Kernels& k, const float* __restrict gradient, const float* weight,
                                        float* __restrict image) {
  for (std::size_t p = 0; p < k.places.count(); ++p, gradient += k.channels)
    for (std::size_t entry = k.places.starts[p]; entry < k.places.starts[p + 1]; ++entry) {
      float* x = image + k.places.places[entry];
      const float* w = weight + k.places.taps[entry] * k.channels;
      for (std::size_t c = 0; c < k.channels; ++c) x[c] += w[c] * gradient[c];
    }
}

/// Adds to the gradient of the weights.
ERRATA_VECTOR_CLONES void correlate(const Kernels& k, const float* __restrict image, const float* __restrict gradient,
                                    float* __restrict weight) {
  for (std::size_t p = 0; p < k.places.count(); ++p, gradient += k.channels)
    for (std::size_t entry = k.places.starts[p]; entry < k.places.starts[p + 1]; ++entry) {
      const float* x = image + k.places.places[entry];
      float* w = weight + k.places.taps[entry] * k.channels;
      for (std::size_t c = 0; c < k.channels; ++c) w[c] += x[c] * gradient[c];
    }
}

}  // namespace

DepthwiseLayer::DepthwiseLayer(std::string name, ImageShape input, const Window& window, Bias bias)
    : name_(std::move(name)),
      input_(input),
      output_(slide(window, input, "kernel")),
      places_(window, input),
      has_bias_(bias == Bias::kLearned) {
  const std::size_t count = window.taps() * input.channels;
  weight_ = {name_ + ".weight", {window.taps(), input.channels}, std::vector<float>(count), std::vector<float>(count)};
  weight_.decays = true;
  bias_ = {name_ + ".bias", {input.channels}, std::vector<float>(input.channels), std::vector<float>(input.channels)};
}

std::vector<Parameter*> DepthwiseLayer::parameters() {
  std::vector<Parameter*> all{&weight_};
  if (has_bias_) all.push_back(&bias_);
  return all;
}

void DepthwiseLayer::begin_forward(const Pass& pass, Shards) {
  workspaces_.resize(std::max(workspaces_.size(), shard_count(pass.images)));
}

void DepthwiseLayer::forward_shard(const Pass&, std::size_t, std::span<const Tensor* const> inputs, Tensor& output) {
  const Kernels kernels{places_, input_.channels};
  for (std::size_t i = 0; i < output.images(); ++i)
    convolve(kernels, inputs[0]->image(i).data(), weight_.value.data(), bias_.value.data(), output.image(i).data());
}

void DepthwiseLayer::backward_shard(const Pass& pass, std::size_t shard, const Tensor& input, const Tensor&,
                                    Tensor& output_gradient, Tensor& input_gradient) {
  const Kernels kernels{places_, input_.channels};
  Workspace& work = workspaces_[shard];
  work.weight_gradient.assign(weight_.value.size(), 0.0f);
  work.bias_gradient.assign(input_.channels, 0.0f);
  add_row_sums(output_gradient.values(), work.bias_gradient);
  if (pass.input_gradient) input_gradient.fill(0.0f);
  for (std::size_t i = 0; i < input.images(); ++i) {
    const float* gradient = output_gradient.image(i).data();
    work.image_gradient.assign(weight_.value.size(), 0.0f);  // image by image: shorter sums lose fewer digits
    correlate(kernels, input.image(i).data(), gradient, work.image_gradient.data());
    add_into(work.image_gradient, work.weight_gradient);
    if (pass.input_gradient) convolve_back(kernels, gradient, weight_.value.data(), input_gradient.image(i).data());
  }
}

void DepthwiseLayer::end_backward(const Pass& pass) {
  std::ranges::fill(weight_.gradient, 0.0f);
  std::ranges::fill(bias_.gradient, 0.0f);
  for (std::size_t shard = 0; shard < shard_count(pass.images); ++shard) {
    add_into(workspaces_[shard].weight_gradient, weight_.gradient);
    add_into(workspaces_[shard].bias_gradient, bias_.gradient);
  }
}

}  // namespace errata::training
