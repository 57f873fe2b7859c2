#include "training/layers/image_convolution.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "core/random_stream.h"
#include "tests/support/vector_targets.h"
#include "tests/unit/training/gradient_check.h"

namespace errata::training {
namespace {

/// values ∗ weights by its definition.
std::vector<double> plain_product(const MatrixGeometry& g, const Tensor& values, std::span<const float> weights) {
  std::vector<double> product;
  std::vector<float> patch(g.rows());
  for (std::size_t position = 0; position < values.images() * g.positions(); ++position) {
    im2col_rows(g, values, position, 1, 0, g.rows(), patch.data());
    for (std::size_t c = 0; c < g.out_c; ++c) {
      double sum = 0.0;
      for (std::size_t row = 0; row < g.rows(); ++row)
        sum += static_cast<double>(patch[row]) * static_cast<double>(weights[row * g.out_c + c]);
      product.push_back(sum);
    }
  }
  return product;
}

std::vector<MatrixGeometry> geometries() {
  return {convolution_geometry({28, 28, 1}, {5, 1, 2, 6}),  convolution_geometry({9, 7, 3}, {3, 1, 1, 8}),
          convolution_geometry({9, 12, 2}, {4, 2, 1, 1}),   convolution_geometry({8, 8, 3}, {3, 1, 1, 32}),
          convolution_geometry({10, 10, 1}, {3, 1, 0, 21}), convolution_geometry({5, 5, 1}, {5, 1, 0, 3})};
}

struct Example {
  explicit Example(const MatrixGeometry& g)
      : values(random_tensor(3, g.input(), 0.0, 15.0, 1)),
        weights(random_tensor(1, {1, g.rows(), g.out_c}, -3.0, 3.0, 2)),
        gradient(random_tensor(3, g.output(), -1.0, 1.0, 3)) {}
  Tensor values, weights, gradient;
};

TEST(ImageConvolution, ProductIsThatOfTheDefinition) {
  for (const auto& g : geometries()) {
    if (g.out_c > ImageConvolution::kMostStored) continue;
    const Example e(g);
    const auto expected = plain_product(g, e.values, e.weights.values());
    errata::testing::for_each_vector_target([&] {
      // One value more, which must stay as it is.
      std::vector<float> product(expected.size() + 1, -77.0f);
      ImageConvolution(g, e.weights.values()).product(3, e.values.data(), product.data());
      // Up to 50 terms of at most 45, each rounded to 2⁻²⁴ of sums below 1000.
      for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_NEAR(product[i], expected[i], 3e-3) << i;
      EXPECT_EQ(product.back(), -77.0f);
    });
  }
}

TEST(ImageConvolution, GradientSumIsThatOfTheProduct) {
  for (const auto& g : geometries()) {
    const Example e(g);
    const auto product = plain_product(g, e.values, e.weights.values());
    double expected = 0.0, magnitude = 0.0;
    for (std::size_t i = 0; i < product.size(); ++i) {
      expected += product[i] * static_cast<double>(e.gradient.values()[i]);
      magnitude += std::fabs(product[i] * static_cast<double>(e.gradient.values()[i]));
    }
    errata::testing::for_each_vector_target([&] {
      const double sum = ImageConvolution(g, e.weights.values()).gradient_sum(3, e.values.data(), e.gradient.data());
      // fp32 along a row of outputs, then double: some 2⁻²⁴ of what is added up.
      EXPECT_NEAR(sum, expected, 2e-6 * magnitude);
    });
  }
}

}  // namespace
}  // namespace errata::training
