#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/run_context.h"

namespace errata {

/// Resident memory of this process.
std::uint64_t resident_bytes();

/// Runs items in forked worker processes that may hang, crash or exit without harm to the others.
///
/// A worker gets one batch of items at a time and answers item by item, so that a death costs the running item
/// only: finished items of the batch are kept and the rest goes to another worker. Results never depend on which
/// worker did what.
///
/// With forked batches a worker only prepares itself (loads a deck) and forks a child for each batch. A death is the
/// child's: the worker stays prepared, and the rest of the batch runs in a child for each item.
class WorkerPool {
 public:
  /// What a worker says about one item. `recycle` asks for a fresh process before the next item.
  struct Answer {
    std::string bytes;
    bool recycle = false;
  };

  /// What a worker process does; lives there.
  struct Handler {
    /// Answers one item.
    std::function<Answer(std::size_t item)> answer;
    /// Does what the answers need in common, before a child is forked. Returns how many of the items, from the first,
    /// it serves; 0 when the process is of no use any more: it then answers the first item itself and is replaced.
    /// Without it every batch is one child.
    std::function<std::size_t(std::span<const std::uint64_t> items)> prepare = {};

    Handler() = default;
    template <std::invocable<std::size_t> Function>
    Handler(Function function) : answer(std::move(function)) {}
    template <std::invocable<std::size_t> Function, std::invocable<std::span<const std::uint64_t>> Prepare>
    Handler(Function function, Prepare preparation) : answer(std::move(function)), prepare(std::move(preparation)) {}
  };
  /// Makes the handler, in the worker process, inside its own empty folder.
  using HandlerFactory = std::function<Handler()>;

  enum class Outcome { kAnswered, kTimeout, kCrashed };
  struct Reply {
    Outcome outcome = Outcome::kAnswered;
    std::string bytes;   ///< empty unless answered
    std::string reason;  ///< "signal 11", "exit status 1"; empty when answered
  };
  using OnReply = std::function<void(std::size_t item, Reply reply)>;

  /// Which process answers. Forking costs about 0.4 ms with 10 MB of resident memory and 11 ms with 330 MB for each
  /// batch, and saves a start and a preparation for each death.
  enum class Isolation {
    kWorker,                 ///< the worker itself
    kForkedBatch,            ///< a child for each batch
    kForkedBatchAfterALoss,  ///< the worker itself until an item is lost, then a child for each batch
  };

  struct Options {
    int workers = 1;
    double deadline_seconds = 60.0;     ///< wall clock for one item; SIGKILL when it passes
    std::size_t chunk = 16;             ///< items sent at once; more of quick ones, unless it is 1
    std::size_t forked_chunk = 128;     ///< the same with forked batches
    std::size_t recycle_after = 10000;  ///< items after which a worker is replaced
    std::uint64_t memory_limit_bytes = std::uint64_t{8} << 30;  ///< RLIMIT_AS of a worker beyond what it inherits
    Isolation isolation = Isolation::kWorker;
  };

  /// How a run went.
  struct Summary {
    std::size_t lost = 0;  ///< items that ended in a time-out or crash
    bool forked = false;   ///< batches ran in children at its end
  };

  WorkerPool(Options options, HandlerFactory make_handler);

  /// Runs the items, in any order; `on_reply` is called once for each, in this process and thread.
  /// Throws Error(interrupted) after finished items have been delivered when the context is cancelled,
  /// and Error(environment, E603) when workers die again and again before the first answer.
  Summary run(const std::vector<std::size_t>& items, const OnReply& on_reply, const RunContext& context);

 private:
  Options options_;
  HandlerFactory make_handler_;
};

}  // namespace errata
