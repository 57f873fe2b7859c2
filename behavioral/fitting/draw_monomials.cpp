#include "behavioral/fitting/draw_monomials.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "behavioral/fitting/draw_monomials.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.h, which includes this file once for each instruction set.
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace errata::behavioral::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// At most four numbers in a vector: the width of an output is a multiple of that.
using Doubles = hn::CappedTag<double, 4>;

/// Outputs first … first + N vectors of every row.
template <std::size_t N>
HWY_INLINE HWY_ATTR void sum_outputs(const DrawPolynomials::Sums& s, std::size_t first, double* HWY_RESTRICT values) {
  const Doubles d;
  const std::size_t lanes = hn::Lanes(d);
  for (std::size_t j = 0; j < s.rows; ++j) {
    const double* HWY_RESTRICT c = s.coefficients + s.levels[j] * s.count * s.width + first;
    hn::Vec<Doubles> sum[N];
    for (std::size_t i = 0; i < N; ++i) sum[i] = hn::Zero(d);
    for (std::size_t k = 0; k < s.count; ++k) {
      const auto monomial = hn::Set(d, s.monomials[k * s.rows + j]);
      for (std::size_t i = 0; i < N; ++i)
        sum[i] = hn::MulAdd(monomial, hn::LoadU(d, c + k * s.width + i * lanes), sum[i]);
    }
    for (std::size_t i = 0; i < N; ++i) hn::StoreU(sum[i], d, values + j * s.width + first + i * lanes);
  }
}

HWY_ATTR void sum_polynomials(const DrawPolynomials::Sums& s, double* HWY_RESTRICT values) {
  const std::size_t lanes = hn::Lanes(Doubles());
  std::size_t first = 0;
  for (; first + 4 * lanes <= s.width; first += 4 * lanes) sum_outputs<4>(s, first, values);
  for (; first + 2 * lanes <= s.width; first += 2 * lanes) sum_outputs<2>(s, first, values);
  for (; first < s.width; first += lanes) sum_outputs<1>(s, first, values);
}

}  // namespace errata::behavioral::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace errata::behavioral {

HWY_EXPORT(sum_polynomials);

std::size_t monomial_count(std::span<const std::uint8_t> exponents, std::size_t terms) {
  return terms == 0 ? 1 : exponents.size() / terms;
}

std::vector<double> draw_monomials(std::span<const std::uint8_t> exponents, std::size_t terms, double range,
                                   std::span<const double> draws) {
  std::vector<double> values(monomial_count(exponents, terms), 1.0);
  for (std::size_t k = 0; terms > 0 && k < values.size(); ++k)
    for (std::size_t t = 0; t < terms; ++t) {
      const double z = std::clamp(draws[t], -range, range) / range;
      for (int e = 0; e < exponents[k * terms + t]; ++e) values[k] *= z;
    }
  return values;
}

DrawPolynomials::DrawPolynomials(std::vector<std::uint8_t> exponents, std::size_t terms, double range,
                                 std::size_t levels, std::size_t outputs)
    : exponents_(std::move(exponents)),
      terms_(terms),
      monomials_(monomial_count(exponents_, terms)),
      powers_(1 + (exponents_.empty() ? 0 : *std::ranges::max_element(exponents_))),
      outputs_(outputs),
      width_((outputs + 3) / 4 * 4),
      range_(range),
      coefficients_(levels * monomials_ * width_, 0.0) {}

std::span<double> DrawPolynomials::coefficients(std::size_t level, std::size_t monomial) {
  return {coefficients_.data() + (level * monomials_ + monomial) * width_, outputs_};
}

/// Of all cells, [monomials][rows].
std::vector<double> DrawPolynomials::monomials(std::span<const double> draws, std::size_t rows) const {
  std::vector<double> power(terms_ * powers_ * rows), values(monomials_ * rows, 1.0);
  for (std::size_t t = 0; t < terms_; ++t) {
    double* first = power.data() + (t * powers_ + 1) * rows;
    if (powers_ < 2) continue;
    for (std::size_t j = 0; j < rows; ++j) first[j] = std::clamp(draws[j * terms_ + t], -range_, range_) / range_;
    for (std::size_t e = 2; e < powers_; ++e) {
      double* next = first + (e - 1) * rows;
      for (std::size_t j = 0; j < rows; ++j) next[j] = next[j - rows] * first[j];
    }
  }
  for (std::size_t k = 0; k < monomials_; ++k)
    for (std::size_t t = 0; t < terms_; ++t) {
      if (exponents_[k * terms_ + t] == 0) continue;
      const double* factor = power.data() + (t * powers_ + exponents_[k * terms_ + t]) * rows;
      double* to = values.data() + k * rows;
      for (std::size_t j = 0; j < rows; ++j) to[j] *= factor[j];
    }
  return values;
}

std::vector<double> DrawPolynomials::evaluate(std::span<const std::uint8_t> levels,
                                              std::span<const double> draws) const {
  const std::size_t rows = levels.size();
  const std::vector<double> values = monomials(draws, rows);
  std::vector<double> sums(rows * width_);
  HWY_DYNAMIC_DISPATCH(sum_polynomials)
  ({values.data(), coefficients_.data(), levels.data(), monomials_, rows, width_}, sums.data());
  return sums;
}

}  // namespace errata::behavioral
#endif
