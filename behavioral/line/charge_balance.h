#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "behavioral/line/packed_inputs.h"

namespace errata::behavioral {

/// Derivatives at the nodes of the not-a-knot cubic spline through values at `x`: D = M·values, M [n][n] row-major.
/// n ≥ 4, x ascending.
std::vector<double> spline_derivatives(std::span<const double> x);

/// Where a line of capacitance C ends on which cells draw the charge D(V):
///
///     C (V − V_released) − q_injected + D(V) = 0
///
/// D is a cubic spline through its values at the nodes, straight outside them (docs/design/decisions/0005).
class ChargeBalance {
 public:
  static constexpr std::size_t kMostNodes = 32;

  ChargeBalance(std::vector<double> nodes, double farads, double released_volts, double injected_coulombs);

  double farads() const { return farads_; }
  double released_volts() const { return released_; }
  double injected_coulombs() const { return injected_; }
  void inject(double coulombs) { injected_ = coulombs; }

  /// End voltage for D at the nodes; to a nanovolt.
  double solve(std::span<const double> drawn) const;
  /// The same by one step from a voltage within microvolts of it.
  double refine(std::span<const double> drawn, double volts) const;
  /// Value and slope of a spline of charges at a voltage.
  double value(std::span<const double> drawn, double volts) const;
  double slope(std::span<const double> drawn, double volts) const;

  /// Value and slope at a voltage as sums over the charges at the nodes, for many splines there.
  struct Weights {
    std::vector<double> value, slope;
  };
  Weights weights(double volts) const;

  /// Many lines' ends at once, in fp32: `drawn` is [nodes][lanes] in units of `unit_coulombs`, lanes a multiple of 8,
  /// of which the first `filled` are needed. Within a microvolt of solve() (tests/unit/behavioral).
  void solve(std::span<const float> drawn, double unit_coulombs, std::size_t lanes, std::size_t filled,
             std::span<float> volts) const;

 private:
  struct Piece;
  friend class ChargeCurve;
  std::size_t interval(double volts) const;
  double node_slope(std::span<const double> values, std::size_t node) const;
  Piece piece(std::span<const double> values, std::size_t k) const;

  std::vector<double> nodes_, derivative_;
  std::vector<float> nodes_single_, derivative_single_;
  double farads_, released_, injected_;
};

/// One charge over the voltage, written out for values at many voltages.
class ChargeCurve {
 public:
  ChargeCurve() = default;
  /// Through charges at the balance's nodes.
  ChargeCurve(const ChargeBalance& balance, std::span<const double> drawn);
  /// Values at voltages.
  void evaluate(std::span<const double> volts, std::span<double> coulombs) const;

 private:
  std::vector<double> pieces_;  ///< [below the nodes, intervals, beyond][where it begins, powers 0 … 3 from `origin`]
  std::vector<double> origin_;
};

}  // namespace errata::behavioral
