#pragma once

#include <poll.h>
#include <sys/types.h>

#include <chrono>
#include <deque>
#include <span>
#include <string>

#include "core/worker_channel.h"
#include "core/worker_pool.h"

namespace errata {

/// A point of time by which a worker has to have said something.
class Deadline {
 public:
  using Clock = std::chrono::steady_clock;
  explicit Deadline(double seconds = 0.0) { restart(seconds); }
  void restart(double seconds) {
    at_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  }
  /// Gives back time in which this process did not run.
  void extend(Clock::duration late) { at_ += late; }
  bool passed() const { return Clock::now() >= at_; }
  Clock::time_point at() const { return at_; }

 private:
  Clock::time_point at_;
};

/// Waits until one of the sockets has something, or `until`. Returns how much too late it came back: this process
/// stood still (stopped by a shell, a suspended machine), and so may the workers have.
Deadline::Clock::duration wait_for(std::span<pollfd> sockets, Deadline::Clock::time_point until);

/// How a process ended: "signal 9", "exit status 1".
std::string describe_status(int status);

/// One forked process of a WorkerPool, seen from the pool.
struct WorkerProcess {
  pid_t pid = -1;
  int socket = -1;
  std::string folder;
  std::deque<std::size_t> pending;  ///< items sent and not yet answered
  std::size_t answered = 0;
  bool leaving = false;  ///< it said so with its last answer
  bool forks = false;    ///< a child for each batch
  Deadline deadline;
  Deadline::Clock::time_point sent;  ///< when the batch of now was sent
  std::size_t batch = 0;             ///< its items
  double seconds_per_item = 0.0;     ///< of the last whole batch; 0: not known
  MessageReader input;

  bool alive() const { return pid > 0; }
  /// How long its batch will take from now on, as far as that can be known.
  double seconds_left() const { return seconds_per_item * static_cast<double>(pending.size()); }
  /// Starts the process; it closes `foreign`, the sockets of its siblings.
  void start(const WorkerPool::HandlerFactory& factory, const WorkerPool::Options& options, bool in_children,
             std::span<const int> foreign);
  /// Ends the process, its child and its folder; says how it ended.
  std::string stop();
};

/// Removes folders that killed runs have left: the process number in the name lives no more.
void remove_stale_worker_folders();

/// Answers a batch in child processes of this worker, one for the batch, or after a death one for each item left.
/// False when this process has to leave.
bool answer_in_children(int channel, const WorkerPool::Handler& handler, std::span<const std::uint64_t> items,
                        double deadline_seconds);

}  // namespace errata
