#include "training/layers/batch_norm.h"

#include <algorithm>
#include <cmath>

#include "training/layers/vector_clones.h"
#include "training/shards.h"

namespace errata::training {

namespace {

/// first[c] = Σ (x − pivot), second[c] = Σ (x − pivot)² over the rows, with the first row as pivot: one pass, and
/// nothing cancels that matters.
ERRATA_VECTOR_CLONES void sum_deviations(std::span<const float> x, std::span<double> first, std::span<double> second) {
  const std::size_t channels = first.size();
  std::ranges::fill(first, 0.0);
  std::ranges::fill(second, 0.0);
  const float* pivot = x.data();
  double* __restrict sums = first.data(), * __restrict squares = second.data();
  for (const float* row = x.data(); row != x.data() + x.size(); row += channels)
    for (std::size_t c = 0; c < channels; ++c) {
      const double deviation = static_cast<double>(row[c]) - static_cast<double>(pivot[c]);
      sums[c] += deviation;
      squares[c] += deviation * deviation;
    }
}

/// first[c] = Σ dy, second[c] = Σ dy (x − mean).
ERRATA_VECTOR_CLONES void sum_gradients(std::span<const float> x, std::span<const float> dy,
                                        std::span<const double> mean, std::span<double> first,
                                        std::span<double> second) {
  const std::size_t channels = first.size();
  std::ranges::fill(first, 0.0);
  std::ranges::fill(second, 0.0);
  double* __restrict sums = first.data(), * __restrict products = second.data();
  for (std::size_t row = 0; row < x.size(); row += channels)
    for (std::size_t c = 0; c < channels; ++c) {
      const auto gradient = static_cast<double>(dy[row + c]);
      sums[c] += gradient;
      products[c] += gradient * (static_cast<double>(x[row + c]) - mean[c]);
    }
}

ERRATA_VECTOR_CLONES void scale_and_shift(std::span<const float> x, std::span<const float> factor,
                                          std::span<const float> offset, float* __restrict y) {
  const std::size_t channels = factor.size();
  for (std::size_t row = 0; row < x.size(); row += channels)
    for (std::size_t c = 0; c < channels; ++c) y[row + c] = factor[c] * x[row + c] + offset[c];
}

/// dx = a · dy + b · (x − centre) + d.
struct InputGradient {
  const float *a, *b, *centre, *d;
};
ERRATA_VECTOR_CLONES void input_gradients(const InputGradient& g, std::size_t channels, std::span<const float> x,
                                          const float* dy, float* __restrict dx) {
  for (std::size_t row = 0; row < x.size(); row += channels)
    for (std::size_t c = 0; c < channels; ++c)
      dx[row + c] = g.a[c] * dy[row + c] + g.b[c] * (x[row + c] - g.centre[c]) + g.d[c];
}

}  // namespace

BatchNorm::BatchNorm(std::string name, ImageShape shape, double epsilon)
    : name_(std::move(name)), shape_(shape), epsilon_(epsilon) {
  const std::size_t c = shape.channels;
  scale_ = {name_ + ".scale", {c}, std::vector<float>(c, 1.0f), std::vector<float>(c)};
  shift_ = {name_ + ".shift", {c}, std::vector<float>(c), std::vector<float>(c)};
  running_mean_.assign(c, 0.0f);
  running_variance_.assign(c, 1.0f);
  mean_.assign(c, 0.0);
  inverse_deviation_.assign(c, 1.0);
  for (auto* values : {&factor_, &offset_, &a_, &b_, &centre_, &d_}) values->assign(c, 0.0f);
}

std::vector<StateBuffer> BatchNorm::buffers() {
  return {{name_ + ".running_mean", &running_mean_}, {name_ + ".running_variance", &running_variance_}};
}

BatchNorm::Affine BatchNorm::affine(std::size_t channel) const {
  const double gain = static_cast<double>(scale_.value[channel]) /
                      std::sqrt(static_cast<double>(running_variance_[channel]) + epsilon_);
  return {gain, static_cast<double>(shift_.value[channel]) - gain * static_cast<double>(running_mean_[channel])};
}

void BatchNorm::take_batch_statistics(const Pass& pass, Shards input) {
  const std::size_t shards = input.size(), channels = shape_.channels, positions = shape_.height * shape_.width;
  pass.team->for_each(shards,
                      [&](std::size_t shard) { sum_deviations(input[shard].values(), first_[shard], second_[shard]); });
  const auto total = static_cast<double>(pass.images * positions);
  for (std::size_t c = 0; c < channels; ++c) {
    // Mean and squared deviations of the shards, joined (Chan, Golub and LeVeque 1979).
    double count = 0.0, mean = 0.0, squares = 0.0;
    for (std::size_t shard = 0; shard < shards; ++shard) {
      const auto more = static_cast<double>(input[shard].images() * positions);
      const double shift = first_[shard][c] / more;
      const double difference = static_cast<double>(input[shard].data()[c]) + shift - mean;
      squares += second_[shard][c] - shift * first_[shard][c] + difference * difference * count * more / (count + more);
      mean += difference * more / (count + more);
      count += more;
    }
    const double variance = std::max(0.0, squares / total);
    mean_[c] = mean;
    inverse_deviation_[c] = 1.0 / std::sqrt(variance + epsilon_);
    const double unbiased = total > 1.0 ? variance * total / (total - 1.0) : variance;
    running_mean_[c] = static_cast<float>((1.0 - kMomentum) * static_cast<double>(running_mean_[c]) + kMomentum * mean);
    running_variance_[c] =
        static_cast<float>((1.0 - kMomentum) * static_cast<double>(running_variance_[c]) + kMomentum * unbiased);
  }
}

void BatchNorm::begin_forward(const Pass& pass, Shards input) {
  for (auto* sums : {&first_, &second_}) {
    if (pass.context.training && sums->size() < input.size())
      sums->resize(input.size(), std::vector<double>(shape_.channels));
  }
  if (pass.context.training) take_batch_statistics(pass, input);
  for (std::size_t c = 0; c < shape_.channels; ++c) {
    Affine affine = this->affine(c);
    if (pass.context.training) {
      affine.factor = static_cast<double>(scale_.value[c]) * inverse_deviation_[c];
      affine.offset = static_cast<double>(shift_.value[c]) - affine.factor * mean_[c];
    }
    factor_[c] = static_cast<float>(affine.factor);
    offset_[c] = static_cast<float>(affine.offset);
  }
}

void BatchNorm::forward_shard(const Pass&, std::size_t, std::span<const Tensor* const> inputs, Tensor& output) {
  scale_and_shift(inputs[0]->values(), factor_, offset_, output.data());
}

void BatchNorm::begin_backward(const Pass& pass, Shards input, Shards output_gradient) {
  const std::size_t shards = input.size();
  pass.team->for_each(shards, [&](std::size_t shard) {
    sum_gradients(input[shard].values(), output_gradient[shard].values(), mean_, first_[shard], second_[shard]);
  });
  // dx = k (dy − mean(dy) − x̂ mean(dy x̂)), k = scale / deviation; written as a dy + b (x − centre) + d.
  const auto total = static_cast<double>(pass.images * shape_.height * shape_.width);
  for (std::size_t c = 0; c < shape_.channels; ++c) {
    double sum = 0.0, product = 0.0;
    for (std::size_t shard = 0; shard < shards; ++shard) {
      sum += first_[shard][c];
      product += second_[shard][c];
    }
    const double inverse = inverse_deviation_[c], gain = static_cast<double>(scale_.value[c]) * inverse;
    shift_.gradient[c] = static_cast<float>(sum);
    scale_.gradient[c] = static_cast<float>(product * inverse);
    a_[c] = static_cast<float>(gain);
    b_[c] = static_cast<float>(-gain * inverse * inverse * product / total);
    d_[c] = static_cast<float>(-gain * sum / total);
    centre_[c] = static_cast<float>(mean_[c]);
  }
}

void BatchNorm::backward_shard(const Pass& pass, std::size_t, const Tensor& input, const Tensor&,
                               Tensor& output_gradient, Tensor& input_gradient) {
  if (!pass.input_gradient) return;
  input_gradients({a_.data(), b_.data(), centre_.data(), d_.data()}, shape_.channels, input.values(),
                  output_gradient.data(), input_gradient.data());
}

}  // namespace errata::training
