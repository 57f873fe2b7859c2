#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace errata::errormodel {

/// The two axes that every surface of a table shares: uniform grids over y (MAC units) and the second axis a.
struct SurfaceAxes {
  double y_low = -1, y_high = 1, a_low = 0, a_high = 1;
  std::size_t y_points = 2, a_points = 2;

  std::size_t size() const { return y_points * a_points; }
  double y_at(std::size_t i) const { return y_low + (y_high - y_low) * i / (y_points - 1); }
  double a_at(std::size_t j) const { return a_low + (a_high - a_low) * j / (a_points - 1); }
};

/// Four grid nodes around a point and their bilinear weights; points outside are moved to the edge.
struct SurfaceCell {
  std::size_t node[4];
  double weight[4];
  bool inside = true;
};
SurfaceCell locate(const SurfaceAxes& axes, double y, double a);

/// Bilinear value of node values [y_points][a_points].
double surface_value(const SurfaceAxes& axes, std::span<const double> nodes, double y, double a);

/// A smooth surface fitted to scattered values.
struct SurfaceFit {
  std::vector<double> nodes;  ///< [y_points][a_points]
  std::vector<double> count;  ///< values that support each node (sum of weights)
  std::vector<double> error;  ///< jackknife standard error of each node
  double smoothing = 0.0;     ///< penalty chosen by cross-validation over groups of chips
};

/// Scattered values to fit; `group` (the chip) is the independent unit for standard errors.
struct SurfaceSamples {
  std::vector<double> y, a, value;
  std::vector<std::uint32_t> group;
};

/// Penalised bilinear spline: least squares plus a penalty on second differences along both axes, the penalty chosen
/// by cross-validation over groups of chips. Nodes without data continue the surface smoothly (methods.md §3.3: sparse
/// bins shrink to the smooth surface, never to zero); their count says so.
SurfaceFit fit_surface(const SurfaceAxes& axes, const SurfaceSamples& samples);

}  // namespace errata::errormodel
