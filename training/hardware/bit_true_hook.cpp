#include "training/hardware/bit_true_hook.h"

#include <algorithm>
#include <cmath>

#include "core/random_stream.h"
#include "training/hardware/fast_normal.h"
#include "training/hardware/read_errors.h"
#include "training/network.h"
#include "training/shards.h"

namespace errata::training {

BitTrueHook::BitTrueHook(const ConversionModel& model, HardwareOptions options, std::uint64_t seed, std::uint64_t chip,
                         std::uint64_t pass)
    : model_(model), options_(options), seed_(seed), chip_(chip), pass_(pass) {}

void BitTrueHook::begin_batch(Network& network, const BatchContext&) {
  if (!tiles_.empty()) return;  // the chip and its stored weights stay for the whole test set
  std::size_t next_tile = 0;
  std::uint64_t next_column = 0;
  tiles_.resize(network.matrix_layers().size());
  for (const MatrixLayer* layer : network.matrix_layers()) {
    hardware_.push_back(options_.of(*layer));
    if (!layer->is_quantized()) continue;
    for (Tile& tile : map_layer(*layer, options_, next_tile, next_column))
      tiles_[layer->index()].push_back({std::move(tile), nullptr});
  }
  std::vector<MappedTile*> all;
  for (auto& layer : tiles_)
    for (auto& tile : layer) all.push_back(&tile);
#pragma omp parallel for schedule(dynamic)
  for (std::size_t k = 0; k < all.size(); ++k) {
    all[k]->prepared = model_.prepare(all[k]->tile, seed_, chip_);
    const AdcOptions& adc = hardware_[all[k]->tile.layer].adc;
    if (!adc.has_static_errors()) continue;
    for (std::size_t c = 0; c < all[k]->tile.conversions; ++c)
      all[k]->transitions.push_back(
          adc_transitions(adc, seed_, chip_, (all[k]->tile.first_column + c) / options_.columns_per_adc));
  }
}

namespace {

/// ADC noise of the reads of one image, on top of what the conversion model has added; in MAC units.
void add_adc_noise(const AdcOptions& adc, const NormalBlock& block, std::span<float> value) {
  std::vector<float> normal(value.size());
  fill_normals(block, normal);
  const auto sigma = static_cast<float>(adc.noise_sigma * adc.step());
  for (std::size_t k = 0; k < value.size(); ++k) value[k] += sigma * normal[k];
}

}  // namespace

void BitTrueHook::product(const MatrixLayer& layer, std::size_t shard, const BatchContext& context, const Tensor& codes,
                          Tensor& product, Tensor* slope) {
  const MatrixGeometry& g = layer.geometry();
  const HardwareOptions& h = hardware_[layer.index()];
  const std::size_t images = codes.images(), positions = g.positions(), digits = h.digits();
  product.fill(0.0f);
  if (slope != nullptr) slope->fill(1.0f);
  std::vector<float> patch, inputs, value;
  std::size_t first_row = 0;
  const std::uint64_t first_image = context.first_image + shard_begin(shard) + (pass_ << 26);
  for (const MappedTile& mapped : tiles_[layer.index()]) {
    const Tile& tile = mapped.tile;
    if (inputs.empty() || tile.first_row != first_row) {  // slices of the same rows follow each other
      first_row = tile.first_row;
      patch.resize(images * positions * tile.rows);
      inputs.resize(patch.size() * digits);
      im2col_rows(g, codes, 0, images * positions, tile.first_row, tile.rows, patch.data());
      split_digits(patch, tile.rows, h, inputs);
    }
    value.resize(images * positions * digits * tile.conversions);
    mapped.prepared->read(
        {.inputs = inputs, .images = images, .reads_per_image = positions * digits, .first_image = first_image}, value);
    const std::size_t per_image = positions * digits * tile.conversions;
    for (std::size_t i = 0; h.adc.noise_sigma > 0 && i < images; ++i)
      add_adc_noise(h.adc,
                    {seed_, static_cast<std::uint32_t>(StreamPurpose::kAdc), tile.number, first_image + i, chip_},
                    std::span(value).subspan(i * per_image, per_image));
    convert(h.adc, mapped, value);
    const auto step = static_cast<float>(h.adc.step() * tile.slice_weight);
    for (std::size_t k = 0; k < images * positions; ++k)
      for (std::size_t d = 0; d < digits; ++d) {
        const float weight = step * std::ldexp(1.0f, static_cast<int>(d) * h.dac_bits);
        add_outputs(tile, std::span(value).subspan((k * digits + d) * tile.conversions, tile.conversions), weight,
                    product.data() + k * tile.columns);
      }
  }
}

/// Analog values become codes.
void BitTrueHook::convert(const AdcOptions& adc, const MappedTile& mapped, std::span<float> value) {
  const std::size_t conversions = mapped.tile.conversions;
  if (mapped.transitions.empty()) {
    to_codes(adc, value);
    return;
  }
  for (std::size_t k = 0; k < value.size(); ++k)
    value[k] = static_cast<float>(adc_code(adc, mapped.transitions[k % conversions], value[k]));
}

}  // namespace errata::training
