#include "training/layers/sums.h"

#include <algorithm>
#include <array>

#include "training/layers/vector_clones.h"

namespace errata::training {

namespace {

/// Short rows are taken several at a time, so that inner loops are long enough for vectors.
constexpr std::size_t kWide = 64;
std::size_t rows_together(std::size_t columns) { return columns >= kWide ? 1 : kWide / columns; }

/// Whole blocks of `block` values: out = scale · matrix + addend, which is one block.
ERRATA_VECTOR_CLONES void scale_and_add(const float* matrix, float scale, const float* addend, std::size_t block,
                                        std::size_t count, float* out) {
  for (std::size_t begin = 0; begin < count; begin += block) {
    const std::size_t size = std::min(block, count - begin);
    ERRATA_INDEPENDENT
    for (std::size_t k = 0; k < size; ++k) out[begin + k] = scale * matrix[begin + k] + addend[k];
  }
}

/// target, one block, += every block of values; the last one may be shorter.
ERRATA_VECTOR_CLONES void add_blocks(const float* __restrict values, std::size_t block, std::size_t count,
                                     float* __restrict target) {
  for (std::size_t begin = 0; begin < count; begin += block) {
    const std::size_t size = std::min(block, count - begin);
    for (std::size_t k = 0; k < size; ++k) target[k] += values[begin + k];
  }
}

}  // namespace

ERRATA_VECTOR_CLONES double dot(std::span<const float> a, std::span<const float> b) {
  // fp32 over stretches that are too short for its rounding to matter, then double.
  constexpr std::size_t kLanes = 16, kStretch = 32 * kLanes;
  double total = 0.0;
  for (std::size_t begin = 0; begin < a.size(); begin += kStretch) {
    const std::size_t count = std::min(kStretch, a.size() - begin), whole = count / kLanes * kLanes;
    const float *x = a.data() + begin, *y = b.data() + begin;
    std::array<float, kLanes> sums{};
    for (std::size_t i = 0; i < whole; i += kLanes)
      for (std::size_t lane = 0; lane < kLanes; ++lane) sums[lane] += x[i + lane] * y[i + lane];
    for (std::size_t i = whole; i < count; ++i) sums[i - whole] += x[i] * y[i];
    double stretch = 0.0;
    for (const float sum : sums) stretch += static_cast<double>(sum);
    total += stretch;
  }
  return total;
}

ERRATA_VECTOR_CLONES void add(std::span<const float> a, std::span<const float> b, std::span<float> out) {
  ERRATA_INDEPENDENT
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = a[i] + b[i];
}

void add_into(std::span<const float> values, std::span<float> target) { add(values, target, target); }

ERRATA_VECTOR_CLONES void multiply_into(std::span<const float> values, std::span<float> target) {
  ERRATA_INDEPENDENT
  for (std::size_t i = 0; i < target.size(); ++i) target[i] *= values[i];
}

ERRATA_VECTOR_CLONES void scale(float factor, std::span<float> target) {
  for (std::size_t i = 0; i < target.size(); ++i) target[i] *= factor;
}

void add_row_sums(std::span<const float> matrix, std::span<float> sums) {
  const std::size_t columns = sums.size();
  if (columns >= kWide) return add_blocks(matrix.data(), columns, matrix.size(), sums.data());
  const std::size_t block = rows_together(columns) * columns;
  std::array<float, kWide> partial{};
  add_blocks(matrix.data(), block, matrix.size(), partial.data());
  for (std::size_t row = 0; row < block; row += columns) add_into({partial.data() + row, columns}, sums);
}

void scale_and_add_rows(std::span<const float> matrix, float scale, std::span<const float> row_values,
                        std::span<float> out) {
  const std::size_t columns = row_values.size();
  if (columns >= kWide)
    return scale_and_add(matrix.data(), scale, row_values.data(), columns, matrix.size(), out.data());
  const std::size_t block = rows_together(columns) * columns;
  std::array<float, kWide> repeated{};
  for (std::size_t row = 0; row < block; row += columns) std::ranges::copy(row_values, repeated.data() + row);
  scale_and_add(matrix.data(), scale, repeated.data(), block, matrix.size(), out.data());
}

ERRATA_VECTOR_CLONES void clamp_from_zero(std::span<const float> values, float ceiling, std::span<float> out) {
  ERRATA_INDEPENDENT
  for (std::size_t i = 0; i < out.size(); ++i) {
    const float positive = values[i] < 0.0f ? 0.0f : values[i];
    out[i] = positive > ceiling ? ceiling : positive;
  }
}

ERRATA_VECTOR_CLONES void pass_between(std::span<const float> values, float ceiling, std::span<const float> gradient,
                                       std::span<float> out) {
  ERRATA_INDEPENDENT
  for (std::size_t i = 0; i < out.size(); ++i) {
    const float above = values[i] > 0.0f ? gradient[i] : 0.0f;
    out[i] = values[i] < ceiling ? above : 0.0f;
  }
}

}  // namespace errata::training
