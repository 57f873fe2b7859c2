#pragma once

#include <memory>
#include <span>
#include <vector>

#include "behavioral/crossbar/crossbar_network.h"

namespace errata::behavioral {

/// The nodal equations of one array with given cell conductances, factored. Immutable; thread safe.
class CrossbarFactor {
 public:
  virtual ~CrossbarFactor() = default;

  /// Conductance between any two ports with all inner nodes eliminated, [ports][ports], S; symmetric, diagonal 0.
  virtual std::span<const double> port_siemens() const = 0;

  /// Voltages of all nodes [count][nodes] for given voltages of the ports [count][ports] and currents injected into
  /// the inner nodes [count][interior] (empty: none), in volt and ampere.
  virtual std::vector<double> solve(std::span<const double> port_volts, std::span<const double> injected) const = 0;
};

/// What depends on the topology only, done once.
class CrossbarAnalysis {
 public:
  virtual ~CrossbarAnalysis() = default;

  /// Thread safe. `cell_siemens` is [rows][columns], each 0 or positive.
  virtual std::unique_ptr<const CrossbarFactor> factor(std::span<const double> cell_siemens) const = 0;
};

/// The network must outlive the analysis, the analysis its factors.
std::unique_ptr<const CrossbarAnalysis> analyze_by_dissection(const CrossbarNetwork& network);

/// Only in builds with ERRATA_WITH_CHOLMOD; elsewhere null.
std::unique_ptr<const CrossbarAnalysis> analyze_by_cholmod(const CrossbarNetwork& network);

}  // namespace errata::behavioral
