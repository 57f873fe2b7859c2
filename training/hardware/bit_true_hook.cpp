#include "training/hardware/bit_true_hook.h"

#include <algorithm>
#include <cmath>

#include "training/network.h"
#include "training/shards.h"

namespace errata::training {

void split_planes(std::span<const float> codes, std::size_t rows, int planes, std::span<float> out) {
  const std::size_t count = codes.size() / rows;
  for (std::size_t k = 0; k < count; ++k)
    for (std::size_t j = 0; j < rows; ++j) {
      const auto code = static_cast<std::uint32_t>(codes[k * rows + j]);
      for (int b = 0; b < planes; ++b) out[(k * planes + b) * rows + j] = static_cast<float>((code >> b) & 1u);
    }
}

BitTrueHook::BitTrueHook(const ConversionModel& model, HardwareOptions options, std::uint64_t seed, std::uint64_t chip,
                         std::uint64_t pass)
    : model_(model), options_(options), seed_(seed), chip_(chip), pass_(pass) {}

void BitTrueHook::begin_batch(Network& network, const BatchContext&) {
  if (!tiles_.empty()) return;  // the chip and its stored weights stay for the whole test set
  std::size_t next_tile = 0;
  std::uint64_t next_column = 0;
  tiles_.resize(network.matrix_layers().size());
  for (const MatrixLayer* layer : network.matrix_layers()) {
    if (!layer->is_quantized()) continue;
    for (Tile& tile : map_layer(*layer, options_, next_tile, next_column))
      tiles_[layer->index()].push_back({std::move(tile), nullptr});
  }
  std::vector<MappedTile*> all;
  for (auto& layer : tiles_)
    for (auto& tile : layer) all.push_back(&tile);
#pragma omp parallel for schedule(dynamic)
  for (std::size_t k = 0; k < all.size(); ++k) all[k]->prepared = model_.prepare(all[k]->tile, seed_, chip_);
}

void BitTrueHook::product(const MatrixLayer& layer, std::size_t shard, const BatchContext& context, const Tensor& codes,
                          Tensor& product, Tensor* slope) {
  const MatrixGeometry& g = layer.geometry();
  const std::size_t images = codes.images(), positions = g.positions();
  const auto planes = static_cast<std::size_t>(options_.input_bits);
  product.fill(0.0f);
  if (slope != nullptr) slope->fill(1.0f);
  std::vector<float> patch, inputs, value;
  const auto step = static_cast<float>(options_.adc.step());
  for (const MappedTile& mapped : tiles_[layer.index()]) {
    const Tile& tile = mapped.tile;
    patch.resize(images * positions * tile.rows);
    inputs.resize(patch.size() * planes);
    value.resize(images * positions * planes * tile.columns);
    im2col_rows(g, codes, 0, images * positions, tile.first_row, tile.rows, patch.data());
    split_planes(patch, tile.rows, options_.input_bits, inputs);
    mapped.prepared->read({.inputs = inputs,
                           .images = images,
                           .reads_per_image = positions * planes,
                           .first_image = context.first_image + shard_begin(shard) + (pass_ << 26)},
                          value);
    for (std::size_t k = 0; k < images * positions; ++k)
      for (std::size_t b = 0; b < planes; ++b) {
        const float weight = static_cast<float>(tile.slice_weight * std::ldexp(1.0, static_cast<int>(b))) * step;
        const float* v = value.data() + (k * planes + b) * tile.columns;
        float* out = product.data() + k * tile.columns;
        for (std::size_t c = 0; c < tile.columns; ++c)
          out[c] += weight * static_cast<float>(adc_code(options_.adc, v[c]));
      }
  }
}

}  // namespace errata::training
