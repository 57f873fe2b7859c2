#include "core/worker_pool.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <clocale>
#include <cstdlib>
#include <fstream>
#include <map>
#include <numeric>
#include <set>

#include "tests/support/expect_error.h"
#include "tests/support/temporary_folder.h"

namespace errata {
namespace {

using Outcome = WorkerPool::Outcome;
using Answer = WorkerPool::Answer;

/// Runs pools with a temporary folder of the test's own and checks after each test that no process and no folder is
/// left.
class WorkerPoolTest : public ::testing::Test {
 protected:
  WorkerPoolTest() {
    if (const char* old = std::getenv("TMPDIR")) old_ = old;
    ::setenv("TMPDIR", folder_.path().c_str(), 1);
  }
  ~WorkerPoolTest() override {
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a worker process is left";
    EXPECT_EQ(errno, ECHILD);
    EXPECT_TRUE(std::filesystem::is_empty(folder_.path())) << "a worker's folder is left";
    old_.empty() ? ::unsetenv("TMPDIR") : ::setenv("TMPDIR", old_.c_str(), 1);
  }

  static std::vector<std::size_t> items(std::size_t n) {
    std::vector<std::size_t> all(n);
    std::iota(all.begin(), all.end(), 0u);
    return all;
  }

  /// Runs n items; every item must be replied to exactly once.
  static std::map<std::size_t, WorkerPool::Reply> run(const WorkerPool::Options& options, std::size_t n,
                                                      const WorkerPool::Handler& handler) {
    WorkerPool pool(options, [&] { return handler; });
    std::map<std::size_t, WorkerPool::Reply> replies;
    pool.run(
        items(n),
        [&](std::size_t item, WorkerPool::Reply reply) {
          EXPECT_TRUE(replies.emplace(item, std::move(reply)).second) << item << " was replied to twice";
        },
        RunContext{});
    EXPECT_EQ(replies.size(), n);
    return replies;
  }

