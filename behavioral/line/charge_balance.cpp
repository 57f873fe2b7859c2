// Built with contraction of a·b + c (behavioral/CMakeLists.txt), like line_shooting.cpp.
#include "behavioral/line/charge_balance.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "behavioral/line/balance_lanes.h"

namespace errata::behavioral {

std::vector<double> spline_derivatives(std::span<const double> x) {
  const std::size_t n = x.size();
  const auto h = [&](std::size_t i) { return x[i + 1] - x[i]; };
  // Tridiagonal: second derivatives agree at the inner nodes. At the ends third derivatives agree at the second node;
  // with the next equation this has two unknowns as well (de Boor, A Practical Guide to Splines, chapter IV).
  std::vector<double> below(n, 0.0), diagonal(n), above(n, 0.0), d(n * n, 0.0);
  for (std::size_t i = 1; i + 1 < n; ++i) {
    const double l = h(i - 1), r = h(i);
    below[i] = r;
    diagonal[i] = 2 * (l + r);
    above[i] = l;
    d[i * n + i - 1] = -3 * r / l;
    d[i * n + i] = 3 * (r / l - l / r);
    d[i * n + i + 1] = 3 * l / r;
  }
  const auto end = [&](std::size_t i, double near, double next, std::size_t second, std::size_t third) {
    const double sum = near + next, first = (near + 2 * sum) * next / sum, other = near * near / sum;
    diagonal[i] = next;
    const double sign = second > i ? 1.0 : -1.0;  // secant slopes: (second − i) / near and (third − second) / next
    d[i * n + i] = -sign * first / near;
    d[i * n + second] = sign * (first / near - other / next);
    d[i * n + third] = sign * other / next;
    (second > i ? above : below)[i] = sum;
  };
  end(0, h(0), h(1), 1, 2);
  end(n - 1, h(n - 2), h(n - 3), n - 2, n - 3);
  for (std::size_t i = 1; i < n; ++i) {
    const double factor = below[i] / diagonal[i - 1];
    diagonal[i] -= factor * above[i - 1];
    for (std::size_t k = 0; k < n; ++k) d[i * n + k] -= factor * d[(i - 1) * n + k];
  }
  for (std::size_t i = n; i-- > 0;) {
    const double inverse = 1 / diagonal[i];
    for (std::size_t k = 0; k < n; ++k)
      d[i * n + k] = (d[i * n + k] - (i + 1 < n ? above[i] * d[(i + 1) * n + k] : 0.0)) * inverse;
  }
  return d;
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

double ChargeBalance::refine(std::span<const double> drawn, double volts) const {
  const Piece p = piece(drawn, interval(volts));
  const double left = farads_ * (volts - released_) - injected_ + p.value(volts);
  return volts - left / (farads_ + p.slope(volts));
}

ChargeBalance::Weights ChargeBalance::weights(double volts) const {
  const std::size_t k = interval(volts), n = nodes_.size();
  const double x = nodes_[k], h = nodes_[k + 1] - x;
  const Piece low{x, h, 1, 0, 0, 0}, high{x, h, 0, 1, 0, 0}, low_slope{x, h, 0, 0, 1, 0}, high_slope{x, h, 0, 0, 0, 1};
  Weights w{std::vector<double>(n), std::vector<double>(n)};
  for (std::size_t m = 0; m < n; ++m) {
    const double d0 = derivative_[k * n + m], d1 = derivative_[(k + 1) * n + m];
    w.value[m] = d0 * low_slope.value(volts) + d1 * high_slope.value(volts);
    w.slope[m] = d0 * low_slope.slope(volts) + d1 * high_slope.slope(volts);
  }
  w.value[k] += low.value(volts);
  w.value[k + 1] += high.value(volts);
  w.slope[k] += low.slope(volts);
  w.slope[k + 1] += high.slope(volts);
  return w;
}

ChargeCurve::ChargeCurve(const ChargeBalance& balance, std::span<const double> drawn) {
  const auto& nodes = balance.nodes_;
  const std::size_t last = nodes.size() - 1;
  std::vector<double> slope(nodes.size());
  for (std::size_t k = 0; k <= last; ++k) slope[k] = balance.node_slope(drawn, k);
  const auto add = [&](double begins, double origin, double y, double c1, double c2, double c3) {
    pieces_.insert(pieces_.end(), {begins, y, c1, c2, c3});
    origin_.push_back(origin);
  };
  add(-std::numeric_limits<double>::infinity(), nodes[0], drawn[0], slope[0], 0, 0);
  for (std::size_t k = 0; k < last; ++k) {
    const double h = nodes[k + 1] - nodes[k], secant = (drawn[k + 1] - drawn[k]) / h;
    add(nodes[k], nodes[k], drawn[k], slope[k], (3 * secant - 2 * slope[k] - slope[k + 1]) / h,
        (slope[k] + slope[k + 1] - 2 * secant) / (h * h));
  }
  add(nodes[last], nodes[last], drawn[last], slope[last], 0, 0);
}

namespace {

__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"))) void evaluate_pieces(
    const double* pieces, const double* origins, std::size_t count, const double* volts, double* coulombs) {
  constexpr std::size_t kTogether = 8;
  double origin[kTogether], c[4][kTogether];
  for (std::size_t i = 0; i < count; ++i) {
    const double begins = pieces[5 * i];
    for (std::size_t l = 0; l < kTogether; ++l) {
      const bool here = i == 0 || volts[l] >= begins;
      origin[l] = here ? origins[i] : origin[l];
      for (std::size_t p = 0; p < 4; ++p) c[p][l] = here ? pieces[5 * i + 1 + p] : c[p][l];
    }
  }
  for (std::size_t l = 0; l < kTogether; ++l) {
    const double t = volts[l] - origin[l];
    coulombs[l] = c[0][l] + t * (c[1][l] + t * (c[2][l] + t * c[3][l]));
  }
}

}  // namespace

void ChargeCurve::evaluate(std::span<const double> volts, std::span<double> coulombs) const {
  constexpr std::size_t kTogether = 8;
  for (std::size_t first = 0; first < volts.size(); first += kTogether) {
    double at[kTogether] = {}, value[kTogether];
    const std::size_t count = std::min(kTogether, volts.size() - first);
    for (std::size_t l = 0; l < count; ++l) at[l] = volts[first + l];
    evaluate_pieces(pieces_.data(), origin_.data(), origin_.size(), at, value);
    for (std::size_t l = 0; l < count; ++l) coulombs[first + l] = value[l];
  }
}

void ChargeBalance::solve(std::span<const float> drawn, double unit_coulombs, std::size_t lanes, std::size_t filled,
                          std::span<float> volts) const {
  float base[kMostNodes];
  for (std::size_t k = 0; k < nodes_.size(); ++k)
    base[k] = static_cast<float>((farads_ * (nodes_[k] - released_) - injected_) / unit_coulombs);
  balance_lanes({.nodes = nodes_single_.data(),
                 .derivative = derivative_single_.data(),
                 .base = base,
                 .count = nodes_.size(),
                 .farads = static_cast<float>(farads_ / unit_coulombs)},
                drawn, lanes, filled, volts);
}

}  // namespace errata::behavioral
