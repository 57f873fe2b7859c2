#include "training/network/memory_plan.h"

#include <algorithm>
#include <numeric>

namespace errata::training {

MemoryPlan plan_memory(std::span<const MemoryUse> uses, std::size_t alignment) {
  MemoryPlan plan;
  plan.offsets.assign(uses.size(), 0);
  std::vector<std::size_t> order(uses.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return uses[a].size > uses[b].size; });
  struct Taken {
    std::size_t begin, end;
  };
  for (std::size_t place = 0; place < order.size(); ++place) {
    const MemoryUse& use = uses[order[place]];
    std::vector<Taken> taken;
    for (std::size_t other : std::span(order).first(place))
      if (uses[other].first <= use.last && use.first <= uses[other].last)
        taken.push_back({plan.offsets[other], plan.offsets[other] + uses[other].size});
    std::ranges::sort(taken, {}, &Taken::begin);
    std::size_t offset = 0;
    for (const Taken& other : taken) {
      if (offset + use.size <= other.begin) break;
      offset = std::max(offset, (other.end + alignment - 1) / alignment * alignment);
    }
    plan.offsets[order[place]] = offset;
    plan.total = std::max(plan.total, offset + use.size);
  }
  return plan;
}

}  // namespace errata::training
