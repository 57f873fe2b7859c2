#include "training/batch_norm.h"

#include <algorithm>
#include <cmath>

#include "training/shards.h"

namespace errata::training {

BatchNorm::BatchNorm(std::string name, ImageShape shape) : name_(std::move(name)), shape_(shape) {
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

void BatchNorm::take_batch_statistics(const Pass& pass, const Tensor& input) {
  const std::size_t shards = shard_count(input.images()), channels = shape_.channels;
  first_.resize(std::max(first_.size(), shards));
  second_.resize(std::max(second_.size(), shards));
  const std::size_t positions = shape_.height * shape_.width;
  // Per shard: mean and sum of squared deviations, joined below (Chan, Golub and LeVeque 1979).
  for_each_shard(shards, pass.threads, [&](std::size_t shard) {
    const auto x = shard_values(input, shard);
    auto& mean = first_[shard];
    auto& squares = second_[shard];
    mean.assign(channels, 0.0);
    squares.assign(channels, 0.0);
    for (std::size_t row = 0; row < x.size(); row += channels)
      for (std::size_t c = 0; c < channels; ++c) mean[c] += static_cast<double>(x[row + c]);
    const auto count = static_cast<double>(x.size() / channels);
    for (double& value : mean) value /= count;
    for (std::size_t row = 0; row < x.size(); row += channels)
      for (std::size_t c = 0; c < channels; ++c) {
        const double deviation = static_cast<double>(x[row + c]) - mean[c];
        squares[c] += deviation * deviation;
      }
  });
  const auto total = static_cast<double>(input.images() * positions);
  for (std::size_t c = 0; c < channels; ++c) {
    double count = 0.0, mean = 0.0, squares = 0.0;
    for (std::size_t shard = 0; shard < shards; ++shard) {
      const auto more = static_cast<double>(shard_size(input.images(), shard) * positions);
      const double difference = first_[shard][c] - mean;
      squares += second_[shard][c] + difference * difference * count * more / (count + more);
      mean += difference * more / (count + more);
      count += more;
    }
    const double variance = squares / total;
    mean_[c] = mean;
    inverse_deviation_[c] = 1.0 / std::sqrt(variance + kEpsilon);
    const double unbiased = total > 1.0 ? squares / (total - 1.0) : variance;
    running_mean_[c] = static_cast<float>((1.0 - kMomentum) * static_cast<double>(running_mean_[c]) + kMomentum * mean);
    running_variance_[c] =
        static_cast<float>((1.0 - kMomentum) * static_cast<double>(running_variance_[c]) + kMomentum * unbiased);
  }
}

void BatchNorm::begin_forward(const Pass& pass, const Tensor& input) {
  const std::size_t channels = shape_.channels;
  if (pass.context.training) {
    take_batch_statistics(pass, input);
  } else {
    for (std::size_t c = 0; c < channels; ++c) {
      mean_[c] = static_cast<double>(running_mean_[c]);
      inverse_deviation_[c] = 1.0 / std::sqrt(static_cast<double>(running_variance_[c]) + kEpsilon);
    }
  }
  for (std::size_t c = 0; c < channels; ++c) {
    const double gain = static_cast<double>(scale_.value[c]) * inverse_deviation_[c];
    factor_[c] = static_cast<float>(gain);
    offset_[c] = static_cast<float>(static_cast<double>(shift_.value[c]) - gain * mean_[c]);
  }
}

void BatchNorm::forward_shard(const Pass&, std::size_t shard, const Tensor& input, Tensor& output) {
  const std::size_t channels = shape_.channels;
  const auto x = shard_values(input, shard);
  const auto y = shard_values(output, shard);
  for (std::size_t row = 0; row < x.size(); row += channels)
    for (std::size_t c = 0; c < channels; ++c) y[row + c] = factor_[c] * x[row + c] + offset_[c];
}

void BatchNorm::begin_backward(const Pass& pass, const Tensor& input, const Tensor& output_gradient) {
  const std::size_t shards = shard_count(input.images()), channels = shape_.channels;
  for_each_shard(shards, pass.threads, [&](std::size_t shard) {
    const auto x = shard_values(input, shard);
    const auto dy = shard_values(output_gradient, shard);
    auto& sums = first_[shard];
    auto& products = second_[shard];
    sums.assign(channels, 0.0);
    products.assign(channels, 0.0);
    for (std::size_t row = 0; row < x.size(); row += channels)
      for (std::size_t c = 0; c < channels; ++c) {
        const auto g = static_cast<double>(dy[row + c]);
        sums[c] += g;
        products[c] += g * (static_cast<double>(x[row + c]) - mean_[c]);
      }
  });
  std::vector<double> sums(channels), products(channels);
  for (std::size_t shard = 0; shard < shards; ++shard)
    for (std::size_t c = 0; c < channels; ++c) {
      sums[c] += first_[shard][c];
      products[c] += second_[shard][c];
    }
  // dx = k (dy − mean(dy) − x̂ mean(dy x̂)), k = scale / deviation; written as a dy + b (x − centre) + d.
  const auto total = static_cast<double>(input.images() * shape_.height * shape_.width);
  for (std::size_t c = 0; c < channels; ++c) {
    const double inverse = inverse_deviation_[c], gain = static_cast<double>(scale_.value[c]) * inverse;
    shift_.gradient[c] = static_cast<float>(sums[c]);
    scale_.gradient[c] = static_cast<float>(products[c] * inverse);
    a_[c] = static_cast<float>(gain);
    b_[c] = static_cast<float>(-gain * inverse * inverse * products[c] / total);
    d_[c] = static_cast<float>(-gain * sums[c] / total);
    centre_[c] = static_cast<float>(mean_[c]);
  }
}

void BatchNorm::backward_shard(const Pass& pass, std::size_t shard, const Tensor& input, const Tensor&,
                               const Tensor& output_gradient, Tensor& input_gradient) {
  if (!pass.input_gradient) return;
  const std::size_t channels = shape_.channels;
  const auto x = shard_values(input, shard);
  const auto dy = shard_values(output_gradient, shard);
  const auto dx = shard_values(input_gradient, shard);
  for (std::size_t row = 0; row < x.size(); row += channels)
    for (std::size_t c = 0; c < channels; ++c)
      dx[row + c] = a_[c] * dy[row + c] + b_[c] * (x[row + c] - centre_[c]) + d_[c];
}

}  // namespace errata::training
