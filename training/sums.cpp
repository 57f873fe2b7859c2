#include "training/sums.h"

#include <array>

#include "training/vector_clones.h"

namespace errata::training {

namespace {

constexpr std::size_t kLanes = 8;

/// Short rows are taken several at a time, so that inner loops are long enough for vectors.
constexpr std::size_t kWide = 64;
std::size_t rows_together(std::size_t columns) { return columns >= kWide ? 1 : kWide / columns; }

ERRATA_VECTOR_CLONES void scale_and_add(const float* matrix, float scale, const float* addend, std::size_t count,
                                        float* out) {
  ERRATA_INDEPENDENT
  for (std::size_t k = 0; k < count; ++k) out[k] = scale * matrix[k] + addend[k];
}

}  // namespace

ERRATA_VECTOR_CLONES double dot(std::span<const float> a, std::span<const float> b) {
  std::array<double, kLanes> sums{};
  std::size_t i = 0;
  for (; i + kLanes <= a.size(); i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane)
      sums[lane] += static_cast<double>(a[i + lane]) * static_cast<double>(b[i + lane]);
  for (; i < a.size(); ++i) sums[0] += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  double total = 0.0;
  for (const double sum : sums) total += sum;
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
  if (columns >= kWide) {
    for (std::size_t begin = 0; begin < matrix.size(); begin += columns) add_into(matrix.subspan(begin, columns), sums);
    return;
  }
  const std::size_t block = rows_together(columns) * columns;
  std::array<float, kWide> partial{};
  std::size_t i = 0;
  for (; i + block <= matrix.size(); i += block) add_into(matrix.subspan(i, block), std::span(partial).first(block));
  for (std::size_t k = 0; i < matrix.size(); ++i, ++k) partial[k] += matrix[i];
  for (std::size_t k = 0; k < block; ++k) sums[k % columns] += partial[k];
}

void scale_and_add_rows(std::span<const float> matrix, float scale, std::span<const float> row_values,
                        std::span<float> out) {
  const std::size_t columns = row_values.size();
  if (columns >= kWide) {
    for (std::size_t begin = 0; begin < matrix.size(); begin += columns)
      scale_and_add(matrix.data() + begin, scale, row_values.data(), columns, out.data() + begin);
    return;
  }
  const std::size_t block = rows_together(columns) * columns;
  std::array<float, kWide> repeated{};
  for (std::size_t k = 0; k < block; ++k) repeated[k] = row_values[k % columns];
  std::size_t i = 0;
  for (; i + block <= matrix.size(); i += block)
    scale_and_add(matrix.data() + i, scale, repeated.data(), block, out.data() + i);
  scale_and_add(matrix.data() + i, scale, repeated.data(), matrix.size() - i, out.data() + i);
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
