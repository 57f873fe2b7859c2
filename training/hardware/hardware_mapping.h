#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/hardware_scheme.h"
#include "core/readout.h"
#include "training/layers/matrix_layer.h"

namespace errata::training {

/// What one layer has otherwise than the rest; 0 leaves a setting as it is.
struct LayerHardware {
  std::string layer;  ///< its name
  std::size_t rows_per_tile = 0;
  int adc_bits = 0;
  double adc_range = 0.0;  ///< MAC units
};

/// How matrix layers stand on the chip.
struct HardwareOptions {
  std::size_t rows_per_tile = 64;
  std::size_t cell_levels = 4;  ///< stored levels of one cell
  int weight_bits = 3;          ///< signed, −(2^(b−1)−1) … 2^(b−1)−1
  int input_bits = 4;           ///< unsigned, applied in digits of dac_bits
  AdcOptions adc;
  int dac_bits = 1;
  SignedScheme scheme = SignedScheme::kDifferentialBeforeAdc;
  std::size_t columns_per_adc = 1;         ///< conversions that share one ADC and its static errors
  std::vector<LayerHardware> layers = {};  ///< exceptions by layer

  std::size_t digits() const { return static_cast<std::size_t>(input_digits(input_bits, dac_bits)); }
  std::size_t input_levels() const { return std::size_t{1} << dac_bits; }
  /// The hardware of one layer: its exceptions, and the bits that its network gives it.
  HardwareOptions of(const MatrixLayer& layer) const;
  int largest_weight() const { return (1 << (weight_bits - 1)) - 1; }
};

/// One tile of one weight slice of a layer: up to rows_per_tile rows, and as many conversions as its outputs need.
/// Differential before the ADC: one conversion of a pair for each output. After the ADC: conversions 2c and 2c + 1 are
/// the lines that output c subtracts. Offset column: one for each output and a last one, the reference, which all
/// subtract.
struct Tile {
  std::size_t layer = 0, number = 0;  ///< `number` counts all tiles of the network: names its random streams
  std::size_t first_row = 0, rows = 0, columns = 0;  ///< columns: outputs
  std::size_t conversions = 0;
  SignedScheme scheme = SignedScheme::kDifferentialBeforeAdc;
  double slice_weight = 1.0;        ///< cell_levels^slice
  std::uint64_t first_column = 0;   ///< physical number of its first conversion on the chip
  std::vector<std::uint8_t> plus;   ///< stored levels [conversions][rows]
  std::vector<std::uint8_t> minus;  ///< of the second lines [conversions][rows]; empty: single-ended

  /// Whether a conversion reads two lines.
  bool differential() const { return !minus.empty(); }
  std::span<const std::uint8_t> plus_of(std::size_t conversion) const {
    return std::span(plus).subspan(conversion * rows, rows);
  }
  std::span<const std::uint8_t> minus_of(std::size_t conversion) const {
    return minus.empty() ? std::span<const std::uint8_t>{} : std::span(minus).subspan(conversion * rows, rows);
  }
};

/// Stored levels of a cell pair; `minus` is 0 where a conversion reads one line.
struct CellLevels {
  std::uint8_t plus = 0, minus = 0;
};

/// What a conversion of a tile stores for a weight code: of the digit with that place value, as the scheme says.
CellLevels stored_levels(const Tile& tile, const HardwareOptions& options, std::size_t conversion, int code);
/// Whose weight codes a conversion stores; of the reference column 0, whose codes do not matter.
std::size_t output_of(const Tile& tile, std::size_t conversion);

/// Weight slices that a signed weight needs: digits in base cell_levels of its magnitude, or of the weight and its
/// offset.
std::size_t weight_slices(const HardwareOptions& options);

/// Tiles of a layer without stored levels: where they stand, by `options.of(layer)`. `next_tile` and `next_column`
/// count on over the layers: weights are stationary, so every tile has its own physical columns.
std::vector<Tile> place_layer(const MatrixLayer& layer, const HardwareOptions& options, std::size_t& next_tile,
                              std::uint64_t& next_column);

/// The same with the layer's present weight codes.
std::vector<Tile> map_layer(const MatrixLayer& layer, const HardwareOptions& options, std::size_t& next_tile,
                            std::uint64_t& next_column);

/// Adds weight · (codes of one read, combined as the tile's scheme says) to the outputs: `codes` [conversions], `out`
/// [columns].
void add_outputs(const Tile& tile, std::span<const float> codes, float weight, float* out);

/// Adds weight · (slope of each output by its own conversions): of two that are subtracted, their mean.
void add_slopes(const Tile& tile, std::span<const float> slopes, float weight, float* out);

/// Splits integer codes [count][rows] into digits [count][digits][rows], least significant first.
void split_digits(std::span<const float> codes, std::size_t rows, const HardwareOptions& options, std::span<float> out);

}  // namespace errata::training
