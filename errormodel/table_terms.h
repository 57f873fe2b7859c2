#pragma once

#include <string>
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

/// A covariate of the static terms that was offered to the estimator (methods.md §2).
struct Covariate {
  std::string name;        ///< "1", "y", "a", "P", …
  bool kept = true;        ///< a dropped one has a row of zeros in the basis
  double inflation = 1.0;  ///< variance inflation factor against those before it
  double share = 0.0;      ///< what it buys: share of the static variance over the design that is its own
};

}  // namespace errata::errormodel
