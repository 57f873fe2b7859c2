#include "core/worker_pool.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <fstream>

#include "core/worker_process.h"

namespace errata {

namespace {

using Clock = Deadline::Clock;
using Outcome = WorkerPool::Outcome;
using Isolation = WorkerPool::Isolation;

/// One run of a pool; the destructor leaves no process and no folder behind.
class Run {
 public:
  Run(const WorkerPool::Options& options, const WorkerPool::HandlerFactory& factory,
      const std::vector<std::size_t>& items, const WorkerPool::OnReply& on_reply)
      : options_(options),
        factory_(factory),
        on_reply_(on_reply),
        queue_(items.begin(), items.end()),
        open_(items.size()),
        workers_(std::min<std::size_t>(std::max(1, options.workers), std::max<std::size_t>(1, items.size()))),
        forks_(options.isolation == Isolation::kForkedBatch) {}
  ~Run() {
    for (auto& worker : workers_) worker.stop();
  }
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  WorkerPool::Summary run(const RunContext& context) {
    while (open_ > 0) {
      stop_if_cancelled(context);
      for (auto& worker : workers_) feed(worker);
      round();
    }
    return {lost_, forks_};
  }

 private:
  void feed(WorkerProcess& worker) {
    if (queue_.empty() || !worker.pending.empty()) return;
    const bool spent = !worker.forks && worker.answered >= options_.recycle_after;
    if (worker.alive() && (spent || worker.forks != forks_)) worker.stop();
    if (!worker.alive()) worker.start(factory_, options_, forks_, sockets_but(worker));
    const std::size_t count = chunk_for(worker);
    std::vector<std::uint64_t> message{count};
    for (std::size_t i = 0; i < count; ++i) {
      message.push_back(queue_.front());
      worker.pending.push_back(queue_.front());
      queue_.pop_front();
    }
    allow(worker);
    worker.sent = Clock::now();
    worker.batch = count;
    write_all(worker.socket, message.data(), message.size() * sizeof(std::uint64_t));
  }

  /// Quick items go in long batches: a worker is idle from its last answer until the next batch arrives, and a fork
  /// has its price.
  std::size_t chunk_for(const WorkerProcess& worker) const {
    constexpr double kSeconds = 0.02, kForkedSeconds = 0.2;
    constexpr std::size_t kLongest = 1024;
    std::size_t chunk = forks_ ? options_.forked_chunk : options_.chunk;
    if (chunk > 1 && worker.seconds_per_item > 0.0) {
      const double quick = (forks_ ? kForkedSeconds : kSeconds) / worker.seconds_per_item;
      chunk = std::max(chunk, static_cast<std::size_t>(std::min<double>(quick, kLongest)));
    }
    if (!forks_) chunk = std::min(chunk, options_.recycle_after - std::min(options_.recycle_after, worker.answered));
    // Small chunks at the end keep all workers busy.
    const std::size_t fair = (queue_.size() + workers_.size() - 1) / workers_.size();
    return std::clamp<std::size_t>(std::min(chunk, fair), 1, queue_.size());
  }

  /// Lets quick answers pile up: taking each by itself would cost about as much as a small operating point.
  void nap() const {
    constexpr double kShortest = 2e-3, kLongest = 2e-3;
    double left = 1.0;
    for (const auto& worker : workers_)
      if (worker.alive() && !worker.pending.empty()) left = std::min(left, worker.seconds_left());
    if (left >= kShortest) ::usleep(static_cast<useconds_t>(1e6 * std::min(left / 4, kLongest)));
  }

  /// Waits for answers, at most until the next deadline, and takes them.
  void round() {
    nap();
    std::vector<pollfd> polled;
    std::vector<WorkerProcess*> owners;
    auto next = Clock::now() + std::chrono::milliseconds(200);
    for (auto& worker : workers_) {
      if (!worker.alive() || worker.pending.empty()) continue;
      polled.push_back({worker.socket, POLLIN, 0});
      owners.push_back(&worker);
      next = std::min(next, worker.deadline.at());
    }
    const auto late = wait_for(polled, next);
    for (auto* worker : owners) worker->deadline.extend(late);
    for (std::size_t i = 0; i < polled.size(); ++i)
      if (polled[i].revents != 0) receive(*owners[i]);
    for (auto* worker : owners)
      if (worker->alive() && worker->deadline.passed() && !has_something(*worker)) lose(*worker, Outcome::kTimeout);
  }

