#pragma once

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cstdint>

namespace errata::testing {

/// Runs `work` once for each instruction set of this processor that Highway's kernels are compiled for, then goes back
/// to the best.
template <class Work>
void for_each_vector_target(Work work) {
  const std::int64_t supported = hwy::SupportedTargets();
  int tried = 0;
  for (std::int64_t rest = supported & HWY_TARGETS; rest != 0; rest &= rest - 1) {
    const std::int64_t target = rest & -rest;
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().DeInit();
    SCOPED_TRACE(hwy::TargetName(target));
    work();
    ++tried;
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().DeInit();
  EXPECT_GT(tried, 0);
}

}  // namespace errata::testing
