#include "behavioral/crossbar/crossbar_kernel.h"

namespace errata::behavioral {

const CrossbarKernels& fastest_kernels() {
#ifdef ERRATA_X86_KERNELS
  if (__builtin_cpu_supports("avx512f")) return kAvx512Kernels;
  if (__builtin_cpu_supports("avx2")) return kAvx2Kernels;
#endif
  return kBaselineKernels;
}

}  // namespace errata::behavioral
