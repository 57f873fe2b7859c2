#include "core/worker_process.h"

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
#include <clocale>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace errata {

namespace {

constexpr const char* kFolderPrefix = "errata-worker-";

/// Address space of this process; a forked worker starts with its parent's.
std::uint64_t address_space_bytes() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t pages = 0;
  file >> pages;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::string make_folder() {
  std::error_code failure;
  std::string pattern =
      (std::filesystem::temp_directory_path(failure) / fmt::format("{}{}-XXXXXX", kFolderPrefix, ::getpid())).string();
  if (failure || ::mkdtemp(pattern.data()) == nullptr)
    throw Error(ExitStatus::kEnvironment, "E601", "cannot make a temporary folder for a worker",
                "check TMPDIR and free space");
  return pattern;
}

/// Settles the new process in its folder: nothing that it does reaches the terminal or outlives the pool.
void settle(pid_t parent, const std::string& folder, const WorkerPool::Options& options) {
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
}

/// Answers a batch in this process; false when it has to leave.
bool answer_here(int channel, const WorkerPool::Handler& handler, std::span<const std::uint64_t> items) {
  for (const auto item : items) {
    const auto answer = handler.answer(item);
    const auto kind = answer.recycle ? WorkerMessage::kAnswerAndLeave : WorkerMessage::kAnswer;
    if (!send_message(channel, {item, kind, answer.bytes}) || answer.recycle) return false;
  }
  return true;
}

[[noreturn]] void serve(int channel, const WorkerPool::HandlerFactory& factory, const WorkerPool::Options& options,
                        bool in_children) {
  try {
    const auto handler = factory();
    std::uint64_t count = 0;
    while (read_all(channel, &count, sizeof count)) {
      std::vector<std::uint64_t> items(count);
      if (!read_all(channel, items.data(), count * sizeof(std::uint64_t))) break;
      const bool stays = in_children ? answer_in_children(channel, handler, items, options.deadline_seconds)
                                     : answer_here(channel, handler, items);
      if (!stays) break;
    }
  } catch (...) {
    ::_exit(1);
  }
  ::_exit(0);
}

/// Waits a moment for a process that is about to end by itself. True with its status when it has.
bool ended(pid_t pid, int& status) {
  constexpr int kTries = 200;
  for (int k = 0; k < kTries; ++k) {
    if (::waitpid(pid, &status, WNOHANG) == pid) return true;
    ::usleep(1000);
  }
  return false;
}

}  // namespace

std::string describe_status(int status) {
  if (WIFSIGNALED(status)) return fmt::format("signal {}", WTERMSIG(status));
  return fmt::format("exit status {}", WEXITSTATUS(status));
}

Deadline::Clock::duration wait_for(std::span<pollfd> sockets, Deadline::Clock::time_point until) {
  using std::chrono::milliseconds;
  const auto wait = std::chrono::duration_cast<milliseconds>(until - Deadline::Clock::now()).count();
  ::poll(sockets.data(), sockets.size(), static_cast<int>(std::max<long>(0, wait) + 1));
  constexpr milliseconds kUsual{500};  // that a busy machine may be late
  const auto late = Deadline::Clock::now() - until - kUsual;
  return std::max(late, Deadline::Clock::duration::zero());
}

void remove_stale_worker_folders() {
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

void WorkerProcess::start(const WorkerPool::HandlerFactory& factory, const WorkerPool::Options& options,
                          bool in_children, std::span<const int> foreign) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
    throw Error(ExitStatus::kEnvironment, "E603", "cannot make a socket pair");
  folder = make_folder();
  const pid_t parent = ::getpid();
  pid = ::fork();
  if (pid < 0) {
    std::error_code ignored;
    std::filesystem::remove(folder, ignored);
    throw Error(ExitStatus::kEnvironment, "E603", "cannot fork a worker process");
  }
  if (pid == 0) {
    ::close(pair[0]);
    for (const int other : foreign) ::close(other);
    settle(parent, folder, options);
    serve(pair[1], factory, options, in_children);
  }
  ::close(pair[1]);
  socket = pair[0];
  answered = 0;
  leaving = false;
  forks = in_children;
  input.clear();
}

std::string WorkerProcess::stop() {
  if (!alive()) return {};
  // A worker with a child ends the child and itself when the socket is gone; killed at once, its child might still
  // write into the folder.
  if (!forks) ::kill(pid, SIGKILL);
  ::close(socket);
  int status = 0;
  if (!forks || !ended(pid, status)) {
    ::kill(pid, SIGKILL);
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
  }
  pid = -1;
  socket = -1;
  std::error_code failure;
  for (int tries = 0; tries < 3; ++tries) {
    std::filesystem::remove_all(folder, failure);
    if (!failure) break;
    ::usleep(1000);
  }
  return describe_status(status);
}

}  // namespace errata
