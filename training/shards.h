#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>

namespace errata::training {

/// Images per shard. A batch is always cut at the same places, each shard is worked on by one thread, and
/// sums over shards are taken in shard order: this is why results do not depend on the thread count.
inline constexpr std::size_t kShardImages = 16;

inline std::size_t shard_count(std::size_t images) { return (images + kShardImages - 1) / kShardImages; }
inline std::size_t shard_begin(std::size_t shard) { return shard * kShardImages; }
inline std::size_t shard_size(std::size_t images, std::size_t shard) {
  return std::min(kShardImages, images - shard_begin(shard));
}

/// Runs `work(shard)` for every shard on up to `threads` threads; inside, OpenMP and oneDNN see one thread.
/// When shards throw, the exception of the lowest shard is rethrown after all have ended.
void for_each_shard(std::size_t shards, int threads, const std::function<void(std::size_t)>& work);

/// Runs `work` in the environment that a shard has, on the calling thread (oneDNN primitives made here suit
/// shards).
void run_as_shard(const std::function<void()>& work);

/// Number of the calling thread within for_each_shard, below its `threads`.
std::size_t worker_number();

}  // namespace errata::training
