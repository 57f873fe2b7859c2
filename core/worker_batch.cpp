// What a worker does that forks a child for each batch.
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/worker_process.h"

namespace errata {

namespace {

/// How a child's run over a batch ended.
struct BatchEnd {
  std::size_t answered = 0;
  bool asked_to_leave = false;  ///< after an answer: the child is of no use any more
  bool timed_out = false;
  bool abandoned = false;  ///< the pool is gone
  int status = 0;
};

class Child {
 public:
  Child(int channel, const WorkerPool::Handler& handler, std::span<const std::uint64_t> items) : items_(items) {
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) ::_exit(1);
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ < 0) ::_exit(1);  // the pool starts another worker
    if (pid_ == 0) {
      ::close(channel);
      ::close(pair[0]);
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(1);
      answer(pair[1], handler, items);
    }
    ::close(pair[1]);
    socket_ = pair[0];
  }

  /// Passes whole messages on until the batch is done, the child has ended or a deadline is over.
  BatchEnd relay(int channel, double deadline_seconds) {
    BatchEnd end;
    Deadline deadline(deadline_seconds);
    bool open = true;
    while (open && end.answered < items_.size() && !end.asked_to_leave) {
      pollfd sockets[] = {{socket_, POLLIN, 0}, {channel, POLLIN, 0}};
      deadline.extend(wait_for(sockets, deadline.at()));
      end.abandoned = sockets[1].revents != 0;  // the pool says nothing during a batch
      if (end.abandoned) break;
      if (sockets[0].revents != 0) {
        open = pass_on(channel, end);
        deadline.restart(deadline_seconds);
      } else if (deadline.passed()) {
        end.timed_out = true;
        break;
      }
    }
    ::kill(pid_, SIGKILL);  // one that has ended keeps its status
    ::close(socket_);
    while (::waitpid(pid_, &end.status, 0) < 0 && errno == EINTR) {
    }
    return end;
  }

 private:
  [[noreturn]] static void answer(int socket, const WorkerPool::Handler& handler,
                                  std::span<const std::uint64_t> items) {
    try {
      for (const auto item : items) {
        const auto answer = handler.answer(item);
        const auto kind = answer.recycle ? WorkerMessage::kAnswerAndLeave : WorkerMessage::kAnswer;
        if (!send_message(socket, {item, kind, answer.bytes}) || answer.recycle) break;
      }
    } catch (...) {
      ::_exit(1);
    }
    ::_exit(0);
  }

  /// False at the end of the stream, or when the child has gone mad.
  bool pass_on(int channel, BatchEnd& end) {
    if (!input_.receive(socket_)) return false;
    while (const auto message = input_.next()) {
      if (end.answered == items_.size() || message->item != items_[end.answered]) return false;
      end.asked_to_leave = message->kind == WorkerMessage::kAnswerAndLeave;
      ++end.answered;
      send_message(channel, {message->item, WorkerMessage::kAnswer, message->bytes});
    }
    return true;
  }

  std::span<const std::uint64_t> items_;
  pid_t pid_ = -1;
  int socket_ = -1;
  MessageReader input_;
};

}  // namespace

bool answer_in_children(int channel, const WorkerPool::Handler& handler, std::span<const std::uint64_t> items,
                        double deadline_seconds) {
  std::size_t most = items.size();  // items for one child
  while (!items.empty()) {
    const std::size_t prepared = handler.prepare ? handler.prepare(items) : items.size();
    if (prepared == 0) {
      const auto answer = handler.answer(items.front());
      send_message(channel, {items.front(), WorkerMessage::kAnswerAndLeave, answer.bytes});
      return false;
    }
    const auto batch = items.first(std::min({prepared, most, items.size()}));
    const BatchEnd end = Child(channel, handler, batch).relay(channel, deadline_seconds);
    if (end.abandoned) return false;
    items = items.subspan(end.answered);
    if (end.answered == batch.size() || end.asked_to_leave) continue;
    const WorkerMessage lost{items.front(), end.timed_out ? WorkerMessage::kTimeout : WorkerMessage::kCrash,
                             end.timed_out ? "deadline passed" : describe_status(end.status)};
    if (!send_message(channel, lost)) return false;
    items = items.subspan(1);
    most = 1;  // whatever killed the child may wait in the next item, or come from an earlier one
  }
  return true;
}

}  // namespace errata
