#include "training/hardware/recalibration.h"

#include <algorithm>
#include <functional>

#include "training/data/batches.h"
#include "training/shards.h"

namespace errata::training {

namespace {

/// Runs the calibration images through the network, one shard at a time and thus on one thread.
void run_images(Network& network, ProductHook& hook, const DataSet& data, const RecalibrationOptions& options,
                BatchContext context, const std::function<void()>& after_batch) {
  const std::size_t count = std::min(options.images, data.train.count());
  Batch batch;
  context.seed = options.seed;
  for (std::size_t first = 0; first < count; first += kShardImages, ++context.step) {
    std::vector<std::uint32_t> numbers;
    for (std::size_t i = first; i < std::min(count, first + kShardImages); ++i)
      numbers.push_back(static_cast<std::uint32_t>(i));
    fill_batch(data.train, data.shape, {numbers, 0, 0, {}, network.options().normalization}, batch);
    context.first_image = first;
    network.forward(batch.images, {context, &hook, 1});
    after_batch();
  }
}

}  // namespace

void recalibrate_batch_norm(Network& network, ProductHook& hook, const DataSet& data,
                            const RecalibrationOptions& options) {
  // A batch in training mode moves running statistics by kMomentum; what it moved them to follows.
  const auto buffers = network.buffers();
  std::vector<std::vector<float>> before;
  std::vector<std::vector<double>> sum;
  for (const auto& buffer : buffers) {
    before.push_back(*buffer.values);
    sum.emplace_back(buffer.values->size(), 0.0);
  }
  double batches = 0.0;
  run_images(network, hook, data, options, {.training = true}, [&] {
    ++batches;
    for (std::size_t b = 0; b < buffers.size(); ++b)
      for (std::size_t i = 0; i < sum[b].size(); ++i) {
        const double now = static_cast<double>((*buffers[b].values)[i]), old = static_cast<double>(before[b][i]);
        sum[b][i] += (now - (1.0 - BatchNorm::kMomentum) * old) / BatchNorm::kMomentum;
        before[b][i] = (*buffers[b].values)[i];
      }
  });
  for (std::size_t b = 0; batches > 0.0 && b < buffers.size(); ++b)
    for (std::size_t i = 0; i < sum[b].size(); ++i) (*buffers[b].values)[i] = static_cast<float>(sum[b][i] / batches);
}

void AffineHook::calibrate(Network& network, const DataSet& data, const RecalibrationOptions& options) {
  affine_.clear();
  sums_.assign(network.matrix_layers().size(), {});
  gathering_ = true;
  run_images(network, *this, data, options, {}, [] {});
  gathering_ = false;
  affine_.resize(sums_.size());
  for (std::size_t l = 0; l < sums_.size(); ++l) {
    const Sums& s = sums_[l];
    for (std::size_t c = 0; c < s.count.size(); ++c) {
      const double mean_h = s.hardware[c] / s.count[c], mean_i = s.ideal[c] / s.count[c];
      const double variance = s.square[c] / s.count[c] - mean_h * mean_h;
      const double covariance = s.cross[c] / s.count[c] - mean_h * mean_i;
      constexpr double kLeast = 1e-6;  // MAC units squared: the column never moved
      const double gain = variance > kLeast ? covariance / variance : 1.0;
      affine_[l].gain.push_back(static_cast<float>(gain));
      affine_[l].offset.push_back(static_cast<float>(mean_i - gain * mean_h));
    }
  }
  sums_.clear();
}

void AffineHook::gather(const MatrixLayer& layer, const Tensor& codes, const Tensor& product) {
  Tensor ideal(product.images(), product.shape());
  layer.ideal_product(codes, ideal);
  Sums& s = sums_[layer.index()];
  const std::size_t columns = layer.geometry().out_c;
  for (auto* values : {&s.count, &s.hardware, &s.ideal, &s.square, &s.cross}) values->resize(columns);
  for (std::size_t k = 0; k < product.size(); ++k) {
    const std::size_t c = k % columns;
    const double h = static_cast<double>(product.data()[k]), i = static_cast<double>(ideal.data()[k]);
    s.count[c] += 1.0;
    s.hardware[c] += h;
    s.ideal[c] += i;
    s.square[c] += h * h;
    s.cross[c] += h * i;
  }
}

void AffineHook::product(const MatrixLayer& layer, std::size_t shard, const BatchContext& context, const Tensor& codes,
                         Tensor& product, Tensor* slope) {
  inner_.product(layer, shard, context, codes, product, slope);
  if (gathering_) return gather(layer, codes, product);
  if (affine_.empty() || affine_[layer.index()].gain.empty()) return;
  const Affine& a = affine_[layer.index()];
  const std::size_t columns = a.gain.size();
  for (std::size_t k = 0; k < product.size(); ++k) {
    const std::size_t c = k % columns;
    product.data()[k] = a.gain[c] * product.data()[k] + a.offset[c];
    if (slope != nullptr) slope->data()[k] *= a.gain[c];
  }
}

}  // namespace errata::training
