#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>

namespace errata::training {

/// Images per shard. A batch is always cut at the same places, each shard is worked on by one thread, and
/// sums over shards are taken in shard order: this is why results do not depend on the thread count.
inline constexpr std::size_t kShardImages = 16;

inline std::size_t shard_count(std::size_t images) { return (images + kShardImages - 1) / kShardImages; }
inline std::size_t shard_begin(std::size_t shard) { return shard * kShardImages; }
inline std::size_t shard_size(std::size_t images, std::size_t shard) {
  return std::min(kShardImages, images - shard_begin(shard));
}

/// Threads that work on shards together. Waiting for work they spin for some microseconds and then sleep, and the
/// caller never waits for a thread that has not begun: on a busy machine little is lost. (OpenMP's own threads spin for
/// milliseconds at every barrier, which made small networks ten times slower there.)
class ShardTeam {
 public:
  /// A team of `threads` (at least 1), the caller of for_each() among them.
  explicit ShardTeam(int threads);
  ~ShardTeam();
  ShardTeam(const ShardTeam&) = delete;
  ShardTeam& operator=(const ShardTeam&) = delete;

  int threads() const;

  /// Runs `work(item)` for every item below `count` and returns when all are done; inside, OpenMP and oneDNN see one
  /// thread. When items throw, the exception of the lowest is rethrown after all have ended. One caller at a time, and
  /// not from inside `work`.
  void for_each(std::size_t count, const std::function<void(std::size_t)>& work);

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

/// The same with a team for this call only.
void for_each_shard(std::size_t shards, int threads, const std::function<void(std::size_t)>& work);

/// Runs `work` in the environment that a shard has, on the calling thread (oneDNN primitives made here suit
/// shards).
void run_as_shard(const std::function<void()>& work);

}  // namespace errata::training
