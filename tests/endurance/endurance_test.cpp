// Many operating points of a transistor cell: nothing may grow and nothing may be left behind.
//   ERRATA_ENDURANCE_POINTS  how many, 4000 unless told; `ctest -L long` takes 100000
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <numeric>

#include "circuit/campaign/campaign.h"
#include "core/worker_pool.h"
#include "tests/support/leftovers.h"
#include "tests/support/small_decks.h"
#include "tests/support/temporary_folder.h"

namespace errata::circuit {
namespace {

std::size_t wanted_points() {
  const char* wanted = std::getenv("ERRATA_ENDURANCE_POINTS");
  return wanted != nullptr ? static_cast<std::size_t>(std::atol(wanted)) : 4000;
}

/// One transistor and one resistor; slots clamp voltage, threshold shift, resistance.
Deck cell() {
  return testing::deck_of({".model n nmos level=54 version=4.8 lpe0=0 lpeb=0", "vclamp a 0 0.2", "vg g 0 1",
                           "m1 a g s 0 n w=200n l=100n", "r1 s 0 10k"},
                          {"@vclamp[dc]", "@m1[delvto]", "@r1[resistance]"});
}

std::vector<SimulationPoint> cell_points(std::size_t n) {
  std::vector<SimulationPoint> points(n);
  for (std::size_t i = 0; i < n; ++i)
    points[i].slots = {0.1 + 0.1 * std::fmod(0.618 * static_cast<double>(i), 1.0),
                       0.05 * (std::fmod(0.414 * static_cast<double>(i), 1.0) - 0.5),
                       1e4 * (1.0 + std::fmod(0.732 * static_cast<double>(i), 1.0))};
  return points;
}

std::uint64_t resident_bytes_of(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/statm");
  std::uint64_t pages = 0, resident = 0;
  file >> pages >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

/// What there is at a moment of the run.
struct Census {
  std::uint64_t parent_bytes = 0;
  std::uint64_t most_worker_bytes = 0;
  std::size_t processes = 0, folders = 0, files = 0;
  std::uintmax_t journal_bytes = 0;
};

class Endurance : public testing::LeavesNothing, public ::testing::WithParamInterface<Isolation> {
 protected:
  Census count(const std::filesystem::path& journal) const {
    Census c{.parent_bytes = resident_bytes()};
    for (const pid_t process : testing::descendants_of(::getpid())) {
      ++c.processes;
      c.most_worker_bytes = std::max(c.most_worker_bytes, resident_bytes_of(process));
    }
    for (const auto& entry : std::filesystem::recursive_directory_iterator(scratch()))
      if (!entry.path().string().starts_with(journal.parent_path().string()))
        ++(entry.is_directory() ? c.folders : c.files);
    c.journal_bytes = std::filesystem::file_size(journal);
    return c;
  }
};

TEST_P(Endurance, NothingGrows) {
  constexpr int kJobs = 2;
  const testing::TemporaryFolder folder;
  const auto journal = folder / "points.journal";
  const std::size_t n = wanted_points();
  const auto points = cell_points(n);
  std::map<std::size_t, Census> census;  // by finished points, at every tenth
  RunContext context{.jobs = kJobs, .progress = [&](std::string_view, std::uint64_t done, std::uint64_t all) {
                       if (done % (all / 10) == 0) census[done] = count(journal);
                     }};
  const auto result = run_campaign({cell()}, points, {.tolerated_failures = 0.0, .isolation = GetParam()}, journal,
                                   std::string(64, 'f'), context);
  EXPECT_EQ(result.suspects(), 0u);
  EXPECT_EQ(std::accumulate(result.attempts.begin(), result.attempts.end(), std::size_t{0}), n);
  ASSERT_GE(census.size(), 10u);
  const Census& half = census.at(n / 10 * 5);
  for (const auto& [done, c] : census) {
    fmt::print(
        "{:>8} points: parent {:6.2f} MB, largest worker {:6.2f} MB, {} processes, {} folders, {} files, "
        "journal {} bytes\n",
        done, static_cast<double>(c.parent_bytes) / 1e6, static_cast<double>(c.most_worker_bytes) / 1e6, c.processes,
        c.folders, c.files, c.journal_bytes);
    EXPECT_LE(c.processes, 2u * kJobs);  // with forked batches each has a child
    EXPECT_LE(c.folders, std::size_t{kJobs});
    EXPECT_LE(c.files, 3u * kJobs);  // .spiceinit, and what a device model writes
    EXPECT_EQ(c.journal_bytes, 64 + 42 * done);
    if (done <= n / 10 * 5) continue;
    // Results that the parent keeps are 32 bytes of heap a point; the allocator may take 1 MB at once.
    EXPECT_LE(c.parent_bytes, half.parent_bytes + 64 * (done - n / 2) + (1u << 20));
    // A worker begins with its parent's pages; what it adds does not depend on how many points have been done.
    EXPECT_LE(c.most_worker_bytes + half.parent_bytes, half.most_worker_bytes + c.parent_bytes + (1u << 20));
  }
}

INSTANTIATE_TEST_SUITE_P(Strategies, Endurance, ::testing::Values(Isolation::kAutomatic, Isolation::kForkedBatches),
                         [](const auto& test) {
                           return test.param == Isolation::kAutomatic ? "Automatic" : "ForkedBatches";
                         });

}  // namespace
}  // namespace errata::circuit
