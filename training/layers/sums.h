#pragma once

#include <cstddef>
#include <span>

namespace errata::training {

/// Elementwise loops in a fixed order of operations. They are compiled for several vector widths and give the same
/// bits on each: nothing is contracted, and sums have the same lanes. An output may be one of the inputs.

/// Σ a[i] · b[i], in double but for stretches of 512 products.
double dot(std::span<const float> a, std::span<const float> b);
/// target[i] += values[i].
void add_into(std::span<const float> values, std::span<float> target);
/// out[i] = a[i] + b[i].
void add(std::span<const float> a, std::span<const float> b, std::span<float> out);
/// target[i] *= values[i].
void multiply_into(std::span<const float> values, std::span<float> target);
/// target[i] *= factor.
void scale(float factor, std::span<float> target);
/// sums[c] += Σ over rows of matrix[row][c]; the number of columns is sums.size().
void add_row_sums(std::span<const float> matrix, std::span<float> sums);
/// out[row][c] = scale · matrix[row][c] + row_values[c].
void scale_and_add_rows(std::span<const float> matrix, float scale, std::span<const float> row_values,
                        std::span<float> out);
/// out[i] = min(max(values[i], 0), ceiling). NaN goes through, so that the trainer notices it.
void clamp_from_zero(std::span<const float> values, float ceiling, std::span<float> out);
/// out[i] = gradient[i] where 0 < values[i] < ceiling, else 0.
void pass_between(std::span<const float> values, float ceiling, std::span<const float> gradient, std::span<float> out);

}  // namespace errata::training
