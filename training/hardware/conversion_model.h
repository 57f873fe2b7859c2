#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "training/hardware/hardware_mapping.h"

namespace errata::training {

/// Reads of one image on one tile. Read number r of image i belongs to position r / digits, digit r % digits.
struct TileReads {
  std::span<const float> inputs;  ///< input levels [images · reads_per_image][rows]
  std::size_t images = 0, reads_per_image = 0;
  std::uint64_t first_image = 0;  ///< number of the first image in the data set: names its read noise
};

/// A tile on one chip: static errors drawn, weights stored; ready for reads. Thread safe.
class PreparedTile {
 public:
  virtual ~PreparedTile() = default;
  /// Analog value of every conversion before the ADC, in MAC units; `value` is [images · reads_per_image][conversions].
  virtual void read(const TileReads& reads, std::span<float> value) const = 0;
};

/// Input codes on the rows that tiles share.
struct CodePatches {
  std::span<const std::uint8_t> codes;  ///< [images · positions][rows]
  std::size_t images = 0, positions = 0;
  std::uint64_t first_image = 0;  ///< as in TileReads
};

/// The weight slices of one group of rows on one chip, from input codes to shifted and added ADC codes without analog
/// values between: the fast way of bit-true products. Thread safe.
class PreparedRows {
 public:
  virtual ~PreparedRows() = default;
  /// Adds to `product` [images · positions][columns], in MAC units.
  virtual void add(const CodePatches& patches, std::span<float> product) const = 0;
};

/// What turns input levels on a tile into analog column values: the interface that bit-true evaluation knows
/// (methods.md §4.3). Ideal, Gaussian and table models are TableConversion; the behavioural model behind the same
/// interface is verification's.
class ConversionModel {
 public:
  virtual ~ConversionModel() = default;
  virtual std::unique_ptr<PreparedTile> prepare(const Tile& tile, std::uint64_t seed, std::uint64_t chip) const = 0;
  /// The slices of the same rows in one, ADC included, where the model has such a way for this hardware; otherwise
  /// null.
  virtual std::unique_ptr<PreparedRows> prepare_rows(std::span<const Tile> slices, const HardwareOptions& hardware,
                                                     std::uint64_t seed, std::uint64_t chip) const {
    static_cast<void>(slices), static_cast<void>(hardware), static_cast<void>(seed), static_cast<void>(chip);
    return nullptr;
  }
};

}  // namespace errata::training
