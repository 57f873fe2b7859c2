#include "errormodel/estimation/surface.h"

#include <Eigen/Dense>
#include <Eigen/Sparse>
#include <algorithm>
#include <cmath>
#include <cstdint>

namespace errata::errormodel {

SurfaceCell locate(const SurfaceAxes& x, double y, double a) {
  const double ty = (y - x.y_low) / (x.y_high - x.y_low) * (x.y_points - 1);
  const double ta = (a - x.a_low) / (x.a_high - x.a_low) * (x.a_points - 1);
  const double cy = std::clamp(ty, 0.0, static_cast<double>(x.y_points - 1));
  const double ca = std::clamp(ta, 0.0, static_cast<double>(x.a_points - 1));
  const std::size_t i = std::min(static_cast<std::size_t>(cy), x.y_points - 2);
  const std::size_t j = std::min(static_cast<std::size_t>(ca), x.a_points - 2);
  const double fy = cy - i, fa = ca - j;
  const std::size_t corner = i * x.a_points + j;
  return {{corner, corner + 1, corner + x.a_points, corner + x.a_points + 1},
          {(1 - fy) * (1 - fa), (1 - fy) * fa, fy * (1 - fa), fy * fa},
          cy == ty && ca == ta};
}

double surface_value(const SurfaceAxes& axes, std::span<const double> nodes, double y, double a) {
  const SurfaceCell c = locate(axes, y, a);
  return c.weight[0] * nodes[c.node[0]] + c.weight[1] * nodes[c.node[1]] + c.weight[2] * nodes[c.node[2]] +
         c.weight[3] * nodes[c.node[3]];
}

namespace {

using Sparse = Eigen::SparseMatrix<double>;

/// Sum of squared second differences along both axes, as a quadratic form.
Sparse roughness(const SurfaceAxes& x) {
  std::vector<Eigen::Triplet<double>> entries;
  const auto add = [&](std::size_t a, std::size_t b, std::size_t c) {
    const std::size_t node[3] = {a, b, c};
    const double w[3] = {1, -2, 1};
    for (int p = 0; p < 3; ++p)
      for (int q = 0; q < 3; ++q)
        entries.emplace_back(static_cast<int>(node[p]), static_cast<int>(node[q]), w[p] * w[q]);
  };
  for (std::size_t i = 0; i < x.y_points; ++i)
    for (std::size_t j = 0; j < x.a_points; ++j) {
      const std::size_t n = i * x.a_points + j;
      if (i > 0 && i + 1 < x.y_points) add(n - x.a_points, n, n + x.a_points);
      if (j > 0 && j + 1 < x.a_points) add(n - 1, n, n + 1);
    }
  Sparse m(static_cast<int>(x.size()), static_cast<int>(x.size()));
  m.setFromTriplets(entries.begin(), entries.end());
  return m;
}

/// Normal equations of one group of samples.
struct Normal {
  std::vector<Eigen::Triplet<double>> entries;
  Eigen::VectorXd right;
};

}  // namespace

SurfaceFit fit_surface(const SurfaceAxes& axes, const SurfaceSamples& s) {
  constexpr std::size_t kGroups = 10;  // jackknife groups of chips
  const auto n = static_cast<Eigen::Index>(axes.size());
  std::vector<Sparse> gram(kGroups, Sparse(n, n));
  std::vector<Eigen::VectorXd> right(kGroups, Eigen::VectorXd::Zero(n));
  std::vector<std::vector<Eigen::Triplet<double>>> entries(kGroups);
  SurfaceFit fit;
  fit.count.assign(axes.size(), 0.0);
  std::vector<double> squares(kGroups, 0.0);
  for (std::size_t k = 0; k < s.value.size(); ++k) {
    const SurfaceCell c = locate(axes, s.y[k], s.a[k]);
    const std::size_t g = s.group[k] % kGroups;
    for (int p = 0; p < 4; ++p) {
      fit.count[c.node[p]] += c.weight[p];
      right[g](static_cast<Eigen::Index>(c.node[p])) += c.weight[p] * s.value[k];
      for (int q = 0; q < 4; ++q)
        entries[g].emplace_back(static_cast<int>(c.node[p]), static_cast<int>(c.node[q]), c.weight[p] * c.weight[q]);
    }
    squares[g] += s.value[k] * s.value[k];
  }
  Sparse all(n, n);
  Eigen::VectorXd all_right = Eigen::VectorXd::Zero(n);
  for (std::size_t g = 0; g < kGroups; ++g) {
    gram[g].setFromTriplets(entries[g].begin(), entries[g].end());
    all += gram[g];
    all_right += right[g];
  }
  const Sparse rough = roughness(axes);
  const double samples = static_cast<double>(s.value.size());
  Sparse ridge(n, n);
  ridge.setIdentity();
  ridge *= 1e-9 * samples / static_cast<double>(n);
  const auto solve = [&](const Sparse& m, const Eigen::VectorXd& r, double penalty) {
    const Eigen::SimplicialLDLT<Sparse> solver(m + penalty * rough + ridge);
    return Eigen::VectorXd(solver.solve(r));
  };
  // Cross-validation over groups of chips. (Generalised cross-validation takes the samples for independent, but the
  // errors of a column go together: it would smooth too little and the surface would follow single columns.)
  double best = 1e300;
  for (int step = 0; step < 12; ++step) {
    const double penalty = samples / static_cast<double>(n) * std::pow(10.0, -3.0 + 0.5 * step);
    double score = 0.0;
    for (std::size_t g = 0; g < kGroups; ++g) {
      const Eigen::VectorXd nodes = solve(all - gram[g], all_right - right[g], penalty);
      score += squares[g] - 2 * nodes.dot(right[g]) + nodes.dot(gram[g] * nodes);
    }
    if (score >= best * (1 - 1e-9)) continue;
    best = score;
    fit.smoothing = penalty;
  }
  const Eigen::VectorXd chosen = solve(all, all_right, fit.smoothing);
  fit.nodes.assign(chosen.data(), chosen.data() + n);
  Eigen::VectorXd sum = Eigen::VectorXd::Zero(n), sum2 = Eigen::VectorXd::Zero(n);
  for (std::size_t g = 0; g < kGroups; ++g) {
    const Eigen::VectorXd nodes = solve(all - gram[g], all_right - right[g], fit.smoothing);
    sum += nodes;
    sum2 += nodes.cwiseAbs2();
  }
  const double k = static_cast<double>(kGroups);
  const Eigen::VectorXd spread = ((sum2 - sum.cwiseAbs2() / k) * ((k - 1) / k)).cwiseMax(0.0).cwiseSqrt();
  fit.error.assign(spread.data(), spread.data() + n);
  return fit;
}

}  // namespace errata::errormodel
