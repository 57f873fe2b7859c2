#include "circuit/campaign/inline_regions.h"

#include <dlfcn.h>
#include <omp.h>

namespace {

using Region = void (*)(void*);
using Parallel = void (*)(Region, void*, unsigned, unsigned);

Parallel of_libgomp() {
  static const auto found = reinterpret_cast<Parallel>(::dlsym(RTLD_NEXT, "GOMP_parallel"));
  return found;
}

}  // namespace

/// What gcc compiles `#pragma omp parallel` to, with the signature of its ABI. Outside of a team omp_get_num_threads()
/// is 1 and barriers return at once, so that the region does the same in place; inside of one they speak of that team.
extern "C" [[gnu::visibility("default")]] void GOMP_parallel(Region region, void* data, unsigned threads,
                                                             unsigned flags) {
  const bool alone = omp_get_level() == 0 && (threads == 1 || (threads == 0 && omp_get_max_threads() == 1));
  if (alone || of_libgomp() == nullptr)
    region(data);
  else
    of_libgomp()(region, data, threads, flags);
}

namespace errata::circuit {

bool one_thread_regions_run_inline() { return ::dlsym(RTLD_DEFAULT, "GOMP_parallel") == &GOMP_parallel; }

}  // namespace errata::circuit
