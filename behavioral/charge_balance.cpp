// Built with contraction of a·b + c (behavioral/CMakeLists.txt), like line_shooting.cpp.
#include "behavioral/charge_balance.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

namespace errata::behavioral {

std::vector<double> spline_derivatives(std::span<const double> x) {
  const auto n = static_cast<Eigen::Index>(x.size());
  Eigen::MatrixXd a = Eigen::MatrixXd::Zero(n, n), b = Eigen::MatrixXd::Zero(n, n);
  const auto h = [&](Eigen::Index i) { return x[static_cast<std::size_t>(i) + 1] - x[static_cast<std::size_t>(i)]; };
  for (Eigen::Index i = 1; i + 1 < n; ++i) {  // second derivatives agree at the inner nodes
    const double l = h(i - 1), r = h(i);
    a(i, i - 1) = r;
    a(i, i) = 2 * (l + r);
    a(i, i + 1) = l;
    b(i, i - 1) = -3 * r / l;
    b(i, i) = 3 * (r / l - l / r);
    b(i, i + 1) = 3 * l / r;
  }
  // Third derivatives agree at the second node from each end:
  // (d0 + d1 − 2 s0) / h0² = (d1 + d2 − 2 s1) / h1², s the secant slopes.
  const auto not_a_knot = [&](Eigen::Index row, Eigen::Index i) {
    const double l = h(i), r = h(i + 1), wl = 1 / (l * l), wr = 1 / (r * r);
    a(row, i) = wl;
    a(row, i + 1) = wl - wr;
    a(row, i + 2) = -wr;
    b(row, i) = -2 * wl / l;
    b(row, i + 1) = 2 * wl / l + 2 * wr / r;
    b(row, i + 2) = -2 * wr / r;
  };
  not_a_knot(0, 0);
  not_a_knot(n - 1, n - 3);
  const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> m = a.fullPivLu().solve(b);
  return {m.data(), m.data() + m.size()};
}

/// One Hermite cubic of the spline, or its tangent outside the nodes.
struct ChargeBalance::Piece {
  double x0, h, y0, y1, d0, d1;
  double value(double x) const {
    if (x < x0) return y0 + d0 * (x - x0);
    if (x > x0 + h) return y1 + d1 * (x - x0 - h);
    const double t = (x - x0) / h;
    return y0 + t * (h * d0 + t * ((3 * (y1 - y0) - h * (2 * d0 + d1)) + t * (2 * (y0 - y1) + h * (d0 + d1))));
  }
  double slope(double x) const {
    if (x < x0) return d0;
    if (x > x0 + h) return d1;
    const double t = (x - x0) / h;
    return d0 + t * (2 * (3 * (y1 - y0) / h - (2 * d0 + d1)) + t * 3 * (2 * (y0 - y1) / h + (d0 + d1)));
  }
};

ChargeBalance::ChargeBalance(std::vector<double> nodes, double farads, double released_volts, double injected_coulombs)
    : nodes_(std::move(nodes)),
      derivative_(spline_derivatives(nodes_)),
      nodes_single_(nodes_.begin(), nodes_.end()),
      derivative_single_(derivative_.begin(), derivative_.end()),
      farads_(farads),
      released_(released_volts),
      injected_(injected_coulombs) {}

std::size_t ChargeBalance::interval(double volts) const {
  const auto at = static_cast<std::size_t>(std::ranges::upper_bound(nodes_, volts) - nodes_.begin());
  return std::clamp<std::size_t>(at, 1, nodes_.size() - 1) - 1;
}

double ChargeBalance::node_slope(std::span<const double> values, std::size_t node) const {
  const double* row = derivative_.data() + node * nodes_.size();
  double sum = 0.0;
  for (std::size_t k = 0; k < nodes_.size(); ++k) sum += row[k] * values[k];
  return sum;
}

ChargeBalance::Piece ChargeBalance::piece(std::span<const double> values, std::size_t k) const {
  return {nodes_[k],     nodes_[k + 1] - nodes_[k], values[k],
          values[k + 1], node_slope(values, k),     node_slope(values, k + 1)};
}

double ChargeBalance::value(std::span<const double> drawn, double volts) const {
  return piece(drawn, interval(volts)).value(volts);
}

double ChargeBalance::slope(std::span<const double> drawn, double volts) const {
  return piece(drawn, interval(volts)).slope(volts);
}

/// Newton, kept inside a bracket.
double ChargeBalance::solve(std::span<const double> drawn) const {
  const auto missing = [&](std::size_t f) { return farads_ * (nodes_[f] - released_) - injected_ + drawn[f]; };
  std::size_t k = 0;  // missing() grows with the voltage
  while (k + 2 < nodes_.size() && missing(k + 1) < 0.0) ++k;
  const Piece p = piece(drawn, k);
  double low = nodes_[k], high = nodes_[k + 1];
  const double at_low = missing(k), at_high = missing(k + 1);
  if (at_low >= 0.0) return low - at_low / (farads_ + p.d0);  // outside the nodes everything is straight
  if (at_high <= 0.0) return high - at_high / (farads_ + p.d1);
  double x = low - at_low * (high - low) / (at_high - at_low);
  constexpr int kMostSteps = 40;
  for (int step = 0; step < kMostSteps; ++step) {
    const double left = farads_ * (x - released_) - injected_ + p.value(x);
    (left > 0.0 ? high : low) = x;
    double next = x - left / (farads_ + p.slope(x));
    if (!(next > low && next < high)) next = 0.5 * (low + high);
    const double change = std::fabs(next - x);
    x = next;
    constexpr double kSmallStepVolts = 1e-9;
    if (change < kSmallStepVolts) break;
  }
  return x;
}

namespace {

constexpr std::size_t kLanes = PackedInputs::kLanes;

struct Spline {
  const float *nodes, *derivative;
  std::size_t count;
  float farads, released, injected;  ///< charge in the unit of `drawn`
};

__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"))) void balance_lanes(
    const Spline& s, const float* drawn, float (&volts)[kLanes]) {
  // The piece of each lane: the last one whose lower end still misses charge.
  float x0[kLanes], h[kLanes], y0[kLanes], y1[kLanes], d0[kLanes], d1[kLanes];
  float before[kLanes], slope[kLanes];
  for (std::size_t k = 0; k + 1 < s.count; ++k) {
    float next[kLanes];
    for (std::size_t node = k == 0 ? 0 : k + 1; node <= k + 1; ++node) {
      float* to = node == 0 ? slope : next;
      for (std::size_t l = 0; l < kLanes; ++l) to[l] = 0.0f;
      for (std::size_t m = 0; m < s.count; ++m) {
        const float w = s.derivative[node * s.count + m];
        const float* d = drawn + m * kLanes;
        for (std::size_t l = 0; l < kLanes; ++l) to[l] += w * d[l];
      }
    }
    const float a = s.nodes[k], width = s.nodes[k + 1] - a;
    for (std::size_t l = 0; l < kLanes; ++l) {
      const float low = s.farads * (a - s.released) - s.injected + drawn[k * kLanes + l];
      const bool here = k == 0 || low < 0.0f;
      x0[l] = here ? a : x0[l];
      h[l] = here ? width : h[l];
      y0[l] = here ? drawn[k * kLanes + l] : y0[l];
      y1[l] = here ? drawn[(k + 1) * kLanes + l] : y1[l];
      d0[l] = here ? slope[l] : d0[l];
      d1[l] = here ? next[l] : d1[l];
      before[l] = here ? low : before[l];
      slope[l] = next[l];
    }
  }
  for (std::size_t l = 0; l < kLanes; ++l) {
    const float after = s.farads * (x0[l] + h[l] - s.released) - s.injected + y1[l];
    const float rise = after - before[l];
    // In units of the piece; outside it the tangent of its nearer end goes on.
    float t = rise > 0.0f ? -before[l] / rise : 0.0f;
    const float c2 = 3 * (y1[l] - y0[l]) - h[l] * (2 * d0[l] + d1[l]),
                c3 = 2 * (y0[l] - y1[l]) + h[l] * (d0[l] + d1[l]);
    const float line = s.farads * h[l], c1 = h[l] * d0[l];
    for (int step = 0; step < 4; ++step) {
      const float value = before[l] + t * (line + c1 + t * (c2 + t * c3));
      const float steep = line + c1 + t * (2 * c2 + t * 3 * c3);
      t = std::min(std::max(t - value / steep, 0.0f), 1.0f);
    }
    const float below = -before[l] / (s.farads + d0[l]), beyond = h[l] - after / (s.farads + d1[l]);
    const float inside = t * h[l];
    volts[l] = x0[l] + (before[l] >= 0.0f ? below : after <= 0.0f ? beyond : inside);
  }
}

}  // namespace

void ChargeBalance::solve(const float* drawn, double unit_coulombs, float (&volts)[PackedInputs::kLanes]) const {
  const Spline s{nodes_single_.data(),
                 derivative_single_.data(),
                 nodes_.size(),
                 static_cast<float>(farads_ / unit_coulombs),
                 static_cast<float>(released_),
                 static_cast<float>(injected_ / unit_coulombs)};
  balance_lanes(s, drawn, volts);
}

}  // namespace errata::behavioral
