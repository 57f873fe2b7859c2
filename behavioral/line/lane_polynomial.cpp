#include "behavioral/line/lane_polynomial.h"

#include <algorithm>
#include <array>

namespace errata::behavioral {

namespace {

constexpr std::size_t kLanes = PackedInputs::kLanes, kPowers = ColumnSurface::kMostDegree + 1;
using Powers = std::array<double, kPowers>;

/// Coefficients of the Legendre polynomials in powers of x, [degree][power].
std::array<Powers, kPowers> legendre_powers() {
  std::array<Powers, kPowers> c{};
  c[0][0] = 1.0;
  c[1][1] = 1.0;
  for (std::size_t k = 1; k + 1 < kPowers; ++k) {
    const double n = static_cast<double>(k);
    for (std::size_t e = 0; e < kPowers; ++e)
      c[k + 1][e] = ((e > 0 ? (2 * n + 1) * c[k][e - 1] : 0.0) - n * c[k - 1][e]) / (n + 1);
  }
  return c;
}

/// Nested Horner scheme in u, a and P.
__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"))) void horner(const double* c, int degree,
                                                                                          int p_degree, const Lanes& x,
                                                                                          double* value) {
  double inner[kLanes], innermost[kLanes];
  std::fill_n(value, kLanes, 0.0);
  for (int i = degree; i >= 0; --i) {
    std::fill_n(inner, kLanes, 0.0);
    for (int j = degree - i; j >= 0; --j) {
      std::fill_n(innermost, kLanes, 0.0);
      for (int k = std::min(p_degree, degree - i - j); k >= 0; --k, ++c)
        for (std::size_t l = 0; l < kLanes; ++l) innermost[l] = innermost[l] * x.p[l] + *c;
      for (std::size_t l = 0; l < kLanes; ++l) inner[l] = inner[l] * x.a[l] + innermost[l];
    }
    for (std::size_t l = 0; l < kLanes; ++l) value[l] = value[l] * x.u[l] + inner[l];
  }
}

}  // namespace

LanePolynomial::LanePolynomial(const ColumnSurface& s)
    : u_center_(s.u_center), u_scale_(1.0 / s.u_half), p_center_(s.p_center), p_scale_(1.0 / s.p_half) {
  const auto legendre = legendre_powers();
  std::vector<double> dense(kPowers * kPowers * kPowers, 0.0);
  for (std::size_t t = 0; t < s.terms(); ++t) {
    const std::uint8_t* e = s.exponents.data() + 3 * t;
    degree_ = std::max(degree_, e[0] + e[1] + e[2]);
    p_degree_ = std::max<int>(p_degree_, e[2]);
    for (std::size_t i = 0; i <= e[0]; ++i)
      for (std::size_t j = 0; j <= e[1]; ++j)
        for (std::size_t k = 0; k <= e[2]; ++k)
          dense[(i * kPowers + j) * kPowers + k] +=
              s.coefficients[t] * legendre[e[0]][i] * legendre[e[1]][j] * legendre[e[2]][k];
  }
  for (int i = degree_; i >= 0; --i)
    for (int j = degree_ - i; j >= 0; --j)
      for (int k = std::min(p_degree_, degree_ - i - j); k >= 0; --k)
        powers_.push_back(dense[(static_cast<std::size_t>(i) * kPowers + static_cast<std::size_t>(j)) * kPowers +
                                static_cast<std::size_t>(k)]);
}

void LanePolynomial::evaluate(const Lanes& x, double* value) const {
  Lanes scaled;
  for (std::size_t l = 0; l < kLanes; ++l) {
    scaled.u[l] = (x.u[l] - u_center_) * u_scale_;
    scaled.a[l] = 2.0 * x.a[l] - 1.0;
    scaled.p[l] = (x.p[l] - p_center_) * p_scale_;
  }
  horner(powers_.data(), degree_, p_degree_, scaled, value);
}

}  // namespace errata::behavioral