  testing::TemporaryFolder folder_;
  std::string old_;
};

TEST_F(WorkerPoolTest, ResultsDoNotDependOnWorkersOrChunks) {
  const auto handler = [](std::size_t item) {
    return Answer{std::string(item * 37 % 1000, static_cast<char>('a' + item % 26))};
  };
  const auto one = run({.workers = 1, .chunk = 1}, 200, handler);
  for (const auto& options :
       {WorkerPool::Options{.workers = 3, .chunk = 5}, WorkerPool::Options{.workers = 8, .chunk = 1000}}) {
    const auto other = run(options, 200, handler);
    for (const auto& [item, reply] : one) {
      EXPECT_EQ(reply.outcome, Outcome::kAnswered);
      EXPECT_EQ(reply.bytes, other.at(item).bytes);
    }
  }
}

TEST_F(WorkerPoolTest, NothingToDoIsDoneAtOnce) {
  EXPECT_TRUE(run({}, 0, [](std::size_t) { return Answer{}; }).empty());
}

TEST_F(WorkerPoolTest, LongAnswersArrive) {
  const auto replies = run(
      {.workers = 2}, 3, [](std::size_t item) { return Answer{std::string(3 << 20, static_cast<char>('a' + item))}; });
  for (const auto& [item, reply] : replies)
    EXPECT_TRUE(reply.bytes == std::string(3 << 20, static_cast<char>('a' + item)));
}

TEST_F(WorkerPoolTest, ADeathCostsOneItemAndSaysHow) {
  const auto replies = run({.workers = 2, .chunk = 16}, 60, [](std::size_t item) {
    if (item == 5) std::abort();
    if (item == 17) ::_exit(3);
    if (item == 33) throw std::runtime_error("handler");
    if (item == 40) ::raise(SIGKILL);  // as the out-of-memory killer does
    return Answer{std::to_string(item)};
  });
  const std::map<std::size_t, std::string> lost = {
      {5, "signal 6"}, {17, "exit status 3"}, {33, "exit status 1"}, {40, "signal 9"}};
  for (const auto& [item, reply] : replies) {
    const bool is_lost = lost.contains(item);
    EXPECT_EQ(reply.outcome, is_lost ? Outcome::kCrashed : Outcome::kAnswered) << item;
    EXPECT_EQ(reply.reason, is_lost ? lost.at(item) : "") << item;
    EXPECT_EQ(reply.bytes, is_lost ? "" : std::to_string(item)) << item;
  }
}

TEST_F(WorkerPoolTest, AHangEndsAtItsDeadline) {
  const auto begin = std::chrono::steady_clock::now();
  const auto replies = run({.workers = 2, .deadline_seconds = 0.3, .chunk = 8}, 20, [](std::size_t item) {
    while (item == 4) ::pause();
    return Answer{"x"};
  });
  for (const auto& [item, reply] : replies)
    EXPECT_EQ(reply.outcome, item == 4 ? Outcome::kTimeout : Outcome::kAnswered) << item;
  EXPECT_EQ(replies.at(4).reason, "deadline passed");
  // One deadline and some process starts; 10 s leave room for a busy machine and still fail when the kill does not
  // work.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST_F(WorkerPoolTest, TheDeadlineIsPerItemNotPerChunk) {
  // 12 items of 50 ms in one chunk take twice the deadline together.
  const auto replies = run({.deadline_seconds = 0.3, .chunk = 12}, 12, [](std::size_t) {
    ::usleep(50000);
    return Answer{"x"};
  });
  for (const auto& [item, reply] : replies) EXPECT_EQ(reply.outcome, Outcome::kAnswered) << item;
}

TEST_F(WorkerPoolTest, RecycleGivesAFreshProcess) {
  const auto replies = run({.chunk = 4}, 12, [](std::size_t item) {
    return Answer{std::to_string(::getpid()), item % 3 == 2};
  });
  std::set<std::string> processes;
  for (std::size_t i = 0; i < 12; ++i) {
    EXPECT_EQ(replies.at(i).outcome, Outcome::kAnswered);
    EXPECT_EQ(replies.at(i).bytes, replies.at(i / 3 * 3).bytes);  // three items each, in order
    processes.insert(replies.at(i).bytes);
  }
  EXPECT_EQ(processes.size(), 4u);
}

TEST_F(WorkerPoolTest, WorkersAreReplacedAfterEnoughItems) {
  const auto replies =
      run({.chunk = 1, .recycle_after = 3}, 9, [](std::size_t) { return Answer{std::to_string(::getpid())}; });
  std::map<std::string, int> items_of;
  for (const auto& [item, reply] : replies) ++items_of[reply.bytes];
  EXPECT_EQ(items_of.size(), 3u);
  for (const auto& [process, count] : items_of) EXPECT_EQ(count, 3);
}

TEST_F(WorkerPoolTest, MemoryIsLimited) {
  const auto replies = run({.memory_limit_bytes = std::uint64_t{256} << 20}, 3, [](std::size_t item) {
    std::vector<char> block(item == 1 ? std::size_t{2} << 30 : std::size_t{1} << 20);
    block[block.size() / 2] = 1;
    return Answer{"x"};
  });
  EXPECT_EQ(replies.at(0).outcome, Outcome::kAnswered);
  EXPECT_EQ(replies.at(1).outcome, Outcome::kCrashed);
  EXPECT_EQ(replies.at(1).reason, "exit status 1");  // std::bad_alloc
  EXPECT_EQ(replies.at(2).outcome, Outcome::kAnswered);
}

TEST_F(WorkerPoolTest, TheMemoryLimitIsBeyondWhatTheParentHas) {
  const std::vector<char> parent(std::size_t{512} << 20);  // as a trainer with its data set; never touched
  const auto replies = run({.memory_limit_bytes = std::uint64_t{64} << 20}, 2,
                           [&](std::size_t) { return Answer{std::string(1 << 20, parent.empty() ? 'x' : 'y')}; });
  for (const auto& [item, reply] : replies) EXPECT_EQ(reply.outcome, Outcome::kAnswered) << reply.reason;
}

TEST_F(WorkerPoolTest, WorkersRunInTheirOwnFolderWithTheCLocale) {
  const auto replies = run({.workers = 2, .chunk = 1}, 4, [](std::size_t) {
    std::ofstream("scratch.out") << "left behind on purpose";
    return Answer{std::filesystem::current_path().string() + " " + std::setlocale(LC_ALL, nullptr)};
  });
  for (const auto& [item, reply] : replies) {
    EXPECT_TRUE(reply.bytes.starts_with((folder_.path() / "errata-worker-").string())) << reply.bytes;
    EXPECT_TRUE(reply.bytes.ends_with(" C")) << reply.bytes;
  }
}

TEST_F(WorkerPoolTest, CancellingKeepsWhatIsFinished) {
  std::size_t delivered = 0;
  RunContext context;
  context.cancelled = [&] { return delivered >= 5; };
  WorkerPool pool({.workers = 2, .chunk = 1}, [] { return [](std::size_t) { return Answer{"x"}; }; });
  testing::expect_error(ExitStatus::kInterrupted, "E130", [&] {
    pool.run(
        items(1000), [&](std::size_t, WorkerPool::Reply) { ++delivered; }, context);
  });
  EXPECT_GE(delivered, 5u);
  EXPECT_LT(delivered, 10u);  // at most one more from each worker
}

TEST_F(WorkerPoolTest, AnExceptionOfTheReceiverLeavesNothingBehind) {
  WorkerPool pool({.workers = 3}, [] { return [](std::size_t) { return Answer{"x"}; }; });
  EXPECT_THROW(
      pool.run(
          items(100), [](std::size_t, WorkerPool::Reply) { throw std::runtime_error("receiver"); }, RunContext{}),
      std::runtime_error);
}

TEST_F(WorkerPoolTest, WorkersThatNeverAnswerAreGivenUp) {
  WorkerPool pool({.workers = 2}, []() -> WorkerPool::Handler { throw std::runtime_error("no library"); });
  std::size_t lost = 0;
  testing::expect_error(ExitStatus::kEnvironment, "E603", [&] {
    pool.run(
        items(1000), [&](std::size_t, WorkerPool::Reply) { ++lost; }, RunContext{});
  });
  EXPECT_LE(lost, 8u);
}

TEST_F(WorkerPoolTest, FoldersOfKilledRunsAreRemovedAndOthersStay) {
  const pid_t dead = ::fork();
  if (dead == 0) ::_exit(0);
  ::waitpid(dead, nullptr, 0);
  const auto stale = folder_ / ("errata-worker-" + std::to_string(dead) + "-abc"),
             alive = folder_ / "errata-worker-1-abc", foreign = folder_ / "something";
  for (const auto& path : {stale, alive, foreign}) std::filesystem::create_directory(path);
  run({}, 1, [](std::size_t) { return Answer{"x"}; });
  EXPECT_FALSE(std::filesystem::exists(stale));
  EXPECT_TRUE(std::filesystem::exists(alive));
  EXPECT_TRUE(std::filesystem::exists(foreign));
  for (const auto& path : {alive, foreign}) std::filesystem::remove(path);
}

TEST_F(WorkerPoolTest, ABadTemporaryFolderIsNamed) {
  ::setenv("TMPDIR", "/no/such/folder", 1);
  WorkerPool pool({}, [] { return [](std::size_t) { return Answer{"x"}; }; });
  testing::expect_error(ExitStatus::kEnvironment, "E601", [&] {
    pool.run(
        items(3), [](std::size_t, WorkerPool::Reply) {}, RunContext{});
  });
}

TEST_F(WorkerPoolTest, WorkersDieWithTheirParent) {
  const auto note = folder_ / "worker";
  const pid_t parent = ::fork();
  if (parent == 0) {
    WorkerPool pool({.deadline_seconds = 60}, [&] {
      return [&](std::size_t) {
        std::ofstream(note) << ::getpid() << std::endl;
        for (;;) ::pause();
        return Answer{};
      };
    });
    pool.run(
        items(1), [](std::size_t, WorkerPool::Reply) {}, RunContext{});
    ::_exit(0);
  }
  pid_t worker = 0;
  for (int i = 0; i < 1000 && worker == 0; ++i) {
    ::usleep(10000);
    std::ifstream(note) >> worker;
  }
  ASSERT_GT(worker, 0);
  ::kill(parent, SIGKILL);
  ::waitpid(parent, nullptr, 0);
  bool gone = false;
  for (int i = 0; i < 500 && !gone; ++i) {
    ::usleep(10000);
    gone = ::kill(worker, 0) != 0;
    if (!gone) {  // a zombie whose new parent does not reap it counts as gone
      std::ifstream stat("/proc/" + std::to_string(worker) + "/stat");
      std::string text((std::istreambuf_iterator<char>(stat)), {});
      gone = text.find(") Z ") != std::string::npos;
    }
  }
  EXPECT_TRUE(gone);
  std::filesystem::remove(note);
  run({}, 1, [](std::size_t) { return Answer{"x"}; });  // sweeps the killed run's folder away
}

}  // namespace
}  // namespace errata
