// Whatever happens to workers, disk and run: no finished point is lost, and a death costs one point.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <csignal>
#include <new>
#include <numeric>
#include <set>

#include "circuit/campaign/campaign.h"
#include "circuit/campaign/journal.h"
#include "core/random_stream.h"
#include "tests/support/expect_error.h"
#include "tests/support/leftovers.h"
#include "tests/support/small_decks.h"
#include "tests/support/temporary_folder.h"

namespace errata::circuit {
namespace {

using testing::crashing;
using testing::deck_of;
using testing::divider;
using testing::divider_points;
using testing::endless;
using testing::expect_error;
using testing::TemporaryFolder;

const std::string kFingerprint(64, 'f');

/// A number that a process and its children see.
class SharedCount {
 public:
  SharedCount()
      : count_(new (::mmap(nullptr, sizeof(std::atomic<int>), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                           0)) std::atomic<int>(0)) {}
  ~SharedCount() { ::munmap(count_, sizeof(std::atomic<int>)); }
  SharedCount(const SharedCount&) = delete;
  SharedCount& operator=(const SharedCount&) = delete;
  std::atomic<int>& operator*() const { return *count_; }

 private:
  std::atomic<int>* count_;
};

void expect_same(const CampaignResult& a, const CampaignResult& b) {
  ASSERT_EQ(a.points.size(), b.points.size());
  for (std::size_t i = 0; i < a.points.size(); ++i) {
    EXPECT_EQ(a.points[i].status, b.points[i].status) << i;
    ASSERT_EQ(a.points[i].values, b.points[i].values) << i;
  }
}

/// Every fault with the strategy that begins without forks, and with forked batches.
class Faults : public testing::LeavesNothing, public ::testing::WithParamInterface<Isolation> {
 protected:
  CampaignOptions options(CampaignOptions others = {}) const {
    others.isolation = GetParam();
    return others;
  }
  CampaignResult run(const std::vector<Deck>& decks, const std::vector<SimulationPoint>& points,
                     const CampaignOptions& given, int jobs = 1, const std::filesystem::path& shard = {}) const {
    RunContext context;
    context.jobs = jobs;
    return run_campaign(decks, points, given, shard, kFingerprint, context);
  }
};

TEST_P(Faults, ACrashCostsOnePointAndTheRestIsTheSame) {
  auto points = divider_points(60);
  for (const std::size_t at : {7u, 8u, 30u}) points[at] = {.deck = 1};
  const auto result = run({divider(), crashing()}, points, options({.retries = 1, .tolerated_failures = 0.1}), 2);
  const auto good = run({divider()}, divider_points(60), {});
  for (std::size_t i = 0; i < points.size(); ++i) {
    const bool crashes = points[i].deck == 1;
    EXPECT_EQ(result.points[i].status, crashes ? PointStatus::kCrashed : PointStatus::kOk) << i;
    EXPECT_EQ(result.attempts[i], crashes ? 2 : 1) << i;
    if (crashes)
      EXPECT_EQ(result.points[i].log, "signal 11") << i;
    else
      EXPECT_EQ(result.points[i].values, good.points[i].values) << i;
  }
  EXPECT_TRUE(result.forked);
  EXPECT_EQ(result.repeated(), 3u);
}

TEST_P(Faults, AHangCostsItsDeadline) {
  auto points = divider_points(40);
  points[5] = {.deck = 1};
  const auto begin = std::chrono::steady_clock::now();
  const auto result = run({divider(), endless()}, points,
                          options({.deadline_seconds = 0.3, .retries = 1, .tolerated_failures = 0.1}), 2);
  for (std::size_t i = 0; i < points.size(); ++i) {
    EXPECT_EQ(result.points[i].status, i == 5 ? PointStatus::kTimeout : PointStatus::kOk) << i;
    EXPECT_EQ(result.attempts[i], i == 5 ? 2 : 1) << i;
  }
  // Two deadlines; 10 s leave room for a busy machine and fail when a hang is not killed.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST_P(Faults, AQuitInADeckIsNamedAndHarmsNoOtherPoint) {
  auto points = divider_points(30);
  points[11] = {.deck = 1};
  const Deck quits = deck_of({"vclamp a 0 1", "r1 a 0 1k", ".control", "quit", ".endc"});
  const auto result = run({divider(), quits}, points, options({.retries = 0, .tolerated_failures = 0.1}));
  for (std::size_t i = 0; i < points.size(); ++i)
    EXPECT_EQ(result.points[i].status, i == 11 ? PointStatus::kLoadFailed : PointStatus::kOk) << i;
}

TEST_P(Faults, AnUndefinedParameterPoisonsOneProcessOnly) {
  auto points = divider_points(30);
  points[3] = points[20] = {.deck = 1};
  const auto result = run({divider(), deck_of({"vclamp a 0 1", "r1 a 0 {nope}"})}, points,
                          options({.retries = 0, .tolerated_failures = 0.1}));
  for (std::size_t i = 0; i < points.size(); ++i)
    EXPECT_EQ(result.points[i].status, points[i].deck == 1 ? PointStatus::kLoadFailed : PointStatus::kOk) << i;
  EXPECT_NE(result.points[3].log.find("Undefined parameter [nope]"), std::string::npos) << result.points[3].log;
}

TEST_P(Faults, ProcessesKilledAtRandomCostOnePointEach) {
  const auto points = divider_points(3000);
  const auto undisturbed = run({divider()}, points, {}, 2);
  const SharedCount kills;
  const pid_t pool = ::getpid(), killer = ::fork();
  if (killer == 0) {
    RandomStream stream(GetParam() == Isolation::kAutomatic ? 5 : 6, StreamPurpose::kTest);
    for (;;) {
      ::usleep(static_cast<useconds_t>(2000 + stream.below(10000)));
      auto victims = testing::descendants_of(pool);
      std::erase(victims, ::getpid());
      if (!victims.empty() && ::kill(victims[stream.below(victims.size())], SIGKILL) == 0) ++*kills;
    }
  }
  const auto result = run({divider()}, points, options({.retries = 20, .tolerated_failures = 0.0}), 2);
  ::kill(killer, SIGKILL);
  ::waitpid(killer, nullptr, 0);
  expect_same(result, undisturbed);
  const int lost = std::accumulate(result.attempts.begin(), result.attempts.end(), 0) - static_cast<int>(points.size());
  EXPECT_GT(*kills, 3);
  EXPECT_LE(lost, *kills);
}

TEST_P(Faults, ARunKilledAtRandomLosesNoFinishedPoint) {
  const TemporaryFolder folder;
  const auto shard = folder / "points.journal";
  const auto points = divider_points(4000);
  const auto undisturbed = run({divider()}, points, {});
  RandomStream stream(7, StreamPurpose::kTest);
  int killed = 0;
  for (bool finished = false; !finished && killed < 100;) {
    const SharedCount done;  // points that were reported as finished
    const pid_t child = ::fork();
    if (child == 0) {
      RunContext context{.jobs = 2, .progress = [&](std::string_view, std::uint64_t n, std::uint64_t) {
                           *done = static_cast<int>(n);
                         }};
      run_campaign({divider()}, points, options(), shard, kFingerprint, context);
      ::_exit(0);
    }
    ::usleep(static_cast<useconds_t>(2000 + stream.below(60000)));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    finished = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (finished) break;
    ++killed;
    int kept = 0;
    Journal(shard, kFingerprint, [&](std::size_t item, PointResult point) {
      ++kept;
      EXPECT_EQ(point.values, undisturbed.points[item].values);
    });
    EXPECT_GE(kept, *done);
  }
  EXPECT_GT(killed, 1);
  const auto resumed = run({divider()}, points, options(), 2, shard);
  expect_same(resumed, undisturbed);
  // The killed runs' workers may take a moment; the next run sweeps what they left.
  run({divider()}, divider_points(1), {});
}

TEST_P(Faults, AnInterruptKeepsWhatIsFinished) {
  const TemporaryFolder folder;
  const auto shard = folder / "points.journal";
  const auto points = divider_points(5000);
  std::uint64_t finished = 0;
  RunContext context{.jobs = 2,
                     .progress = [&](std::string_view, std::uint64_t n, std::uint64_t) { finished = n; },
                     .cancelled = [&] { return finished >= 300; }};
  expect_error(ExitStatus::kInterrupted, "E130",
               [&] { run_campaign({divider()}, points, options(), shard, kFingerprint, context); });
  EXPECT_LT(finished, points.size());
  const auto resumed = run({divider()}, points, options(), 2, shard);
  EXPECT_EQ(std::accumulate(resumed.attempts.begin(), resumed.attempts.end(), std::uint64_t{0}),
            points.size() - finished);
  expect_same(resumed, run({divider()}, points, {}));
}

TEST_P(Faults, AFullDiskStopsItWithoutLosingWhatWasWritten) {
  const TemporaryFolder folder;
  const auto shard = folder / "points.journal";
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{2000, 2000};  // bytes that a file may hold: what a full disk looks like to one program
    ::setrlimit(RLIMIT_FSIZE, &small);
    try {
      run({divider()}, divider_points(200), options(), 1, shard);
    } catch (const Error& e) {
      ::_exit(e.code() == "E601" ? 17 : 18);
    }
    ::_exit(19);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 17);
  const auto resumed = run({divider()}, divider_points(200), options(), 1, shard);
  // 2000 bytes hold the fingerprint and 46 points of 42 bytes.
  EXPECT_EQ(std::accumulate(resumed.attempts.begin(), resumed.attempts.end(), 0), 200 - 46);
  EXPECT_EQ(resumed.failures(), 0u);
}

TEST_P(Faults, AFullTemporaryFolderIsAnErrorAndNoWrongNumber) {
  // Without its own .spiceinit a worker would read the user's.
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_FSIZE, &none);
    try {
      run({divider()}, divider_points(20), options({.retries = 0, .tolerated_failures = 1.0}));
    } catch (const Error& e) {
      ::_exit(e.status() == ExitStatus::kEnvironment || e.code() == "E501" ? 17 : 18);
    }
    ::_exit(19);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 17);
}

