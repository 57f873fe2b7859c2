#pragma once

namespace errata::circuit {

/// Says whether this program's parallel regions of one thread run in place, without a team of libgomp.
///
/// ngspice's BSIM4 opens a parallel region at every Newton iteration. With `num_threads=1` libgomp still allocates a
/// team of one, wakes nobody by a system call and frees it: 10 to 15 % of a small cell's operating point. The object
/// file of this function replaces libgomp's entry for such regions; calling it makes sure that the linker takes it in
/// (decision 0022).
bool one_thread_regions_run_inline();

}  // namespace errata::circuit
