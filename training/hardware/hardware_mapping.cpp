#include "training/hardware/hardware_mapping.h"

#include <algorithm>
#include <cmath>

namespace errata::training {

std::size_t weight_slices(const HardwareOptions& options) {
  const int largest = (1 << (options.weight_bits - 1)) - 1;
  std::size_t slices = 1;
  for (double capacity = static_cast<double>(options.cell_levels) - 1; capacity < largest;
       capacity = (capacity + 1) * static_cast<double>(options.cell_levels) - 1)
    ++slices;
  return slices;
}

std::vector<Tile> map_layer(const MatrixLayer& layer, const HardwareOptions& options, std::size_t& next_tile,
                            std::uint64_t& next_column) {
  const std::size_t rows = layer.geometry().rows(), columns = layer.geometry().out_c;
  const auto codes = layer.weight_codes();
  std::vector<Tile> tiles;
  for (std::size_t first = 0; first < rows; first += options.rows_per_tile) {
    std::size_t divisor = 1;
    for (std::size_t slice = 0; slice < weight_slices(options); ++slice, divisor *= options.cell_levels) {
      Tile tile;
      tile.layer = layer.index();
      tile.number = next_tile++;
      tile.first_row = first;
      tile.rows = std::min(options.rows_per_tile, rows - first);
      tile.columns = columns;
      tile.slice_weight = static_cast<double>(divisor);
      tile.first_column = next_column;
      next_column += columns;
      tile.plus.assign(columns * tile.rows, 0);
      tile.minus.assign(columns * tile.rows, 0);
      for (std::size_t c = 0; c < columns; ++c)
        for (std::size_t j = 0; j < tile.rows; ++j) {
          const int code = static_cast<int>(std::lround(codes[(first + j) * columns + c]));
          const auto digit =
              static_cast<std::uint8_t>(static_cast<std::size_t>(std::abs(code)) / divisor % options.cell_levels);
          (code > 0 ? tile.plus : tile.minus)[c * tile.rows + j] = code == 0 ? 0 : digit;
        }
      tiles.push_back(std::move(tile));
    }
  }
  return tiles;
}

}  // namespace errata::training
