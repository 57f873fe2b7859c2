#include "training/hardware/bit_true_hook.h"

#include <algorithm>
#include <cmath>

#include "core/random_stream.h"
#include "training/hardware/fast_normal.h"
#include "training/hardware/read_errors.h"
#include "training/network/network.h"
#include "training/shards.h"

namespace errata::training {

BitTrueHook::BitTrueHook(const ConversionModel& model, HardwareOptions options, std::uint64_t seed, std::uint64_t chip,
                         std::uint64_t pass)
    : model_(model), options_(options), seed_(seed), chip_(chip), pass_(pass) {}

void BitTrueHook::begin_batch(Network& network, const BatchContext&) {
  if (!rows_.empty()) return;  // the chip and its stored weights stay for the whole test set
  std::size_t next_tile = 0;
  std::uint64_t next_column = 0;
  rows_.resize(network.matrix_layers().size());
  for (const MatrixLayer* layer : network.matrix_layers()) {
    hardware_.push_back(options_.of(*layer));
    if (!layer->is_quantized()) continue;
    auto& groups = rows_[layer->index()];
    for (Tile& tile :
         map_layer(*layer, options_, next_tile, next_column)) {  // slices of the same rows follow each other
      if (groups.empty() || groups.back().slices.front().first_row != tile.first_row) groups.emplace_back();
      groups.back().slices.push_back(std::move(tile));
    }
  }
  std::vector<MappedRows*> all;
  for (auto& layer : rows_)
    for (auto& rows : layer) all.push_back(&rows);
#pragma omp parallel for schedule(dynamic)
  for (std::size_t k = 0; k < all.size(); ++k) prepare(*all[k]);
}

void BitTrueHook::prepare(MappedRows& rows) const {
  const HardwareOptions& hardware = hardware_[rows.slices.front().layer];
  rows.joined = model_.prepare_rows(rows.slices, hardware, seed_, chip_);
  if (rows.joined) return;
  for (const Tile& tile : rows.slices) {
    MappedTile mapped{tile, model_.prepare(tile, seed_, chip_), {}};
    for (std::size_t c = 0; hardware.adc.has_static_errors() && c < tile.conversions; ++c)
      mapped.transitions.push_back(
          adc_transitions(hardware.adc, seed_, chip_, (tile.first_column + c) / options_.columns_per_adc));
    rows.tiles.push_back(std::move(mapped));
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

/// What the row groups of a layer read of a shard's images.
struct BitTrueHook::Shard {
  const MatrixGeometry& geometry;
  const HardwareOptions& hardware;
  const Tensor& codes;
  std::uint64_t first_image = 0;  ///< and pass
  std::vector<std::uint8_t> bytes;
  std::vector<std::uint8_t> byte_patch;
  std::vector<float> patch, inputs, value;

  std::size_t positions() const { return codes.images() * geometry.positions(); }
};

void BitTrueHook::product(const MatrixLayer& layer, std::size_t shard, const BatchContext& context, const Tensor& codes,
                          Tensor& product, Tensor* slope) {
  product.fill(0.0f);
  if (slope != nullptr) slope->fill(1.0f);
  Shard part{layer.geometry(), hardware_[layer.index()], codes,
             context.first_image + shard_begin(shard) + (pass_ << 26)};
  for (const MappedRows& rows : rows_[layer.index()])
    rows.joined ? add_joined(rows, part, product) : add_tiles(rows, part, product);
}

void BitTrueHook::add_joined(const MappedRows& rows, Shard& shard, Tensor& product) const {
  if (shard.bytes.empty()) {
    shard.bytes.resize(shard.codes.size());
    std::ranges::transform(shard.codes.values(), shard.bytes.begin(),
                           [](float code) { return static_cast<std::uint8_t>(static_cast<std::int32_t>(code)); });
  }
  const Tile& tile = rows.slices.front();
  shard.byte_patch.resize(shard.positions() * tile.rows);
  im2col_rows(shard.geometry, shard.bytes, 0, shard.positions(), tile.first_row, tile.rows, shard.byte_patch.data());
  rows.joined->add({shard.byte_patch, shard.codes.images(), shard.geometry.positions(), shard.first_image},
                   product.values());
}

void BitTrueHook::add_tiles(const MappedRows& rows, Shard& shard, Tensor& product) const {
  const HardwareOptions& h = shard.hardware;
  const std::size_t images = shard.codes.images(), positions = shard.geometry.positions(), digits = h.digits();
  const std::size_t height = rows.slices.front().rows;
  shard.patch.resize(images * positions * height);
  shard.inputs.resize(shard.patch.size() * digits);
  im2col_rows(shard.geometry, shard.codes, 0, images * positions, rows.slices.front().first_row, height,
              shard.patch.data());
  split_digits(shard.patch, height, h, shard.inputs);
  for (const MappedTile& mapped : rows.tiles) {
    const Tile& tile = mapped.tile;
    const std::size_t per_image = positions * digits * tile.conversions;
    shard.value.resize(images * per_image);
    const std::span<float> value(shard.value);
    mapped.prepared->read({.inputs = shard.inputs,
                           .images = images,
                           .reads_per_image = positions * digits,
                           .first_image = shard.first_image},
                          value);
    for (std::size_t i = 0; h.adc.noise_sigma > 0 && i < images; ++i)
      add_adc_noise(h.adc,
                    {seed_, static_cast<std::uint32_t>(StreamPurpose::kAdc), tile.number, shard.first_image + i, chip_},
                    value.subspan(i * per_image, per_image));
    convert(h.adc, mapped, value);
    const auto step = static_cast<float>(h.adc.step() * tile.slice_weight);
    for (std::size_t k = 0; k < images * positions; ++k)
      for (std::size_t d = 0; d < digits; ++d) {
        const float weight = step * std::ldexp(1.0f, static_cast<int>(d) * h.dac_bits);
        add_outputs(tile, value.subspan((k * digits + d) * tile.conversions, tile.conversions), weight,
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
