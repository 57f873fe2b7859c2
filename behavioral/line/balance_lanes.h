#pragma once

#include <cstddef>
#include <span>

namespace errata::behavioral {

/// What ChargeBalance::solve knows of a line, in fp32; charges in the unit of `drawn`.
struct BalanceNodes {
  const float* nodes = nullptr;       ///< [count] V, ascending
  const float* derivative = nullptr;  ///< [count][count] derivatives of the spline from its values
  const float* base = nullptr;        ///< [count] charge that the line itself misses when it ends at the node
  std::size_t count = 0;
  float farads = 0;
};

/// End voltages [lanes] of lines that draw `drawn` [count][lanes]; lanes is a multiple of 8 and at most 64, and those
/// from `filled` on are of no use.
void balance_lanes(const BalanceNodes& line, std::span<const float> drawn, std::size_t lanes, std::size_t filled,
                   std::span<float> volts);

}  // namespace errata::behavioral
