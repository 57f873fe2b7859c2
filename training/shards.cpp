#include "training/shards.h"

#include <omp.h>

#include <exception>

namespace errata::training {

void for_each_shard(std::size_t shards, int threads, const std::function<void(std::size_t)>& work) {
  std::exception_ptr failure;
  std::size_t failed_shard = shards;
  const int team = std::max(1, std::min(threads, static_cast<int>(shards)));
#pragma omp parallel num_threads(team)
  {
    omp_set_num_threads(1);  // of this region only; a team of one would otherwise let oneDNN open its own
#pragma omp for schedule(dynamic, 1)
    for (std::size_t shard = 0; shard < shards; ++shard) {
      try {
        work(shard);
      } catch (...) {
#pragma omp critical(errata_shard_failure)
        if (shard < failed_shard) {
          failed_shard = shard;
          failure = std::current_exception();
        }
      }
    }
  }
  if (failure) std::rethrow_exception(failure);
}

void run_as_shard(const std::function<void()>& work) {
  for_each_shard(1, 1, [&](std::size_t) { work(); });
}

std::size_t worker_number() { return static_cast<std::size_t>(omp_get_thread_num()); }

}  // namespace errata::training
