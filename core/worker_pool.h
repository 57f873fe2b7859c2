#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/run_context.h"

namespace errata {

/// Resident memory of this process.
std::uint64_t resident_bytes();

/// Runs items in forked worker processes that may hang, crash or exit without harm to the others.
///
/// A worker gets one chunk of items at a time and answers item by item, so that a death costs the running item
/// only: finished items of the chunk are kept and the rest goes to another worker. Results never depend on which
/// worker did what.
class WorkerPool {
 public:
  /// What a worker says about one item. `recycle` asks for a fresh process before the next item.
  struct Answer {
    std::string bytes;
    bool recycle = false;
  };
  /// Answers one item; lives in the worker process.
  using Handler = std::function<Answer(std::size_t item)>;
  /// Makes the handler, in the worker process, inside its own empty folder.
  using HandlerFactory = std::function<Handler()>;

  enum class Outcome { kAnswered, kTimeout, kCrashed };
  struct Reply {
    Outcome outcome = Outcome::kAnswered;
    std::string bytes;   ///< empty unless answered
    std::string reason;  ///< "signal 11", "exit status 1"; empty when answered
  };
  using OnReply = std::function<void(std::size_t item, Reply reply)>;

  struct Options {
    int workers = 1;
    double deadline_seconds = 60.0;                             ///< wall clock for one item; SIGKILL when it passes
    std::size_t chunk = 16;                                     ///< items sent at once
    std::size_t recycle_after = 10000;                          ///< items after which a worker is replaced
    std::uint64_t memory_limit_bytes = std::uint64_t{8} << 30;  ///< RLIMIT_AS of a worker beyond what it inherits
  };

  WorkerPool(Options options, HandlerFactory make_handler);

  /// Runs the items, in any order; `on_reply` is called once for each, in this process and thread.
  /// Throws Error(interrupted) after finished items have been delivered when the context is cancelled,
  /// and Error(environment, E603) when workers die again and again before the first answer.
  void run(const std::vector<std::size_t>& items, const OnReply& on_reply, const RunContext& context);

 private:
  Options options_;
  HandlerFactory make_handler_;
};

}  // namespace errata
