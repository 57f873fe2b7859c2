#include "errormodel/estimation/surface.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/random_stream.h"

namespace errata::errormodel {
namespace {

SurfaceAxes axes() { return {-10, 10, 0, 20, 21, 11}; }

SurfaceSamples samples(double noise, double (*truth)(double, double), double a_limit) {
  RandomStream stream(1, StreamPurpose::kTest);
  SurfaceSamples s;
  for (int i = 0; i < 6000; ++i) {
    const double y = -10 + 20 * stream.uniform(), a = a_limit * stream.uniform();
    s.y.push_back(y);
    s.a.push_back(a);
    s.value.push_back(truth(y, a) + noise * stream.normal());
    s.group.push_back(static_cast<std::uint32_t>(i / 100));
  }
  return s;
}

double plane(double y, double a) { return 1 + 0.2 * y - 0.1 * a; }
double bowl(double y, double a) { return 0.01 * y * y + 0.005 * y * a; }

TEST(Surface, PlaneIsExactWithoutNoise) {
  // A plane has no second differences, so no penalty biases it; what is left is the ridge of 1e-9.
  const SurfaceFit fit = fit_surface(axes(), samples(0.0, plane, 20));
  for (double y = -9; y <= 9; y += 1.7)
    for (double a = 1; a < 20; a += 2.3) EXPECT_NEAR(surface_value(axes(), fit.nodes, y, a), plane(y, a), 1e-5);
}

TEST(Surface, SmoothFunctionWithinItsOwnError) {
  // 6000 samples of σ 0.5 on 231 nodes: about 26 a node, 0.1 without smoothing; 0.25 leaves room for the coarse grid.
  const SurfaceFit fit = fit_surface(axes(), samples(0.5, bowl, 20));
  for (double y = -9; y <= 9; y += 1.7)
    for (double a = 1; a < 20; a += 2.3) EXPECT_NEAR(surface_value(axes(), fit.nodes, y, a), bowl(y, a), 0.25);
}

TEST(Surface, NodesWithoutDataContinueSmoothlyAndSaySo) {
  const SurfaceFit fit = fit_surface(axes(), samples(0.01, plane, 10));
  const std::size_t corner = axes().size() - 1;  // y = 10, a = 20: never sampled
  EXPECT_EQ(fit.count[corner], 0.0);
  EXPECT_NEAR(fit.nodes[corner], plane(10, 20), 0.3);
  EXPECT_NE(fit.nodes[corner], 0.0);  // never a silent zero
}

TEST(Surface, PointsOutsideAreHeldAtTheEdge) {
  const SurfaceCell c = locate(axes(), 99, 5);
  EXPECT_FALSE(c.inside);
  EXPECT_DOUBLE_EQ(c.weight[0] + c.weight[1] + c.weight[2] + c.weight[3], 1.0);
  EXPECT_EQ(c.node[2] / axes().a_points, axes().y_points - 1);
}

}  // namespace
}  // namespace errata::errormodel
