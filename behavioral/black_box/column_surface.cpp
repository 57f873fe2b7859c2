#include "behavioral/black_box/column_surface.h"

#include <algorithm>
#include <array>
#include <limits>

namespace errata::behavioral {

namespace {

constexpr int kPowers = ColumnSurface::kMostDegree + 1;

struct Legendre {
  std::array<double, kPowers> value{}, slope{};
};

/// P_0 … P_degree and their derivatives by Bonnet's recursion.
Legendre legendre(double x, int degree) {
  Legendre l;
  l.value[0] = 1.0;
  if (degree >= 1) l.value[1] = x, l.slope[1] = 1.0;
  for (int k = 1; k < degree; ++k) {
    const auto at = static_cast<std::size_t>(k);
    l.value[at + 1] = ((2 * k + 1) * x * l.value[at] - k * l.value[at - 1]) / (k + 1);
    l.slope[at + 1] = l.slope[at - 1] + (2 * k + 1) * l.value[at];
  }
  return l;
}

struct Products {
  Legendre u, a, p;
};

Products products(const ColumnSurface& s, const ColumnState& x) {
  int degree = 1;
  for (const auto e : s.exponents) degree = std::max<int>(degree, e);
  return {legendre((x.u - s.u_center) / s.u_half, degree), legendre(2.0 * x.a - 1.0, degree),
          legendre((x.p - s.p_center) / s.p_half, degree)};
}

}  // namespace

bool ColumnSurface::uses_position() const {
  for (std::size_t k = 0; k < terms(); ++k)
    if (exponents[3 * k + 2] > 0) return true;
  return false;
}

std::vector<std::uint8_t> ColumnSurface::basis(int degree, Position position) {
  std::vector<std::uint8_t> all;
  for (int total = 1; total <= degree; ++total)
    for (int p = 0; p <= (position == Position::kIncluded ? total : 0); ++p)
      for (int a = 0; a <= total - p; ++a) {
        const int u = total - p - a;
        if (p == 0 && total == 1) continue;
        all.insert(all.end(),
                   {static_cast<std::uint8_t>(u), static_cast<std::uint8_t>(a), static_cast<std::uint8_t>(p)});
      }
  return all;
}

ColumnSurface::Value ColumnSurface::at(const ColumnState& x) const {
  Value v;
  if (terms() == 0) return v;
  const Products l = products(*this, x);
  for (std::size_t k = 0; k < terms(); ++k) {
    const std::uint8_t* e = exponents.data() + 3 * k;
    const double c = coefficients[k] * l.a.value[e[1]];
    v.value += c * l.u.value[e[0]] * l.p.value[e[2]];
    v.by_u += c * l.u.slope[e[0]] * l.p.value[e[2]] / u_half;
    v.by_p += c * l.u.value[e[0]] * l.p.slope[e[2]] / p_half;
  }
  return v;
}

std::vector<double> ColumnSurface::term_values(const ColumnState& x) const {
  std::vector<double> values(terms());
  const Products l = products(*this, x);
  for (std::size_t k = 0; k < terms(); ++k) {
    const std::uint8_t* e = exponents.data() + 3 * k;
    values[k] = l.u.value[e[0]] * l.a.value[e[1]] * l.p.value[e[2]];
  }
  return values;
}

namespace {
std::size_t bin_of(double a) {
  return static_cast<std::size_t>(
      std::clamp(a * static_cast<double>(ColumnSupport::kBins), 0.0, static_cast<double>(ColumnSupport::kBins) - 1.0));
}
}  // namespace

ColumnSupport ColumnSupport::around(std::span<const ColumnState> states) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity(), kWider = 0.05;
  ColumnSupport s;
  s.a_low = kInfinity, s.a_high = -kInfinity;
  s.reached.assign(kBins, 0);
  std::array<double, 4> all{kInfinity, -kInfinity, kInfinity, -kInfinity};
  for (std::size_t b = 0; b < kBins; ++b) s.box.insert(s.box.end(), all.begin(), all.end());
  const auto widen = [](double* box, const ColumnState& x) {
    box[0] = std::min(box[0], x.u), box[1] = std::max(box[1], x.u);
    box[2] = std::min(box[2], x.p), box[3] = std::max(box[3], x.p);
  };
  for (const ColumnState& x : states) {
    widen(all.data(), x);
    widen(s.box.data() + 4 * bin_of(x.a), x);
    s.reached[bin_of(x.a)] = 1;
    s.a_low = std::min(s.a_low, x.a), s.a_high = std::max(s.a_high, x.a);
  }
  s.a_low -= kWider, s.a_high += kWider;
  for (std::size_t b = 0; b < kBins; ++b) {
    if (s.reached[b] == 0) continue;
    double* box = s.box.data() + 4 * b;
    box[0] -= kWider * (all[1] - all[0]), box[1] += kWider * (all[1] - all[0]);
    box[2] -= kWider * (all[3] - all[2]), box[3] += kWider * (all[3] - all[2]);
  }
  for (std::size_t b = 0; b < kBins; ++b) {
    if (s.reached[b] != 0) continue;
    std::size_t nearest = kBins;
    for (std::size_t other = 0; other < kBins; ++other) {
      const auto distance = [&](std::size_t k) { return k > b ? k - b : b - k; };
      if (s.reached[other] != 0 && (nearest == kBins || distance(other) < distance(nearest))) nearest = other;
    }
    std::copy_n(s.box.begin() + static_cast<std::ptrdiff_t>(4 * nearest), 4,
                s.box.begin() + static_cast<std::ptrdiff_t>(4 * b));
  }
  return s;
}

ColumnSupport::Held ColumnSupport::hold(const ColumnState& x, ColumnSurface::Position position) const {
  const bool with_position = position == ColumnSurface::Position::kIncluded;
  const std::size_t bin = bin_of(x.a);
  const double* b = box.data() + 4 * bin;
  Held held;
  held.state = {std::clamp(x.u, b[0], b[1]), std::clamp(x.a, a_low, a_high),
                with_position ? std::clamp(x.p, b[2], b[3]) : x.p};
  held.inside =
      reached[bin] != 0 && held.state.u == x.u && held.state.a == x.a && (!with_position || held.state.p == x.p);
  return held;
}

ColumnSurface::Value bounded_value(const ColumnSurface& surface, const ColumnSupport& support, const ColumnState& x,
                                   ColumnSurface::Position position) {
  const auto held = support.hold(x, position);
  ColumnSurface::Value v = surface.at(held.state);
  v.value += v.by_u * (x.u - held.state.u) + v.by_p * (x.p - held.state.p);
  return v;
}

}  // namespace errata::behavioral
