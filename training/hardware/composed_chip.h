#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "errormodel/error_table.h"
#include "training/hardware/composed_cells.h"
#include "training/hardware/composed_table.h"
#include "training/hardware/hardware_mapping.h"

namespace errata::training {

/// Static errors of the ADC of one conversion that act before its transitions, and which example bends them.
struct AdcDraw {
  float offset = 0.0f;  ///< MAC units, added to the analog value
  float gain = 1.0f;    ///< the analog value is divided by it
  std::uint32_t example = 0;
};

/// What is frozen on one chip under one tile.
struct TileDraws {
  std::vector<float> plus;  ///< unit draws of the cells [rows][conversions]
  std::vector<float>
      minus;              ///< of the second lines; empty: `plus` stands for both, which is enough for one input level
  std::vector<float> on;  ///< (C + K)·φ as a constant, a gain on y and a gain on a: [conversions][3]
  std::vector<AdcDraw> adc;  ///< [conversions]; empty: ideal
  CellChanges changes;       ///< drift and stuck cells
};

/// Draws chips of composed mode and folds their static errors into weights (methods.md §4.3).
///
/// Fresh chips take their numbers from blocks of fast normals and are for training. Those of `kEvaluation` are the
/// chips that bit-true evaluation knows under the same number: for fine-tuning one.
class ComposedChips {
 public:
  enum class Draws { kFresh, kEvaluation };
  /// The table must outlive the object.
  ComposedChips(const errormodel::ErrorTable& table, const HardwareOptions& hardware, std::uint64_t seed);

  /// Here and below: the last argument's memory is used where it is large enough.
  TileDraws draw(const Tile& tile, std::uint64_t chip, Draws draws, TileDraws memory = {}) const;
  /// The tile's weights with the chip's static errors, [input levels − 1][rows][conversions]. `codes`: the layer's
  /// weight codes [rows of the layer][outputs]; `pass`: ComposedTable::pass.
  std::vector<float> fold(const Tile& tile, std::span<const float> codes, const TileDraws& draws, float pass,
                          std::vector<float> memory = {}) const;
  /// Each conversion's row of the composed table, [conversions][bins][2].
  std::vector<float> column_rows(const Tile& tile, const TileDraws& draws, const ComposedTable& composed,
                                 std::vector<float> memory = {}) const;

  /// σ of the columns' static offsets, their ADCs' included [MAC units].
  double offset_sigma() const { return offset_sigma_; }
  /// Examples of bent ADCs without offset and gain error, for compose(); empty where ADCs are straight.
  std::vector<std::vector<double>> adc_examples() const;

 private:
  /// What each conversion makes of every weight code at one input level.
  struct CodeWeights {
    std::vector<float> mean, plus, minus;  ///< mean weight and factors of the cells' draws [conversions][codes]
  };
  /// What a conversion stores for a weight code, and what the table says of it at one input level.
  struct CodeTerms {
    float stored, drive, mean, spread, other;  ///< `other`: spread of the second line
  };
  std::vector<CodeTerms> code_terms(const Tile& tile, std::size_t conversion, std::size_t input_level) const;
  std::vector<float> column_terms(std::span<const double> chip_normals, std::span<const double> column_normals) const;
  /// fold() where cells have drifted or are stuck, cell by cell.
  std::vector<float> fold_changed(const Tile& tile, std::span<const float> codes, const TileDraws& draws, float pass,
                                  std::vector<float> weight) const;
  CodeWeights code_weights(const Tile& tile, const TileDraws& draws, std::size_t input_level, float pass) const;
  std::vector<AdcDraw> draw_adcs(const Tile& tile, std::uint64_t chip, Draws draws) const;

  const errormodel::ErrorTable& table_;
  HardwareOptions hardware_;
  std::uint64_t seed_;
  errormodel::Covariance chip_factor_, column_factor_;
  double offset_sigma_;
};

}  // namespace errata::training
