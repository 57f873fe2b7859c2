#include "training/layers/matrix_geometry.h"

#include <gtest/gtest.h>

#include <vector>

#include "core/error.h"
#include "tests/unit/training/gradient_check.h"

namespace errata::training {
namespace {

/// Entry (position, row) of the patch matrix by its definition.
float entry(const MatrixGeometry& g, const Tensor& codes, std::size_t position, std::size_t row) {
  const auto image = position / g.positions();
  const auto oy = static_cast<int>(position % g.positions() / g.out_w), ox = static_cast<int>(position % g.out_w);
  const auto c = row % g.in_c, kx = row / g.in_c % g.window.kernel_w, ky = row / g.in_c / g.window.kernel_w;
  const int y = oy * static_cast<int>(g.window.stride_h) + static_cast<int>(ky) - static_cast<int>(g.window.pad_top);
  const int x = ox * static_cast<int>(g.window.stride_w) + static_cast<int>(kx) - static_cast<int>(g.window.pad_left);
  if (y < 0 || x < 0 || y >= static_cast<int>(g.in_h) || x >= static_cast<int>(g.in_w)) return 0.0f;
  return codes.image(image)[(static_cast<std::size_t>(y) * g.in_w + static_cast<std::size_t>(x)) * g.in_c + c];
}

void compare(const MatrixGeometry& g, std::size_t first, std::size_t count, std::size_t row, std::size_t rows) {
  const Tensor codes = random_tensor(3, g.input(), 1.0, 2.0, 1);
  std::vector<float> out(count * rows + 1, -1.0f);
  im2col_rows(g, codes, first, count, row, rows, out.data());
  for (std::size_t k = 0; k < count; ++k)
    for (std::size_t r = 0; r < rows; ++r)
      ASSERT_EQ(out[k * rows + r], entry(g, codes, first + k, row + r))
          << "position " << first + k << " row " << row + r;
  EXPECT_EQ(out.back(), -1.0f);
}

TEST(Im2colRows, MatchesItsDefinition) {
  for (const auto& g : {convolution_geometry({5, 7, 3}, {3, 1, 1, 2}), convolution_geometry({8, 6, 2}, {5, 2, 2, 2}),
                        convolution_geometry({6, 6, 1}, {3, 3, 0, 2}), linear_geometry(11, 2)}) {
    const std::size_t all = 3 * g.positions();
    compare(g, 0, all, 0, g.rows());
    for (std::size_t row = 0; row < g.rows(); row += 4)
      compare(g, all / 3, all / 2, row, std::min<std::size_t>(5, g.rows() - row));
    compare(g, all - 1, 1, g.rows() - 1, 1);
  }
}

TEST(MatrixGeometry, CountsLeNet) {
  const auto g = convolution_geometry({28, 28, 1}, {5, 1, 2, 6});
  EXPECT_EQ(g.rows(), 25u);
  EXPECT_EQ(g.positions(), 784u);
  EXPECT_TRUE(linear_geometry(400, 120).is_linear());
  EXPECT_FALSE(g.is_linear());
}

TEST(MatrixGeometry, RefusesAKernelThatDoesNotFit) {
  EXPECT_THROW(convolution_geometry({3, 3, 1}, {5, 1, 0, 6}), Error);
  EXPECT_THROW(convolution_geometry({3, 3, 1}, {3, 0, 0, 6}), Error);
}

}  // namespace
}  // namespace errata::training
