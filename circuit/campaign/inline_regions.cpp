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

/// Whether this thread is inside of a region that runs in place. A thread without a team has one work share: a dynamic
/// loop in a second region in place would overwrite that of the loop around it.
thread_local bool in_place = false;

struct InPlace {
  InPlace() { in_place = true; }
  ~InPlace() { in_place = false; }
};

}  // namespace

/// What gcc compiles `#pragma omp parallel` to, with the signature of its ABI. Outside of a team omp_get_num_threads()
/// is 1 and barriers return at once, so that the region does the same in place; inside of one they speak of that team.
extern "C" [[gnu::visibility("default")]] void GOMP_parallel(Region region, void* data, unsigned threads,
                                                             unsigned flags) {
  const bool alone =
      !in_place && omp_get_level() == 0 && (threads == 1 || (threads == 0 && omp_get_max_threads() == 1));
  if (!alone && of_libgomp() != nullptr) return of_libgomp()(region, data, threads, flags);
  const InPlace here;
  region(data);
}

namespace errata::circuit {

bool one_thread_regions_run_inline() { return ::dlsym(RTLD_DEFAULT, "GOMP_parallel") == &GOMP_parallel; }

}  // namespace errata::circuit
