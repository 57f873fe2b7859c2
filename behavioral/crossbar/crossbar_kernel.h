#pragma once

#include <cstddef>

namespace errata::behavioral {

/// target[i][j] += Σ_k weight(i, k) · row[k][j], summed in order of k. `columns` is a multiple of kKernelColumns.
struct MatrixUpdate {
  double* target = nullptr;  ///< [rows][target_stride]
  std::size_t target_stride = 0;
  const double* weight = nullptr;  ///< weight(i, k) = weight[i · weight_row_step + k · weight_depth_step]
  std::size_t weight_row_step = 0, weight_depth_step = 0;
  const double* row = nullptr;  ///< [depth][row_stride]
  std::size_t row_stride = 0;
  std::size_t depth = 0, rows = 0, columns = 0;
  std::size_t triangle = 0;  ///< 1: what lies below the diagonal need not be right
};

/// The dense part of one elimination step (methods.md §5.3). A front's matrix holds the conductance between its nodes
/// i < j; a diagonal is never stored. Rows and columns are the pivots first, then the boundary.
struct FrontMatrix {
  std::size_t pivots = 0, boundary = 0;
  std::size_t boundary_stride = 0;   ///< boundary rounded up to kKernelColumns; the padding is 0 and stays 0
  double* among_pivots = nullptr;    ///< [pivots][pivots], destroyed
  double* to_boundary = nullptr;     ///< [pivots][boundary_stride], destroyed
  double* among_boundary = nullptr;  ///< [boundary][boundary_stride], updated above the diagonal
  /// What the elimination leaves: each pivot's conductances as shares of their sum, and 1 / sum (0 for a node that
  /// nothing reaches).
  double* pivot_shares = nullptr;     ///< [pivots][pivots], above the diagonal
  double* boundary_shares = nullptr;  ///< [pivots][boundary_stride]
  double* pivot_ohms = nullptr;       ///< [pivots]
};

constexpr std::size_t kKernelColumns = 8;

/// The dense arithmetic of the crossbar solver, for one vector width. Every width gives the same bits: no contraction,
/// the same order of additions.
struct CrossbarKernels {
  void (*multiply_add)(const MatrixUpdate&);

  /// Eliminates the pivots one after the other: with d_k = Σ_{j>k} g_kj,
  ///
  ///     g_ij ← g_ij + g_ki g_kj / d_k        for all remaining i, j
  ///
  /// (star-mesh transformation; Grassmann, Taksar and Heyman 1985). Nothing is subtracted, so every result carries a
  /// relative error of a few rounding errors, however far apart the conductances are.
  void (*eliminate)(const FrontMatrix&);
};

/// The widest that this processor runs.
const CrossbarKernels& fastest_kernels();

/// Vectors of 2, 4 and 8 doubles. The wider ones need a processor with AVX2, AVX-512; other architectures have the
/// first only.
extern const CrossbarKernels kBaselineKernels;
#ifdef ERRATA_X86_KERNELS
extern const CrossbarKernels kAvx2Kernels;
extern const CrossbarKernels kAvx512Kernels;
#endif

}  // namespace errata::behavioral
