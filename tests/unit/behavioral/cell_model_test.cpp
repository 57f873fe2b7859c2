#include "behavioral/cell_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

namespace errata::behavioral {
namespace {

std::size_t binomial(std::size_t n, std::size_t k) { return k == 0 ? 1 : binomial(n - 1, k - 1) * n / k; }

TEST(FullBasis, HoldsEveryMonomialOnce) {
  for (const std::size_t variables : {1, 2, 4})
    for (const int degree : {0, 1, 3, 4}) {
      const auto exponents = CellModel::full_basis(variables, degree);
      ASSERT_EQ(exponents.size() / variables,
                binomial(variables + static_cast<std::size_t>(degree), static_cast<std::size_t>(degree)));
      std::set<std::vector<std::uint8_t>> seen;
      for (std::size_t k = 0; k < exponents.size(); k += variables) {
        const std::vector<std::uint8_t> monomial(exponents.begin() + k, exponents.begin() + k + variables);
        int total = 0;
        for (const auto e : monomial) total += e;
        EXPECT_LE(total, degree);
        EXPECT_TRUE(seen.insert(monomial).second);
      }
    }
}

/// v, s and one draw; ln(I/V) = c0 + c1·v + c2·s + c3·z + c4·v·z, different for each input and level.
CellModel example() {
  CellModel m{
      .inputs = 2, .levels = 2, .terms = 1, .source_axis = true, .center_volts = 0.2, .scale_volts = 0.1, .degree = 2};
  m.exponents = {0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 1};
  for (int k = 0; k < 4; ++k) {
    const std::vector<double> c = {-12.0 - k, 0.1, -0.2, 0.3, 0.05 * k};
    m.coefficients.insert(m.coefficients.end(), c.begin(), c.end());
  }
  return m;
}

TEST(CellModel, IsTheExponentialOfItsPolynomial) {
  const CellModel m = example();
  ASSERT_EQ(m.variables(), 3u);
  ASSERT_EQ(m.monomials(), 5u);
  const double z = 1.5;
  for (std::size_t x = 0; x < 2; ++x)
    for (std::size_t level = 0; level < 2; ++level) {
      const double k = static_cast<double>(2 * x + level), v = (0.23 - 0.2) / 0.1, s = 0.01 / 0.1, u = z / 4;
      const double expected = (0.23 - 0.01) * std::exp(-12 - k + 0.1 * v - 0.2 * s + 0.3 * u + 0.05 * k * v * u);
      EXPECT_NEAR(m.current(x, level, 0.23, 0.01, std::span(&z, 1)) / expected, 1, 1e-14);
    }
}

TEST(CellModel, ClampsDrawsToWhatTheFitKnows) {
  const CellModel m = example();
  const double edge = 4, far = 40, other = -40, other_edge = -4;
  EXPECT_EQ(m.current(1, 1, 0.2, 0, std::span(&far, 1)), m.current(1, 1, 0.2, 0, std::span(&edge, 1)));
  EXPECT_EQ(m.current(1, 1, 0.2, 0, std::span(&other, 1)), m.current(1, 1, 0.2, 0, std::span(&other_edge, 1)));
}

}  // namespace
}  // namespace errata::behavioral
