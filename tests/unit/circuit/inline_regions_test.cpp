#include "circuit/campaign/inline_regions.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <vector>

namespace errata::circuit {
namespace {

struct Seen {
  std::vector<int> visits;
  int threads = 0;
};

/// A loop of ten iterations, shared by a region of so many threads.
Seen loop_in_a_region(int threads) {
  Seen seen{.visits = std::vector<int>(10, 0)};
#pragma omp parallel num_threads(threads)
  {
#pragma omp single
    seen.threads = omp_get_num_threads();
#pragma omp for schedule(dynamic)
    for (int i = 0; i < 10; ++i) ++seen.visits[static_cast<std::size_t>(i)];
  }
  return seen;
}

TEST(InlineRegions, ThisProgramReplacesTheEntryOfLibgomp) { EXPECT_TRUE(one_thread_regions_run_inline()); }

TEST(InlineRegions, OneThreadDoesEveryIterationOnce) {
  const Seen seen = loop_in_a_region(1);
  EXPECT_EQ(seen.threads, 1);
  EXPECT_EQ(seen.visits, std::vector<int>(10, 1));
}

TEST(InlineRegions, TwoThreadsShareTheIterations) {
  const Seen seen = loop_in_a_region(2);
  EXPECT_EQ(seen.threads, 2);
  EXPECT_EQ(seen.visits, std::vector<int>(10, 1));
}

TEST(InlineRegions, OneThreadInsideOfTwoIsATeamOfItsOwn) {
  std::vector<Seen> seen(2);
#pragma omp parallel num_threads(2)
  seen[static_cast<std::size_t>(omp_get_thread_num())] = loop_in_a_region(1);
  for (const Seen& s : seen) {
    EXPECT_EQ(s.threads, 1);
    EXPECT_EQ(s.visits, std::vector<int>(10, 1));
  }
}

TEST(InlineRegions, ALoopInsideOfALoopLeavesItsIterations) {
  std::vector<Seen> seen(4);
#pragma omp parallel num_threads(1)
  {
#pragma omp single
    seen.resize(4);  // or gcc calls one function for region and loop, which is libgomp's own
#pragma omp for schedule(dynamic)
    for (std::size_t k = 0; k < 4; ++k) seen[k] = loop_in_a_region(1);
  }
  for (const Seen& s : seen) {
    EXPECT_EQ(s.threads, 1);
    EXPECT_EQ(s.visits, std::vector<int>(10, 1));
  }
}

}  // namespace
}  // namespace errata::circuit
