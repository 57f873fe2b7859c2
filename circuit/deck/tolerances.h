#pragma once

#include <fmt/format.h>

#include <string>

namespace errata::circuit {

/// ngspice's abstol. A cell alone is solved to a femtoampere, for its leakage. In a column the rounding of node
/// voltages over the smallest wire segments is a current itself: below a picoampere columns with 10 mOhm segments never
/// converge.
inline constexpr double kCellTolerance = 1e-15, kColumnTolerance = 1e-12;

/// Measured: abstol below 1e-13 aborts some charge-redistribution columns ("Timestep too small" at the edges of a
/// control pulse) without moving a result by a microvolt.
inline std::string transient_tolerances(double factor) {
  return fmt::format("chgtol={:.3g} trtol=1 reltol={:.3g} abstol=1e-13 vntol={:.3g}", 1e-17 * factor, 1e-5 * factor,
                     1e-8 * factor);
}

inline std::string static_tolerances(double amperes, double factor) {
  return fmt::format("reltol={:.3g} abstol={:.3g} vntol={:.3g}", 1e-6 * factor, amperes, 1e-9 * factor);
}

}  // namespace errata::circuit
