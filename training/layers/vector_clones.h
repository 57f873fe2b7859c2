#pragma once

/// Compiles a function for several vector widths; the loader picks one. Results are the same on each as long as the
/// function has + − × ÷ √, comparisons and a fixed number of lanes in its sums (nothing is contracted, see
/// cmake/ErrataTarget.cmake).
#define ERRATA_VECTOR_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))

/// In front of a loop whose iterations do not depend on each other, though its pointers may be equal.
#if defined(__clang__)
#define ERRATA_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define ERRATA_INDEPENDENT _Pragma("GCC ivdep")
#endif
