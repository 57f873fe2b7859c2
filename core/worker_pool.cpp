#include "core/worker_pool.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <clocale>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>

namespace errata {

namespace {

using Clock = std::chrono::steady_clock;

struct MessageHeader {
  std::uint64_t item = 0;
  std::uint64_t size = 0;
  std::uint64_t recycle = 0;
};

bool write_all(int fd, const void* data, std::size_t size) {
  const char* at = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t n = ::send(fd, at, size, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

bool read_all(int fd, void* data, std::size_t size) {
  char* at = static_cast<char*>(data);
  while (size > 0) {
    const ssize_t n = ::recv(fd, at, size, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

constexpr const char* kFolderPrefix = "errata-worker-";

/// Removes folders that killed runs have left: the process number in the name lives no more.
void remove_stale_folders() {
  std::error_code ignored;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::filesystem::temp_directory_path(ignored), ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kFolderPrefix)) continue;
    const long owner = std::atol(name.c_str() + std::strlen(kFolderPrefix));
    if (owner > 0 && ::kill(static_cast<pid_t>(owner), 0) != 0 && errno == ESRCH)
      std::filesystem::remove_all(entry.path(), ignored);
  }
}

/// Address space of this process; a forked worker starts with its parent's.
std::uint64_t address_space_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t pages = 0;
  file >> pages;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

class Worker {
 public:
  pid_t pid = -1;
  int fd = -1;
  std::string folder;
  std::deque<std::size_t> pending;  ///< items sent and not yet answered
  std::size_t answered = 0;
  bool recycle = false;
  Clock::time_point deadline;
  std::string input;  ///< bytes received and not yet a whole message

  bool alive() const { return pid > 0; }

  void start(const WorkerPool::HandlerFactory& factory, const WorkerPool::Options& options) {
    std::error_code failure;
    std::string pattern =
        (std::filesystem::temp_directory_path(failure) / fmt::format("{}{}-XXXXXX", kFolderPrefix, ::getpid()))
            .string();
    if (failure || ::mkdtemp(pattern.data()) == nullptr)
      throw Error(ExitStatus::kEnvironment, "E601", "cannot make a temporary folder for a worker",
                  "check TMPDIR and free space");
    folder = pattern;
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
      throw Error(ExitStatus::kEnvironment, "E603", "cannot make a socket pair");
    const pid_t parent = ::getpid();
    pid = ::fork();
    if (pid < 0) throw Error(ExitStatus::kEnvironment, "E603", "cannot fork a worker process");
    if (pid == 0) {
      ::close(pair[0]);
      serve(pair[1], parent, factory, options);
    }
    ::close(pair[1]);
    fd = pair[0];
    answered = 0;
    recycle = false;
    input.clear();
  }

  [[noreturn]] void serve(int channel, pid_t parent, const WorkerPool::HandlerFactory& factory,
                          const WorkerPool::Options& options) const {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    ::signal(SIGINT, SIG_IGN);
    ::signal(SIGTERM, SIG_DFL);
    const int null = ::open("/dev/null", O_RDWR);
    for (const int standard : {0, 1, 2}) ::dup2(null, standard);
    if (::chdir(folder.c_str()) != 0) ::_exit(1);
    std::setlocale(LC_ALL, "C");
    const std::uint64_t bytes = address_space_bytes() + options.memory_limit_bytes;  // beyond what the parent has
    const rlimit memory{bytes, bytes};
    ::setrlimit(RLIMIT_AS, &memory);
    const rlimit core{0, 0};
    ::setrlimit(RLIMIT_CORE, &core);
    try {
      const auto handler = factory();
      std::uint64_t count = 0;
      while (read_all(channel, &count, sizeof count)) {
        std::vector<std::uint64_t> items(count);
        if (!read_all(channel, items.data(), count * sizeof(std::uint64_t))) break;
        for (const auto item : items) {
          const auto answer = handler(item);
          const MessageHeader header{item, answer.bytes.size(), answer.recycle ? 1u : 0u};
          if (!write_all(channel, &header, sizeof header)) ::_exit(1);
          if (!write_all(channel, answer.bytes.data(), answer.bytes.size())) ::_exit(1);
          if (answer.recycle) ::_exit(0);
        }
      }
    } catch (...) {
      ::_exit(1);
    }
    ::_exit(0);
  }

  /// Ends the process and says how it ended.
  std::string stop(int signal) {
    if (!alive()) return {};
    if (signal != 0) ::kill(pid, signal);
    ::close(fd);
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    pid = -1;
    fd = -1;
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
    if (WIFSIGNALED(status)) return fmt::format("signal {}", WTERMSIG(status));
    return fmt::format("exit status {}", WEXITSTATUS(status));
  }
};

/// All workers of one run; the destructor leaves no process and no folder behind.
struct Crew {
  explicit Crew(std::size_t n) : workers(n) {}
  ~Crew() {
    for (auto& worker : workers) worker.stop(SIGKILL);
  }
  std::vector<Worker> workers;
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

void WorkerPool::run(const std::vector<std::size_t>& items, const OnReply& on_reply, const RunContext& context) {
  remove_stale_folders();
  std::deque<std::size_t> queue(items.begin(), items.end());
  std::size_t open = items.size();
  Crew crew(std::min<std::size_t>(std::max(1, options_.workers), std::max<std::size_t>(1, items.size())));
  int deaths_before_first_answer = 0;
  bool any_answer = false;
  const auto allowance =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(options_.deadline_seconds));

  const auto feed = [&](Worker& worker) {
    if (queue.empty() || !worker.pending.empty()) return;
    if (worker.alive() && worker.answered >= options_.recycle_after) worker.stop(SIGKILL);
    if (!worker.alive()) worker.start(make_handler_, options_);
    // Small chunks at the end keep all workers busy.
    const std::size_t fair = (queue.size() + crew.workers.size() - 1) / crew.workers.size();
    const std::size_t count = std::clamp<std::size_t>(std::min(options_.chunk, fair), 1, queue.size());
    std::vector<std::uint64_t> message{count};
    for (std::size_t i = 0; i < count; ++i) {
      message.push_back(queue.front());
      worker.pending.push_back(queue.front());
      queue.pop_front();
    }
    worker.deadline = Clock::now() + allowance;
    write_all(worker.fd, message.data(), message.size() * sizeof(std::uint64_t));
  };

  const auto requeue_rest = [&](Worker& worker) {
    while (!worker.pending.empty()) {
      queue.push_front(worker.pending.back());
      worker.pending.pop_back();
    }
  };

  const auto lose = [&](Worker& worker, Outcome outcome) {
    const std::string reason = worker.stop(SIGKILL);
    if (worker.recycle) {  // it left on its own after an answer; nothing is lost
      requeue_rest(worker);
      return;
    }
    if (worker.pending.empty()) return;
    if (!any_answer && outcome == Outcome::kCrashed && ++deaths_before_first_answer > 8)
      throw Error(ExitStatus::kEnvironment, "E603",
                  fmt::format("simulation workers die before they answer ({})", reason), "run `errata doctor`");
    const std::size_t item = worker.pending.front();
    worker.pending.pop_front();
    requeue_rest(worker);
    --open;
    on_reply(item, {outcome, {}, outcome == Outcome::kTimeout ? "deadline passed" : reason});
  };

  const auto receive = [&](Worker& worker) {
    char buffer[1 << 16];
    const ssize_t n = ::recv(worker.fd, buffer, sizeof buffer, 0);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n <= 0) {
      lose(worker, Outcome::kCrashed);
      return;
    }
    worker.input.append(buffer, static_cast<std::size_t>(n));
    std::size_t at = 0;
    MessageHeader header;
    while (worker.input.size() - at >= sizeof header) {
      std::memcpy(&header, worker.input.data() + at, sizeof header);
      if (worker.pending.empty() || header.item != worker.pending.front()) {  // a worker gone mad
        lose(worker, Outcome::kCrashed);
        return;
      }
      if (worker.input.size() - at - sizeof header < header.size) break;
      Reply reply{Outcome::kAnswered, worker.input.substr(at + sizeof header, header.size), {}};
      at += sizeof header + header.size;
      worker.pending.pop_front();
      worker.recycle = header.recycle != 0;
      ++worker.answered;
      worker.deadline = Clock::now() + allowance;
      any_answer = true;
      --open;
      on_reply(header.item, std::move(reply));
    }
    worker.input.erase(0, at);
    if (worker.recycle) lose(worker, Outcome::kCrashed);
  };

  while (open > 0) {
    stop_if_cancelled(context);
    for (auto& worker : crew.workers) feed(worker);
    std::vector<pollfd> polled;
    std::vector<Worker*> owners;
    auto next = Clock::now() + std::chrono::milliseconds(200);
    for (auto& worker : crew.workers) {
      if (!worker.alive() || worker.pending.empty()) continue;
      polled.push_back({worker.fd, POLLIN, 0});
      owners.push_back(&worker);
      next = std::min(next, worker.deadline);
    }
    const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(next - Clock::now()).count();
    ::poll(polled.data(), polled.size(), static_cast<int>(std::max<long>(0, wait) + 1));
    for (std::size_t i = 0; i < polled.size(); ++i) {
      if (polled[i].revents != 0)
        receive(*owners[i]);
      else if (Clock::now() >= owners[i]->deadline)
        lose(*owners[i], Outcome::kTimeout);
    }
  }
}

}  // namespace errata
