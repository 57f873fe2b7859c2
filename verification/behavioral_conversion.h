#pragma once

#include "behavioral/model.h"
#include "training/hardware/conversion_model.h"

namespace errata::verification {

/// The behavioural model behind the trainer's interface: every conversion solved on the chip's own bit lines, with its
/// physical mismatch and read noise. The bit lines of conversion i are lines
/// 2i and 2i + 1, or line i where conversions are single-ended.
class BehavioralConversion final : public training::ConversionModel {
 public:
  /// The model must outlive this. Rows that a tile does not use hold level 0 and are never active.
  explicit BehavioralConversion(const behavioral::BehavioralModel& model) : model_(model) {}
  std::unique_ptr<training::PreparedTile> prepare(const training::Tile& tile, std::uint64_t seed,
                                                  std::uint64_t chip) const override;

 private:
  const behavioral::BehavioralModel& model_;
};

}  // namespace errata::verification
