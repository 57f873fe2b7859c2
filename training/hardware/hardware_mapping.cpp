#include "training/hardware/hardware_mapping.h"

#include <algorithm>
#include <cmath>

#include "training/layers/matrix_layer.h"
#include "training/layers/vector_clones.h"

namespace errata::training {

namespace {

std::size_t conversions_of(SignedScheme scheme, std::size_t columns) {
  if (scheme == SignedScheme::kDifferentialAfterAdc) return 2 * columns;
  return scheme == SignedScheme::kOffsetColumn ? columns + 1 : columns;
}

}  // namespace

CellLevels stored_levels(const Tile& tile, const HardwareOptions& options, std::size_t conversion, int code) {
  const auto digit = [&](int magnitude) {
    const auto divisor = static_cast<std::size_t>(tile.slice_weight);
    return static_cast<std::uint8_t>(static_cast<std::size_t>(magnitude) / divisor % options.cell_levels);
  };
  const int plus = std::max(code, 0), minus = std::max(-code, 0), offset = options.largest_weight();
  switch (tile.scheme) {
    case SignedScheme::kDifferentialBeforeAdc:
      return {digit(plus), digit(minus)};
    case SignedScheme::kDifferentialAfterAdc:
      return {digit(conversion % 2 == 0 ? plus : minus), 0};
    case SignedScheme::kOffsetColumn:
      return {digit(conversion == tile.columns ? offset : code + offset), 0};
  }
  return {};
}

std::size_t output_of(const Tile& tile, std::size_t conversion) {
  if (tile.scheme == SignedScheme::kDifferentialAfterAdc) return conversion / 2;
  return conversion == tile.columns ? 0 : conversion;
}

HardwareOptions HardwareOptions::of(const MatrixLayer& layer) const {
  HardwareOptions own = *this;
  own.layers.clear();
  const QuantizationOptions& q = layer.quantization();
  if (q.weight_bits > 0) own.weight_bits = q.weight_bits;
  if (q.input_bits > 0) own.input_bits = q.input_bits;
  for (const LayerHardware& exception : layers) {
    if (exception.layer != layer.name()) continue;
    if (exception.rows_per_tile > 0) own.rows_per_tile = exception.rows_per_tile;
    if (exception.adc_bits > 0) own.adc.bits = exception.adc_bits;
    if (exception.adc_range > 0.0) own.adc.range = exception.adc_range;
  }
  return own;
}

std::size_t weight_slices(const HardwareOptions& options) {
  const int largest = options.largest_weight() * (options.scheme == SignedScheme::kOffsetColumn ? 2 : 1);
  std::size_t slices = 1;
  for (double capacity = static_cast<double>(options.cell_levels) - 1; capacity < largest;
       capacity = (capacity + 1) * static_cast<double>(options.cell_levels) - 1)
    ++slices;
  return slices;
}

std::vector<Tile> place_layer(const MatrixLayer& layer, const HardwareOptions& all, std::size_t& next_tile,
                              std::uint64_t& next_column) {
  const HardwareOptions options = all.of(layer);
  const std::size_t rows = layer.geometry().rows(), columns = layer.geometry().out_c;
  std::vector<Tile> tiles;
  for (std::size_t first = 0; first < rows; first += options.rows_per_tile) {
    std::size_t place_value = 1;
    for (std::size_t slice = 0; slice < weight_slices(options); ++slice, place_value *= options.cell_levels) {
      tiles.push_back({.layer = layer.index(),
                       .number = next_tile++,
                       .first_row = first,
                       .rows = std::min(options.rows_per_tile, rows - first),
                       .columns = columns,
                       .conversions = conversions_of(options.scheme, columns),
                       .scheme = options.scheme,
                       .slice_weight = static_cast<double>(place_value),
                       .first_column = next_column});
      next_column += tiles.back().conversions;
    }
  }
  return tiles;
}

std::vector<Tile> map_layer(const MatrixLayer& layer, const HardwareOptions& all, std::size_t& next_tile,
                            std::uint64_t& next_column) {
  const HardwareOptions options = all.of(layer);
  const auto codes = layer.weight_levels();
  std::vector<Tile> tiles = place_layer(layer, all, next_tile, next_column);
  const bool pairs = options.scheme == SignedScheme::kDifferentialBeforeAdc;
  for (Tile& tile : tiles) {
    tile.plus.resize(tile.conversions * tile.rows);
    tile.minus.resize(pairs ? tile.plus.size() : 0);
    for (std::size_t c = 0; c < tile.conversions; ++c)
      for (std::size_t j = 0; j < tile.rows; ++j) {
        const float code = codes[(tile.first_row + j) * tile.columns + output_of(tile, c)];
        const CellLevels levels = stored_levels(tile, options, c, static_cast<int>(std::lround(code)));
        tile.plus[c * tile.rows + j] = levels.plus;
        if (pairs) tile.minus[c * tile.rows + j] = levels.minus;
      }
  }
  return tiles;
}

void add_outputs(const Tile& tile, std::span<const float> codes, float weight, float* out) {
  switch (tile.scheme) {
    case SignedScheme::kDifferentialBeforeAdc:
      for (std::size_t c = 0; c < tile.columns; ++c) out[c] += weight * codes[c];
      return;
    case SignedScheme::kDifferentialAfterAdc:
      for (std::size_t c = 0; c < tile.columns; ++c) out[c] += weight * (codes[2 * c] - codes[2 * c + 1]);
      return;
    case SignedScheme::kOffsetColumn:
      for (std::size_t c = 0; c < tile.columns; ++c) out[c] += weight * (codes[c] - codes[tile.columns]);
      return;
  }
}

void add_slopes(const Tile& tile, std::span<const float> slopes, float weight, float* out) {
  const bool two = tile.scheme == SignedScheme::kDifferentialAfterAdc;
  for (std::size_t c = 0; c < tile.columns; ++c)
    out[c] += weight * (two ? 0.5f * (slopes[2 * c] + slopes[2 * c + 1]) : slopes[c]);
}

ERRATA_VECTOR_CLONES void split_digits(std::span<const float> codes, std::size_t rows, const HardwareOptions& options,
                                       std::span<float> out) {
  const std::size_t count = codes.size() / rows, digits = options.digits();
  const std::int32_t mask = (1 << options.dac_bits) - 1;
  for (std::size_t k = 0; k < count; ++k)
    for (std::size_t d = 0; d < digits; ++d) {
      const int shift = static_cast<int>(d) * options.dac_bits;
      const float* from = codes.data() + k * rows;
      float* to = out.data() + (k * digits + d) * rows;
      for (std::size_t j = 0; j < rows; ++j)
        to[j] = static_cast<float>((static_cast<std::int32_t>(from[j]) >> shift) & mask);
    }
}

}  // namespace errata::training
