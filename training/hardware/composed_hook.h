#pragma once

#include <vector>

#include "errormodel/error_table.h"
#include "training/hardware/composed_table.h"
#include "training/hardware/hardware_mapping.h"
#include "training/product_hook.h"

namespace errata::training {

enum class HardwareGradient {
  kTableSlope,       ///< d(out)/dY of the composed table, averaged over the tiles that add up to an output
  kStraightThrough,  ///< 1
};

/// What a composed hook does with the table.
struct ComposedOptions {
  HardwareOptions hardware;
  HardwareGradient gradient = HardwareGradient::kTableSlope;
  std::uint64_t seed = 1;
  std::uint64_t first_chip = 0;  ///< chip of batch k is first_chip + k: every mini-batch has a new one
};

/// Composed injection for training (methods.md §4.3): one sample per tile, slice and multi-bit partial sum.
///
/// The chip's static errors of cells and gains are folded into its weights, the offset selects a row of the layer's
/// composed table, and μ, σ_D and the ADC of all bit-planes come from that row. Costs one matrix product and one
/// lookup per partial sum. Operand statistics come from calibrate(), once, with the network that training starts from.
class ComposedHook final : public ProductHook {
 public:
  /// The table must outlive the hook.
  ComposedHook(const errormodel::ErrorTable& table, ComposedOptions options);

  /// Takes every layer's operands from the network's ideal run over `images` and composes its tables.
  void calibrate(Network& network, const Tensor& images);
  const std::vector<ComposedTable>& composed(std::size_t layer) const { return layers_[layer].composed; }

  void begin_batch(Network& network, const BatchContext& context) override;
  void product(const MatrixLayer& layer, std::size_t shard, const BatchContext& context, const Tensor& codes,
               Tensor& product, Tensor* slope) override;

 private:
  struct MappedTile {
    Tile tile;
    std::vector<float> weight;        ///< [rows][columns] with the chip's static errors
    std::vector<float> shift, sigma;  ///< [columns][bins]
  };
  struct LayerState {
    std::vector<MappedTile> tiles;
    std::vector<ComposedTable> composed;  ///< by slice
    HardwareOptions hardware;             ///< of this layer
  };

  void draw_chip(LayerState& state, std::uint64_t chip) const;
  void draw_tile(MappedTile& mapped, const ComposedTable& composed, std::uint64_t chip, const float* chip_terms) const;
  void add_tile(const MatrixLayer& layer, const MappedTile& mapped, const ComposedTable& composed, std::size_t shard,
                const BatchContext& context, const Tensor& codes, Tensor& product, Tensor* slope) const;

  const errormodel::ErrorTable& table_;
  ComposedOptions options_;
  errormodel::Covariance chip_factor_, column_factor_;
  double offset_reach_;
  std::vector<LayerState> layers_;
};

}  // namespace errata::training
