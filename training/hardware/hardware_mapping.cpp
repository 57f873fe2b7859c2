#include "training/hardware/hardware_mapping.h"

#include <algorithm>
#include <cmath>

namespace errata::training {

namespace {

/// Stores one weight's digit of a slice in the conversions of its output.
class TileWriter {
 public:
  TileWriter(Tile& tile, const HardwareOptions& options, std::size_t divisor)
      : tile_(tile), options_(options), divisor_(divisor) {
    const bool pair = options.scheme == SignedScheme::kDifferentialBeforeAdc;
    tile.conversions = options.scheme == SignedScheme::kDifferentialAfterAdc ? 2 * tile.columns
                       : options.scheme == SignedScheme::kOffsetColumn       ? tile.columns + 1
                                                                             : tile.columns;
    tile.plus.assign(tile.conversions * tile.rows, 0);
    tile.minus.assign(pair ? tile.conversions * tile.rows : 0, 0);
    if (options.scheme == SignedScheme::kOffsetColumn)
      for (std::size_t j = 0; j < tile.rows; ++j) tile.plus[tile.columns * tile.rows + j] = digit(offset());
  }

  void store(std::size_t column, std::size_t row, int code) {
    const std::size_t rows = tile_.rows;
    switch (options_.scheme) {
      case SignedScheme::kDifferentialBeforeAdc:
        (code < 0 ? tile_.minus : tile_.plus)[column * rows + row] = digit(std::abs(code));
        return;
      case SignedScheme::kDifferentialAfterAdc:
        tile_.plus[(2 * column + (code < 0 ? 1 : 0)) * rows + row] = digit(std::abs(code));
        return;
      case SignedScheme::kOffsetColumn:
        tile_.plus[column * rows + row] = digit(code + offset());
        return;
    }
  }

 private:
  int offset() const { return options_.largest_weight(); }
  std::uint8_t digit(int magnitude) const {
    return static_cast<std::uint8_t>(static_cast<std::size_t>(magnitude) / divisor_ % options_.cell_levels);
  }

  Tile& tile_;
  const HardwareOptions& options_;
  std::size_t divisor_;
};

}  // namespace

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

std::vector<Tile> map_layer(const MatrixLayer& layer, const HardwareOptions& all, std::size_t& next_tile,
                            std::uint64_t& next_column) {
  const HardwareOptions options = all.of(layer);
  const std::size_t rows = layer.geometry().rows(), columns = layer.geometry().out_c;
  const auto codes = layer.weight_levels();
  std::vector<Tile> tiles;
  for (std::size_t first = 0; first < rows; first += options.rows_per_tile) {
    std::size_t divisor = 1;
    for (std::size_t slice = 0; slice < weight_slices(options); ++slice, divisor *= options.cell_levels) {
      Tile tile{.layer = layer.index(),
                .number = next_tile++,
                .first_row = first,
                .rows = std::min(options.rows_per_tile, rows - first),
                .columns = columns,
                .scheme = options.scheme,
                .slice_weight = static_cast<double>(divisor),
                .first_column = next_column};
      TileWriter writer(tile, options, divisor);
      for (std::size_t c = 0; c < columns; ++c)
        for (std::size_t j = 0; j < tile.rows; ++j)
          writer.store(c, j, static_cast<int>(std::lround(codes[(first + j) * columns + c])));
      next_column += tile.conversions;
      tiles.push_back(std::move(tile));
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

void split_digits(std::span<const float> codes, std::size_t rows, const HardwareOptions& options,
                  std::span<float> out) {
  const std::size_t count = codes.size() / rows, digits = options.digits();
  for (std::size_t k = 0; k < count; ++k)
    for (std::size_t j = 0; j < rows; ++j) {
      const auto code = static_cast<std::uint32_t>(codes[k * rows + j]);
      for (std::size_t d = 0; d < digits; ++d)
        out[(k * digits + d) * rows + j] = input_digit(code, options.dac_bits, static_cast<int>(d));
    }
}

}  // namespace errata::training