  /// What came while another worker's answers were taken is in time.
  static bool has_something(const WorkerProcess& worker) {
    pollfd one{worker.socket, POLLIN, 0};
    return ::poll(&one, 1, 0) > 0;
  }

  void receive(WorkerProcess& worker) {
    if (!worker.input.receive(worker.socket)) {
      lose(worker, Outcome::kCrashed);
      return;
    }
    while (auto message = worker.input.next()) {
      if (worker.pending.empty() || message->item != worker.pending.front()) {  // a worker gone mad
        lose(worker, Outcome::kCrashed);
        return;
      }
      take(worker, std::move(*message));
    }
    allow(worker);
    if (!worker.leaving) return;
    worker.stop();  // it left on its own after an answer; nothing is lost
    requeue_rest(worker);
  }

  void take(WorkerProcess& worker, WorkerMessage message) {
    worker.pending.pop_front();
    if (worker.pending.empty())
      worker.seconds_per_item =
          std::chrono::duration<double>(Clock::now() - worker.sent).count() / static_cast<double>(worker.batch);
    ++worker.answered;
    worker.leaving = message.kind == WorkerMessage::kAnswerAndLeave;
    const bool answered = message.kind == WorkerMessage::kAnswer || worker.leaving;
    any_answer_ = any_answer_ || answered;
    if (answered)
      reply(message.item, {Outcome::kAnswered, std::move(message.bytes), {}});
    else
      reply(message.item, {message.kind == WorkerMessage::kTimeout ? Outcome::kTimeout : Outcome::kCrashed,
                           {},
                           std::move(message.bytes)});
  }

  void lose(WorkerProcess& worker, Outcome outcome) {
    const std::string reason = worker.stop();
    if (worker.pending.empty()) return;
    if (!any_answer_ && outcome == Outcome::kCrashed && ++deaths_before_first_answer_ > 8)
      throw Error(ExitStatus::kEnvironment, "E603",
                  fmt::format("simulation workers die before they answer ({})", reason), "run `errata doctor`");
    const std::size_t item = worker.pending.front();
    worker.pending.pop_front();
    requeue_rest(worker);
    reply(item, {outcome, {}, outcome == Outcome::kTimeout ? "deadline passed" : reason});
  }

  void reply(std::size_t item, WorkerPool::Reply reply) {
    --open_;
    if (reply.outcome != Outcome::kAnswered) {
      ++lost_;
      forks_ = forks_ || options_.isolation == Isolation::kForkedBatchAfterALoss;
    }
    on_reply_(item, std::move(reply));
  }

  void requeue_rest(WorkerProcess& worker) {
    while (!worker.pending.empty()) {
      queue_.push_front(worker.pending.back());
      worker.pending.pop_back();
    }
  }

  /// A worker with a child kills it by itself; its own limit is for what it does before it forks.
  void allow(WorkerProcess& worker) const {
    worker.deadline.restart(worker.forks ? 2 * options_.deadline_seconds + 1 : options_.deadline_seconds);
  }

  std::vector<int> sockets_but(const WorkerProcess& own) const {
    std::vector<int> sockets;
    for (const auto& worker : workers_)
      if (&worker != &own && worker.alive()) sockets.push_back(worker.socket);
    return sockets;
  }

  const WorkerPool::Options& options_;
  const WorkerPool::HandlerFactory& factory_;
  const WorkerPool::OnReply& on_reply_;
  std::deque<std::size_t> queue_;
  std::size_t open_;
  std::vector<WorkerProcess> workers_;
  bool forks_;
  std::size_t lost_ = 0;
  int deaths_before_first_answer_ = 0;
  bool any_answer_ = false;
};

}  // namespace

std::uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t pages = 0, resident = 0;
  file >> pages >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

WorkerPool::WorkerPool(Options options, HandlerFactory make_handler)
    : options_(options), make_handler_(std::move(make_handler)) {}

WorkerPool::Summary WorkerPool::run(const std::vector<std::size_t>& items, const OnReply& on_reply,
                                    const RunContext& context) {
  remove_stale_worker_folders();
  return Run(options_, make_handler_, items, on_reply).run(context);
}

}  // namespace errata
