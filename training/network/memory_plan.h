#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace errata::training {

/// A piece of memory that is in use from one step to another, both inclusive.
struct MemoryUse {
  std::size_t size = 0;  ///< in units of the caller's choice
  std::size_t first = 0, last = 0;
};

/// Where pieces lie: those in use at the same time never overlap.
struct MemoryPlan {
  std::vector<std::size_t> offsets;
  std::size_t total = 0;
};

/// Packs the pieces, largest first, each at the lowest offset that is free during its use. Offsets are multiples of
/// `alignment`. Sizes of 0 are allowed.
MemoryPlan plan_memory(std::span<const MemoryUse> uses, std::size_t alignment);

}  // namespace errata::training
