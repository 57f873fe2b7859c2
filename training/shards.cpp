#include "training/shards.h"

#include <immintrin.h>
#include <omp.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace errata::training {

namespace {

/// OpenMP, and with it oneDNN, sees one thread on the calling thread while this lives.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(before_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

/// Spins until `ready`, a hundred microseconds at most; the last value of `ready`.
template <typename Ready>
bool spin_until(const Ready& ready) {
  constexpr int kSpins = 3000;
  for (int i = 0; i < kSpins; ++i) {
    if (ready()) return true;
    _mm_pause();
  }
  return ready();
}

}  // namespace

struct ShardTeam::Implementation {
  explicit Implementation(int threads) {
    for (int i = 1; i < threads; ++i) workers.emplace_back([this] { live(); });
  }
  ~Implementation() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    work_there.notify_all();
    for (auto& worker : workers) worker.join();
  }

  /// Takes the next item, if one is left. What an item needs (work, count) stays as it is until the item is done.
  bool take(std::size_t& item) {
    std::uint64_t left = remaining.load(std::memory_order_acquire);
    while (left > 0)
      if (remaining.compare_exchange_weak(left, left - 1, std::memory_order_acq_rel)) {
        item = count - left;
        return true;
      }
    return false;
  }

  void do_items() {
    for (std::size_t item = 0; take(item);) {
      try {
        (*work)(item);
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (item < failed_item) {
          failed_item = item;
          failure = std::current_exception();
        }
      }
      // The caller may end the job once the last item is counted; `count` must not be read after that.
      const std::size_t all = count;
      if (done.fetch_add(1, std::memory_order_acq_rel) + 1 == all) {
        const std::lock_guard lock(mutex);
        all_done.notify_one();
      }
    }
  }

  void live() {
    omp_set_num_threads(1);
    const auto has_work = [this] { return remaining.load(std::memory_order_acquire) > 0; };
    while (true) {
      if (!spin_until(has_work)) {
        std::unique_lock lock(mutex);
        work_there.wait(lock, [&] { return stopping || has_work(); });
        if (stopping) return;
      }
      do_items();
    }
  }

  void run(std::size_t items, const std::function<void(std::size_t)>& job) {
    {
      const std::lock_guard lock(mutex);
      work = &job;
      count = items;
      failed_item = items;
      failure = nullptr;
      done.store(0, std::memory_order_relaxed);
      remaining.store(items, std::memory_order_release);
    }
    work_there.notify_all();
    do_items();
    const auto finished = [&] { return done.load(std::memory_order_acquire) == items; };
    if (!spin_until(finished)) {
      std::unique_lock lock(mutex);
      all_done.wait(lock, finished);
    }
    if (failure) std::rethrow_exception(std::exchange(failure, nullptr));
  }

  std::mutex mutex;
  std::condition_variable work_there, all_done;
  std::atomic<std::uint64_t> remaining{0}, done{0};
  const std::function<void(std::size_t)>* work = nullptr;
  std::size_t count = 0, failed_item = 0;
  std::exception_ptr failure;
  bool stopping = false;
  std::vector<std::thread> workers;
};

ShardTeam::ShardTeam(int threads) : implementation_(std::make_unique<Implementation>(threads)) {}
ShardTeam::~ShardTeam() = default;

int ShardTeam::threads() const { return static_cast<int>(implementation_->workers.size()) + 1; }

void ShardTeam::for_each(std::size_t count, const std::function<void(std::size_t)>& work) {
  if (count == 0) return;
  const OneThread guard;
  if (count == 1) return work(0);
  implementation_->run(count, work);
}

void for_each_shard(std::size_t shards, int threads, const std::function<void(std::size_t)>& work) {
  ShardTeam(std::min(threads, static_cast<int>(shards))).for_each(shards, work);
}

void run_as_shard(const std::function<void()>& work) {
  const OneThread guard;
  work();
}

}  // namespace errata::training
