#pragma once

#include <span>

#include "training/hardware/fast_normal.h"

namespace errata::training {

/// Plain loops that say what the vector kernels beside them compute: the same bits, slowly. For tests.

/// fill_normals().
void fill_normals_reference(const NormalBlock& block, std::span<float> out);

}  // namespace errata::training
