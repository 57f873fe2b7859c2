#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "errormodel/error_table.h"
#include "training/hardware/composed_chip.h"
#include "training/hardware/composed_table.h"
#include "training/hardware/hardware_mapping.h"
#include "training/product_hook.h"

namespace errata::training {

struct ComposedLayer;
class ProductWorkspaces;

enum class HardwareGradient {
  kTableSlope,       ///< d(out)/dY of the composed table, averaged over the tiles that add up to an output
  kStraightThrough,  ///< 1
};

/// Which chips the mini-batches are trained on.
enum class ChipSchedule {
  kNewEachBatch,  ///< batch k has the chips first_chip + k · chips_per_batch, …: the network learns to bear any chip
  kFixed,         ///< always first_chip, …, first_chip + chips_per_batch − 1, as bit-true evaluation draws them
};

/// What a composed hook does with the table.
struct ComposedOptions {
  HardwareOptions hardware;
  HardwareGradient gradient = HardwareGradient::kTableSlope;
  std::uint64_t seed = 1;
  std::uint64_t first_chip = 0;
  ChipSchedule schedule = ChipSchedule::kNewEachBatch;
  /// Shards of 16 images take these chips in turn; more chips make a batch's gradient less a matter of one chip's luck
  /// and cost a drawing of all weights each.
  std::size_t chips_per_batch = 1;
};

/// Composed injection for training (methods.md §4.3): one partial sum for each tile and slice of a multi-bit product.
///
/// The chip's static errors of cells and gains are folded into its weights, the offset and its ADC select a row of the
/// layer's composed table, and μ, σ_D and the ADC of all bit-planes come from that row. Operand statistics come from
/// calibrate(), once, with the network that training starts from.
class ComposedHook final : public ProductHook {
 public:
  /// The table must outlive the hook.
  ComposedHook(const errormodel::ErrorTable& table, ComposedOptions options);
  ~ComposedHook() override;

  /// Takes every layer's operands from the network's ideal run over `images` and composes its tables.
  void calibrate(Network& network, const Tensor& images);
  /// A hook for one chip, as bit-true evaluation draws it, with what was calibrated here.
  std::unique_ptr<ComposedHook> for_chip(std::uint64_t chip) const;
  /// Tables of a layer by slice.
  const std::vector<ComposedTable>& composed(std::size_t layer) const;

  void begin_batch(Network& network, const BatchContext& context) override;
  void product(const MatrixLayer& layer, std::size_t shard, const BatchContext& context, const Tensor& codes,
               Tensor& product, Tensor* slope) override;

 private:
  void draw_chip(const MatrixLayer& layer, ComposedLayer& state, std::size_t number, std::uint64_t chip);
  std::uint64_t chip_of(const BatchContext& context, std::size_t number) const;

  const errormodel::ErrorTable& table_;
  ComposedOptions options_;
  std::vector<ComposedLayer> layers_;
  std::unique_ptr<ProductWorkspaces> workspaces_;
};

}  // namespace errata::training
