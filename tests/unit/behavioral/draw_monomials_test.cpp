#include "behavioral/fitting/draw_monomials.h"

#include <gtest/gtest.h>

#include <cmath>

#include "behavioral/cell_model.h"
#include "core/random_stream.h"
#include "tests/support/vector_targets.h"

namespace errata::behavioral {
namespace {

/// Every output of every row against a sum over monomials one by one.
void expect_sums(std::size_t terms, int degree, std::size_t levels, std::size_t outputs) {
  const auto exponents = terms == 0 ? std::vector<std::uint8_t>{} : CellModel::full_basis(terms, degree);
  const std::size_t monomials = monomial_count(exponents, terms), rows = 13;
  RandomStream stream(3, StreamPurpose::kTest, terms, outputs);
  DrawPolynomials polynomials(exponents, terms, 2.0, levels, outputs);
  std::vector<double> c(levels * monomials * outputs);
  for (std::size_t i = 0; i < c.size(); ++i) {
    c[i] = stream.normal();
    polynomials.coefficients(i / (monomials * outputs), i / outputs % monomials)[i % outputs] = c[i];
  }
  std::vector<std::uint8_t> stored(rows);
  for (auto& level : stored) level = static_cast<std::uint8_t>(stream.below(levels));
  std::vector<double> draws(rows * terms);
  for (double& z : draws) z = 1.5 * stream.normal();  // some of them beyond the range
  const auto values = polynomials.evaluate(stored, draws);
  ASSERT_EQ(values.size(), rows * polynomials.width());
  for (std::size_t j = 0; j < rows; ++j) {
    const auto monomial = draw_monomials(exponents, terms, 2.0, std::span(draws).subspan(j * terms, terms));
    for (std::size_t o = 0; o < polynomials.width(); ++o) {
      double expected = 0.0, size = 0.0;
      for (std::size_t k = 0; k < monomials && o < outputs; ++k) {
        const double summand = c[(stored[j] * monomials + k) * outputs + o] * monomial[k];
        expected += summand;
        size += std::fabs(summand);
      }
      // Sums of at most 35 products in another order, with other roundings of the powers.
      EXPECT_NEAR(values[j * polynomials.width() + o], expected, 1e-14 * size) << j << " " << o;
    }
  }
}

TEST(DrawPolynomials, AreTheSumsOverTheirMonomials) {
  testing::for_each_vector_target([] {
    expect_sums(0, 0, 2, 3);
    expect_sums(1, 4, 2, 18);
    expect_sums(2, 4, 4, 6);
    expect_sums(3, 4, 3, 23);  // one, two and four vectors of outputs
  });
}

}  // namespace
}  // namespace errata::behavioral
