#include "training/sums.h"

#include <array>

namespace errata::training {

namespace {

constexpr std::size_t kLanes = 8;

/// Short rows are taken several at a time, so that inner loops are long enough for vectors.
constexpr std::size_t kWide = 64;
std::size_t rows_together(std::size_t columns) { return columns >= kWide ? 1 : kWide / columns; }

}  // namespace

double dot(std::span<const float> a, std::span<const float> b) {
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

void add_into(std::span<const float> values, std::span<float> target) {
  for (std::size_t i = 0; i < values.size(); ++i) target[i] += values[i];
}

void multiply_into(std::span<const float> values, std::span<float> target) {
  for (std::size_t i = 0; i < values.size(); ++i) target[i] *= values[i];
}

void add_row_sums(std::span<const float> matrix, std::span<float> sums) {
  const std::size_t columns = sums.size();
  if (columns >= kWide) {
    for (std::size_t begin = 0; begin < matrix.size(); begin += columns)
      for (std::size_t c = 0; c < columns; ++c) sums[c] += matrix[begin + c];
    return;
  }
  const std::size_t block = rows_together(columns) * columns;
  std::array<float, kWide> partial{};
  std::size_t i = 0;
  for (; i + block <= matrix.size(); i += block)
    for (std::size_t k = 0; k < block; ++k) partial[k] += matrix[i + k];
  for (std::size_t k = 0; i < matrix.size(); ++i, ++k) partial[k] += matrix[i];
  for (std::size_t k = 0; k < block; ++k) sums[k % columns] += partial[k];
}

void scale_and_add_rows(std::span<const float> matrix, float scale, std::span<const float> row_values,
                        std::span<float> out) {
  const std::size_t columns = row_values.size();
  if (columns >= kWide) {
    for (std::size_t begin = 0; begin < matrix.size(); begin += columns)
      for (std::size_t c = 0; c < columns; ++c) out[begin + c] = scale * matrix[begin + c] + row_values[c];
    return;
  }
  const std::size_t block = rows_together(columns) * columns;
  std::array<float, kWide> repeated{};
  for (std::size_t k = 0; k < block; ++k) repeated[k] = row_values[k % columns];
  std::size_t i = 0;
  for (; i + block <= matrix.size(); i += block)
    for (std::size_t k = 0; k < block; ++k) out[i + k] = scale * matrix[i + k] + repeated[k];
  for (std::size_t k = 0; i < matrix.size(); ++i, ++k) out[i] = scale * matrix[i] + repeated[k];
}

}  // namespace errata::training
