#pragma once

#include <cstdint>
#include <vector>

#include "core/readout.h"
#include "training/matrix_layer.h"

namespace errata::training {

/// How matrix layers stand on the chip.
struct HardwareOptions {
  std::size_t rows_per_tile = 64;
  std::size_t cell_levels = 4;  ///< stored levels of one cell
  int weight_bits = 3;          ///< signed, −(2^(b−1)−1) … 2^(b−1)−1
  int input_bits = 4;           ///< unsigned, applied bit by bit
  AdcOptions adc;
};

/// One tile of one weight slice of a layer: out_c differential columns of up to rows_per_tile rows.
struct Tile {
  std::size_t layer = 0, number = 0;  ///< `number` counts all tiles of the network: names its random streams
  std::size_t first_row = 0, rows = 0, columns = 0;
  double slice_weight = 1.0;              ///< cell_levels^slice
  std::uint64_t first_column = 0;         ///< physical number of its first column on the chip
  std::vector<std::uint8_t> plus, minus;  ///< stored levels [columns][rows]
};

/// Weight slices that a signed weight needs: digits of its magnitude in base cell_levels.
std::size_t weight_slices(const HardwareOptions& options);

/// Tiles of a layer's present weight codes. `next_tile` and `next_column` count on over the layers: weights are
/// stationary, so every tile has its own physical columns.
std::vector<Tile> map_layer(const MatrixLayer& layer, const HardwareOptions& options, std::size_t& next_tile,
                            std::uint64_t& next_column);

}  // namespace errata::training
