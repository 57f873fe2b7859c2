#pragma once

#include <memory>
#include <vector>

#include "training/hardware/conversion_model.h"
#include "training/product_hook.h"

namespace errata::training {

/// Bit-true product (methods.md §4.3): every conversion of every input digit, weight slice and tile of one chip, each
/// through the conversion model and the ADC, then exact shift-and-add. For evaluation; slopes are 1.
class BitTrueHook final : public ProductHook {
 public:
  /// The model must outlive the hook.
  /// `pass` numbers repeated runs of one chip: the same static errors, fresh read noise.
  BitTrueHook(const ConversionModel& model, HardwareOptions options, std::uint64_t seed, std::uint64_t chip,
              std::uint64_t pass = 0);

  void begin_batch(Network& network, const BatchContext& context) override;
  void product(const MatrixLayer& layer, std::size_t shard, const BatchContext& context, const Tensor& codes,
               Tensor& product, Tensor* slope) override;

 private:
  struct MappedTile {
    Tile tile;
    std::unique_ptr<PreparedTile> prepared;
    std::vector<std::vector<double>> transitions;  ///< of each conversion's ADC; empty: ideal
  };
  /// The slices of the same rows: in one, or each for itself.
  struct MappedRows {
    std::vector<Tile> slices;
    std::unique_ptr<PreparedRows> joined;
    std::vector<MappedTile> tiles;  ///< where they are not joined
  };
  struct Shard;
  void prepare(MappedRows& rows) const;
  void add_joined(const MappedRows& rows, Shard& shard, Tensor& product) const;
  void add_tiles(const MappedRows& rows, Shard& shard, Tensor& product) const;
  static void convert(const AdcOptions& adc, const MappedTile& mapped, std::span<float> value);

  const ConversionModel& model_;
  HardwareOptions options_;
  std::uint64_t seed_, chip_, pass_;
  std::vector<std::vector<MappedRows>> rows_;  ///< by layer
  std::vector<HardwareOptions> hardware_;      ///< by layer
};

}  // namespace errata::training
