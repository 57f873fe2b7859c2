#include "behavioral/crossbar/crossbar_kernel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/random_stream.h"

// The code for the widest vectors, in whatever instructions this source is compiled for: so it is tested on processors
// without AVX-512, too.
#pragma GCC diagnostic ignored "-Wpsabi"
namespace errata::behavioral {
namespace {
constexpr std::size_t kLanes = 8, kTileRows = 8;
}
}  // namespace errata::behavioral
#include "behavioral/crossbar/crossbar_kernel_body.h"

namespace errata::behavioral {
namespace {

const CrossbarKernels kWidest{multiply_add, eliminate};

std::size_t padded(std::size_t n) { return (n + kKernelColumns - 1) / kKernelColumns * kKernelColumns; }

/// A front with random conductances over ten orders of magnitude.
struct Example {
  std::size_t p, q, stride = padded(q);
  std::vector<double> pivots = std::vector<double>(p * p), to = std::vector<double>(p * stride),
                      boundary = std::vector<double>(q * stride), pivot_shares = pivots, shares = to,
                      ohms = std::vector<double>(p);

  Example(std::size_t pivot_count, std::size_t boundary_count) : p(pivot_count), q(boundary_count) {
    RandomStream stream(p * 1000 + q, StreamPurpose::kTest);
    const auto draw = [&] { return stream.uniform() < 0.3 ? 0.0 : std::pow(10.0, -10 * stream.uniform()); };
    for (std::size_t i = 0; i < p; ++i) {
      for (std::size_t j = i + 1; j < p; ++j) pivots[i * p + j] = draw();
      for (std::size_t j = 0; j < q; ++j) to[i * stride + j] = draw();
    }
    for (std::size_t i = 0; i < q; ++i)
      for (std::size_t j = i + 1; j < q; ++j) boundary[i * stride + j] = draw();
  }
  FrontMatrix matrix() {
    return {p, q, stride, pivots.data(), to.data(), boundary.data(), pivot_shares.data(), shares.data(), ohms.data()};
  }
};

/// The elimination as the formula says it, in extended precision; the boundary's conductances [q][q].
std::vector<long double> plain_elimination(const Example& e) {
  const std::size_t n = e.p + e.q;
  std::vector<long double> g(n * n, 0.0L);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = i + 1; j < n; ++j)
      g[i * n + j] = g[j * n + i] = j < e.p   ? e.pivots[i * e.p + j]
                                    : i < e.p ? e.to[i * e.stride + j - e.p]
                                              : e.boundary[(i - e.p) * e.stride + j - e.p];
  for (std::size_t k = 0; k < e.p; ++k) {
    long double sum = 0;
    for (std::size_t j = k + 1; j < n; ++j) sum += g[k * n + j];
    if (sum == 0) continue;
    for (std::size_t i = k + 1; i < n; ++i)
      for (std::size_t j = k + 1; j < n; ++j)
        if (i != j) g[i * n + j] += g[k * n + i] * g[k * n + j] / sum;
  }
  std::vector<long double> result;
  for (std::size_t i = e.p; i < n; ++i) result.insert(result.end(), &g[i * n + e.p], &g[i * n + n]);
  return result;
}

std::vector<const CrossbarKernels*> runnable() {
  std::vector<const CrossbarKernels*> kernels{&kBaselineKernels, &kWidest};
#ifdef ERRATA_X86_KERNELS
  if (__builtin_cpu_supports("avx2")) kernels.push_back(&kAvx2Kernels);
  if (__builtin_cpu_supports("avx512f")) kernels.push_back(&kAvx512Kernels);
#endif
  return kernels;
}

TEST(CrossbarKernel, EliminatesAsTheFormulaSays) {
  for (const std::size_t p : {1, 2, 3, 7, 16, 17, 40, 71})
    for (const std::size_t q : {1, 2, 8, 13, 50}) {
      const Example original(p, q);
      const auto expected = plain_elimination(original);
      for (const CrossbarKernels* kernels : runnable()) {
        Example e = original;
        kernels->eliminate(e.matrix());
        for (std::size_t i = 0; i < q; ++i)
          for (std::size_t j = i + 1; j < q; ++j) {
            const double value = static_cast<double>(expected[i * q + j]);
            // Sums of positive terms: p + q rounding errors, whatever the spread of the conductances.
            ASSERT_NEAR(e.boundary[i * e.stride + j], value, 1e-16 * static_cast<double>(p + q) * value);
          }
        for (std::size_t k = 0; k < p; ++k) {  // shares of one pivot add up to 1
          double sum = 0;
          for (std::size_t j = k + 1; j < p; ++j) sum += e.pivot_shares[k * p + j];
          for (std::size_t j = 0; j < e.stride; ++j) sum += e.shares[k * e.stride + j];
          if (e.ohms[k] != 0) {
            ASSERT_NEAR(sum, 1, 1e-13);
          }
        }
      }
    }
}

TEST(CrossbarKernel, EveryVectorWidthGivesTheSameBits) {
  const auto kernels = runnable();
  for (const std::size_t p : {1, 5, 33, 64})
    for (const std::size_t q : {3, 24, 61}) {
      Example first(p, q);
      kernels[0]->eliminate(first.matrix());
      for (std::size_t k = 1; k < kernels.size(); ++k) {
        Example other(p, q);
        kernels[k]->eliminate(other.matrix());
        for (std::size_t i = 0; i < q; ++i)
          for (std::size_t j = i + 1; j < q; ++j)
            ASSERT_EQ(first.boundary[i * first.stride + j], other.boundary[i * first.stride + j]);
        ASSERT_EQ(first.shares, other.shares);
        ASSERT_EQ(first.ohms, other.ohms);
      }
    }
}

TEST(CrossbarKernel, APivotThatNothingReachesHasNoShares) {
  Example e(2, 3);
  std::ranges::fill(e.pivots, 0.0);
  std::fill_n(e.to.begin(), e.stride, 0.0);
  fastest_kernels().eliminate(e.matrix());
  EXPECT_EQ(e.ohms[0], 0);
  EXPECT_GT(e.ohms[1], 0);
  for (std::size_t j = 0; j < e.stride; ++j) EXPECT_EQ(e.shares[j], 0);
}

TEST(CrossbarKernel, MultipliesAsTheFormulaSays) {
  RandomStream stream(3, StreamPurpose::kTest);
  for (const CrossbarKernels* kernels : runnable())
    for (const std::size_t rows : {1, 2, 5, 9, 19})
      for (const std::size_t depth : {1, 6}) {
        std::vector<double> weight(rows * depth), row(depth * 16), target(rows * 16, 0.5);
        for (double& v : weight) v = stream.normal();
        for (double& v : row) v = stream.normal();
        kernels->multiply_add({.target = target.data(),
                               .target_stride = 16,
                               .weight = weight.data(),
                               .weight_row_step = depth,
                               .weight_depth_step = 1,
                               .row = row.data(),
                               .row_stride = 16,
                               .depth = depth,
                               .rows = rows,
                               .columns = 16});
        for (std::size_t i = 0; i < rows; ++i)
          for (std::size_t j = 0; j < 16; ++j) {
            double sum = 0.5;
            for (std::size_t k = 0; k < depth; ++k) sum += weight[i * depth + k] * row[k * 16 + j];
            ASSERT_EQ(target[i * 16 + j], sum);
          }
      }
}

}  // namespace
}  // namespace errata::behavioral
