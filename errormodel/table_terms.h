#pragma once

#include <vector>

namespace errata::errormodel {

/// Loss of a cell's conductance with time (methods.md §3.4): g(t) = g(t0)·(t/t0)^(−ν), ν normal, one draw per cell.
struct DriftTerms {
  double reference_seconds = 1.0;      ///< t0: time after programming at which the table's levels hold
  std::vector<double> exponent;        ///< mean ν of each stored level; empty: no drift
  std::vector<double> exponent_sigma;  ///< spread of ν from cell to cell, by stored level

  bool present() const { return !exponent.empty(); }
};

/// Cells that hold one level whatever is stored (methods.md §3.4); probabilities per cell.
struct FaultRates {
  double lowest = 0.0, highest = 0.0;

  bool present() const { return lowest > 0.0 || highest > 0.0; }
};

}  // namespace errata::errormodel
