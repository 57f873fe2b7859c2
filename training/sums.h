#pragma once

#include <cstddef>
#include <span>

namespace errata::training {

/// Elementwise loops in a fixed order of additions, written so that compilers vectorise them.

/// Σ a[i] · b[i] in double.
double dot(std::span<const float> a, std::span<const float> b);
/// target[i] += values[i].
void add_into(std::span<const float> values, std::span<float> target);
/// target[i] *= values[i].
void multiply_into(std::span<const float> values, std::span<float> target);
/// sums[c] += Σ over rows of matrix[row][c]; the number of columns is sums.size().
void add_row_sums(std::span<const float> matrix, std::span<float> sums);
/// out[row][c] = scale · matrix[row][c] + row_values[c]; `out` may be `matrix`.
void scale_and_add_rows(std::span<const float> matrix, float scale, std::span<const float> row_values,
                        std::span<float> out);

}  // namespace errata::training
