#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "errormodel/error_table.h"
#include "training/hardware/hardware_mapping.h"
#include "training/hardware/row_kernel.h"

namespace errata::training {

/// The plan of one group of rows, for the static columns that draw_static_column() gives this chip.
///
/// Nothing where 16 bits do not do: pairs of lines (a of their own for each conversion), ADCs with static errors or
/// noise of their own, read noise that is absent (its products are exact) or has a quantile table, fewer than 48 ticks
/// to an ADC step, more than 64 points of the surfaces inside the reach of the columns, codes whose sum over the digits
/// outgrows 16 bits.
std::optional<RowPlan> make_row_plan(const errormodel::ErrorTable& table, std::span<const Tile> slices,
                                     const HardwareOptions& hardware, std::uint64_t seed, std::uint64_t chip);

/// Places of the sums and activities of input codes [positions][rows], as RowReads has them.
struct PackedReads {
  std::vector<std::uint16_t> places, activity;
};
void pack_reads(const RowPlan& plan, std::span<const std::uint8_t> codes, std::size_t rows, PackedReads& packed);

}  // namespace errata::training
