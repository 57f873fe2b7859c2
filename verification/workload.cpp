#include "verification/workload.h"

#include <algorithm>

#include "core/random_stream.h"
#include "training/data/batches.h"
#include "training/product_hook.h"

namespace errata::verification {

namespace {

class CaptureHook final : public training::ProductHook {
 public:
  CaptureHook(const training::HardwareOptions& hardware, const WorkloadOptions& options)
      : hardware_(hardware), options_(options) {}

  std::vector<std::vector<WorkloadColumn>> by_layer;

  void begin_batch(training::Network& network, const training::BatchContext&) override {
    by_layer.assign(network.matrix_layers().size(), {});
    first_tile_.assign(by_layer.size(), 0);
    first_column_.assign(by_layer.size(), 0);
    std::size_t tile = 0;
    std::uint64_t column = 0;
    for (const training::MatrixLayer* layer : network.matrix_layers()) {
      first_tile_[layer->index()] = tile;
      first_column_[layer->index()] = column;
      if (layer->is_quantized()) training::map_layer(*layer, hardware_, tile, column);
    }
  }

  void product(const training::MatrixLayer& layer, std::size_t shard, const training::BatchContext&,
               const training::Tensor& codes, training::Tensor& product, training::Tensor* slope) override {
    if (slope != nullptr) slope->fill(1.0f);
    layer.ideal_product(codes, product);
    if (shard != 0) return;  // the first 16 images speak for all; one shard runs on one thread
    std::size_t next_tile = first_tile_[layer.index()];
    std::uint64_t next_column = first_column_[layer.index()];
    const auto tiles = training::map_layer(layer, hardware_, next_tile, next_column);
    RandomStream stream(options_.seed, StreamPurpose::kReplaySelection, layer.index());
    for (std::size_t k = 0; k < options_.columns_per_layer; ++k)
      by_layer[layer.index()].push_back(capture(layer, tiles[stream.below(tiles.size())], codes, stream));
  }

 private:
  WorkloadColumn capture(const training::MatrixLayer& layer, const training::Tile& tile, const training::Tensor& codes,
                         RandomStream& stream) const {
    const std::size_t c = stream.below(tile.conversions), rows = tile.rows;
    WorkloadColumn w;
    w.layer = layer.index();
    w.column = tile.first_column + c;
    w.adc = hardware_.of(layer).adc;
    w.operands.rows = options_.array_rows;
    w.operands.plus.assign(options_.array_rows, 0);
    w.operands.minus.assign(tile.differential() ? options_.array_rows : 0, 0);
    std::ranges::copy(tile.plus_of(c), w.operands.plus.begin());
    std::ranges::copy(tile.minus_of(c), w.operands.minus.begin());
    w.operands.inputs.assign(options_.operands_per_column * options_.array_rows, 0);
    std::vector<float> x(rows);
    for (std::size_t o = 0; o < options_.operands_per_column; ++o) {
      const std::size_t position = stream.below(codes.images() * layer.geometry().positions());
      const auto digit = static_cast<int>(stream.below(hardware_.of(layer).digits()));
      training::im2col_rows(layer.geometry(), codes, position, 1, tile.first_row, rows, x.data());
      for (std::size_t j = 0; j < rows; ++j)
        w.operands.inputs[o * options_.array_rows + j] =
            input_digit(static_cast<std::uint32_t>(x[j]), hardware_.dac_bits, digit);
    }
    return w;
  }

  training::HardwareOptions hardware_;
  WorkloadOptions options_;
  std::vector<std::size_t> first_tile_;
  std::vector<std::uint64_t> first_column_;
};

}  // namespace

std::vector<WorkloadColumn> capture_workload(training::Network& network, const training::DataSet& data,
                                             const training::HardwareOptions& hardware,
                                             const WorkloadOptions& options) {
  std::vector<std::uint32_t> numbers;
  for (std::uint32_t i = 0; i < std::min<std::size_t>(16, data.test.count()); ++i) numbers.push_back(i);
  training::Batch batch;
  training::fill_batch(data.test, data.shape, {numbers, 0, 0, {}, network.options().normalization}, batch);
  CaptureHook hook(hardware, options);
  network.forward(batch.images, {.context = {}, .hook = &hook, .threads = 1});
  std::vector<WorkloadColumn> all;
  for (auto& layer : hook.by_layer) all.insert(all.end(), layer.begin(), layer.end());
  return all;
}

}  // namespace errata::verification
