#pragma once

#include <span>
#include <vector>

#include "errormodel/error_table.h"
#include "training/hardware/conversion_model.h"

namespace errata::training {

/// Conversions by an error table: y_s from the chip's perturbed weights, μ and σ_D by bilinear lookup.
class TableConversion final : public ConversionModel {
 public:
  /// The table must outlive the model and the tiles it prepares.
  explicit TableConversion(const errormodel::ErrorTable& table) : table_(table) {}
  std::unique_ptr<PreparedTile> prepare(const Tile& tile, std::uint64_t seed, std::uint64_t chip) const override;
  /// In 16 bits, where make_row_plan() has a plan.
  std::unique_ptr<PreparedRows> prepare_rows(std::span<const Tile> slices, const HardwareOptions& hardware,
                                             std::uint64_t seed, std::uint64_t chip) const override;

 private:
  const errormodel::ErrorTable& table_;
};

/// Input levels [count][rows] as indicators of the levels 1 … levels: [count][levels][rows].
std::vector<float> one_hot(std::span<const float> inputs, std::size_t rows, std::size_t levels);

/// A table without any error: levels exact, only the ADC acts.
errormodel::ErrorTable ideal_table(const errormodel::ErrorTable& like);

/// The baseline of the field: fresh normal noise, independent of everything, with the table's own total variance
/// (static parts included) averaged over its support.
errormodel::ErrorTable matched_gaussian(const errormodel::ErrorTable& table);

}  // namespace errata::training
