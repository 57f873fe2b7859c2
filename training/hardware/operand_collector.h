#pragma once

#include <span>
#include <vector>

#include "training/hardware/composed_chip.h"
#include "training/hardware/composed_table.h"
#include "training/product_hook.h"

namespace errata::training {

/// Gathers operands of every layer from an ideal run, with static errors of chips drawn for them; the first shard
/// speaks for all. For compose() (methods.md §4.3: operand statistics of the layer).
class OperandCollector final : public ProductHook {
 public:
  /// The table must outlive the collector.
  OperandCollector(const errormodel::ErrorTable& table, const HardwareOptions& hardware, std::uint64_t seed);

  /// Operands by layer and slice.
  const std::vector<std::vector<std::vector<PlaneOperand>>>& operands() const { return operands_; }

  void begin_batch(Network& network, const BatchContext& context) override;
  void product(const MatrixLayer& layer, std::size_t shard, const BatchContext& context, const Tensor& codes,
               Tensor& product, Tensor* slope) override;

 private:
  PlaneOperand operand_of(const HardwareOptions& hardware, const Tile& tile, std::span<const float> weight,
                          std::size_t conversion, std::span<const float> patch) const;

  const errormodel::ErrorTable& table_;
  HardwareOptions hardware_;
  std::uint64_t seed_;
  std::vector<std::vector<std::vector<PlaneOperand>>> operands_;
};

}  // namespace errata::training
