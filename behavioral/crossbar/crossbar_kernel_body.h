#pragma once

// The arithmetic of crossbar_kernel.h for one vector width. Included by one source for each instruction set; everything
// is in an unnamed namespace and no other header comes in, so that no code for a wider set can reach another source.

#include <cstddef>

#include "behavioral/crossbar/crossbar_kernel.h"

namespace errata::behavioral {
namespace {

using Vector = double __attribute__((vector_size(8 * kLanes), aligned(8)));  // unaligned loads
constexpr std::size_t kVectors = kKernelColumns / kLanes;

inline Vector load(const double* p) { return *reinterpret_cast<const Vector*>(p); }
inline void store(double* p, const Vector& v) { *reinterpret_cast<Vector*>(p) = v; }

/// row[j] += factor · pivot[j], j < count.
inline void add_multiple(double* row, const double* pivot, double factor, std::size_t count) {
  std::size_t j = 0;
  for (; j + kLanes <= count; j += kLanes) store(row + j, load(row + j) + factor * load(pivot + j));
  for (; j < count; ++j) row[j] += factor * pivot[j];
}

/// Sum in eight interleaved parts, whatever the vector width.
inline double sum(const double* row, std::size_t count) {
  double part[kKernelColumns] = {};
  Vector v[kVectors] = {};
  std::size_t j = 0;
  for (; j + kKernelColumns <= count; j += kKernelColumns)
    for (std::size_t l = 0; l < kVectors; ++l) v[l] += load(row + j + l * kLanes);
  for (std::size_t l = 0; l < kVectors; ++l) store(part + l * kLanes, v[l]);
  for (std::size_t l = 0; j < count; ++j, ++l) part[l] += row[j];
  return ((part[0] + part[4]) + (part[1] + part[5])) + ((part[2] + part[6]) + (part[3] + part[7]));
}

/// A tile of Rows × kKernelColumns of the target.
template <std::size_t Rows>
inline void update_tile(const MatrixUpdate& u, double* target, const double* weight, const double* row) {
  Vector sums[Rows][kVectors];
  for (std::size_t i = 0; i < Rows; ++i)
    for (std::size_t l = 0; l < kVectors; ++l) sums[i][l] = load(target + i * u.target_stride + l * kLanes);
  for (std::size_t k = 0; k < u.depth; ++k, weight += u.weight_depth_step, row += u.row_stride) {
    Vector v[kVectors];
    for (std::size_t l = 0; l < kVectors; ++l) v[l] = load(row + l * kLanes);
    for (std::size_t i = 0; i < Rows; ++i)
      for (std::size_t l = 0; l < kVectors; ++l) sums[i][l] += weight[i * u.weight_row_step] * v[l];
  }
  for (std::size_t i = 0; i < Rows; ++i)
    for (std::size_t l = 0; l < kVectors; ++l) store(target + i * u.target_stride + l * kLanes, sums[i][l]);
}

template <std::size_t Rows>
inline void update_rows(const MatrixUpdate& u, std::size_t i) {
  for (std::size_t j = u.triangle * (i / kKernelColumns * kKernelColumns); j < u.columns; j += kKernelColumns)
    update_tile<Rows>(u, u.target + i * u.target_stride + j, u.weight + i * u.weight_row_step, u.row + j);
}

inline void multiply_add(const MatrixUpdate& u) {
  std::size_t i = 0;
  for (; i + kTileRows <= u.rows; i += kTileRows) update_rows<kTileRows>(u, i);
  if constexpr (kTileRows > 4)
    for (; i + 4 <= u.rows; i += 4) update_rows<4>(u, i);
  if constexpr (kTileRows > 2)
    for (; i + 2 <= u.rows; i += 2) update_rows<2>(u, i);
  if (i < u.rows) update_rows<1>(u, i);
}

/// Shares of the pivots among themselves. Everything beyond them counts as one node, whose conductance to pivot k is
/// the sum of its row: it takes part in the elimination as a further column.
inline void eliminate_pivots(const FrontMatrix& f) {
  const std::size_t p = f.pivots;
  double* const beyond = f.pivot_ohms;  // in turn the conductance beyond the pivots, then 1 / sum
  for (std::size_t k = 0; k < p; ++k) beyond[k] = sum(f.to_boundary + k * f.boundary_stride, f.boundary_stride);
  for (std::size_t k = 0; k < p; ++k) {
    const double* pivot = f.among_pivots + k * p;
    double* shares = f.pivot_shares + k * p;
    const double total = sum(pivot + k + 1, p - k - 1) + beyond[k];
    const double ohms = total > 0 ? 1 / total : 0;
    for (std::size_t i = k + 1; i < p; ++i) {
      const double share = shares[i] = pivot[i] * ohms;
      if (share == 0) continue;
      add_multiple(f.among_pivots + i * p + i + 1, pivot + i + 1, share, p - i - 1);
      beyond[i] += share * beyond[k];
    }
    beyond[k] = ohms;
  }
}

/// Brings the conductances to the boundary of every pivot up to date, then makes them shares.
inline void eliminate_to_boundary(const FrontMatrix& f) {
  constexpr std::size_t kBlock = 16;
  const std::size_t p = f.pivots, stride = f.boundary_stride;
  for (std::size_t start = 0; start < p; start += kBlock) {
    const std::size_t end = start + kBlock < p ? start + kBlock : p;
    for (std::size_t k = start; k < end; ++k)
      for (std::size_t i = k + 1; i < end; ++i) {
        const double share = f.pivot_shares[k * p + i];
        if (share != 0) add_multiple(f.to_boundary + i * stride, f.to_boundary + k * stride, share, stride);
      }
    if (end < p)
      multiply_add({.target = f.to_boundary + end * stride,
                    .target_stride = stride,
                    .weight = f.pivot_shares + start * p + end,
                    .weight_row_step = 1,
                    .weight_depth_step = p,
                    .row = f.to_boundary + start * stride,
                    .row_stride = stride,
                    .depth = end - start,
                    .rows = p - end,
                    .columns = stride});
  }
  for (std::size_t k = 0; k < p; ++k) {
    const double ohms = f.pivot_ohms[k];
    const double* row = f.to_boundary + k * stride;
    double* shares = f.boundary_shares + k * stride;
    for (std::size_t j = 0; j < stride; j += kLanes) store(shares + j, ohms * load(row + j));
  }
}

inline void eliminate(const FrontMatrix& f) {
  constexpr std::size_t kDepth = 32;  // a strip of the rows stays in the first-level cache
  eliminate_pivots(f);
  eliminate_to_boundary(f);
  const std::size_t stride = f.boundary_stride;
  for (std::size_t k = 0; k < f.pivots; k += kDepth)
    multiply_add({.target = f.among_boundary,
                  .target_stride = stride,
                  .weight = f.boundary_shares + k * stride,
                  .weight_row_step = 1,
                  .weight_depth_step = stride,
                  .row = f.to_boundary + k * stride,
                  .row_stride = stride,
                  .depth = k + kDepth < f.pivots ? kDepth : f.pivots - k,
                  .rows = f.boundary,
                  .columns = stride,
                  .triangle = 1});
}

}  // namespace
}  // namespace errata::behavioral