TEST_P(Faults, AWorkerThatGrowsIsReplacedAndCostsNothing) {
  // A long deck that comes after a short one; below the length from which children are forked anyway.
  std::vector<std::string> chain = {"vclamp n0 0 1", "rend n1900 0 1k"};
  for (int k = 0; k < 1900; ++k) chain.push_back(fmt::format("r{0} n{0} n{1} 1", k, k + 1));
  std::vector<SimulationPoint> points = divider_points(200);
  for (std::size_t i = 100; i < 200; ++i) points[i] = {.deck = 1, .slots = {0.01 * static_cast<double>(i)}};
  const std::vector<Deck> decks = {divider(), deck_of(chain, {"@vclamp[dc]"})};
  std::set<std::string> folders;  // one for each worker
  const auto count = [&](std::string_view, std::uint64_t, std::uint64_t) {
    for (const auto& entry : std::filesystem::directory_iterator(scratch())) folders.insert(entry.path().string());
  };
  const RunContext context{.jobs = 1, .progress = count};
  const auto watched =
      run_campaign(decks, points, options({.memory_growth_bytes = 1 << 16}), {}, kFingerprint, context);
  if (GetParam() == Isolation::kAutomatic) {
    EXPECT_GE(folders.size(), 2u);
  } else {
    EXPECT_EQ(folders.size(), 1u);  // the child is what grows
  }
  for (const auto attempts : watched.attempts) EXPECT_EQ(attempts, 1);
  expect_same(watched, run(decks, points, {}));
}

INSTANTIATE_TEST_SUITE_P(Strategies, Faults, ::testing::Values(Isolation::kAutomatic, Isolation::kForkedBatches),
                         [](const auto& test) {
                           return test.param == Isolation::kAutomatic ? "Automatic" : "ForkedBatches";
                         });

}  // namespace
}  // namespace errata::circuit
