#include "circuit/campaign/campaign.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <atomic>
#include <cmath>
#include <sstream>

#include "core/quantity.h"
#include "tests/support/expect_error.h"
#include "tests/support/german_locale.h"
#include "tests/support/small_decks.h"
#include "tests/support/temporary_folder.h"

namespace errata::circuit {
namespace {

using testing::bytes_of;
using testing::deck_of;
using testing::divider;
using testing::divider_points;
using testing::endless;
using testing::expect_error;
using testing::TemporaryFolder;

CampaignResult run(const std::vector<Deck>& decks, const std::vector<SimulationPoint>& points,
                   CampaignOptions options = {}, int jobs = 1, const std::filesystem::path& shard = {}) {
  RunContext context;
  context.jobs = jobs;
  return run_campaign(decks, points, options, shard, std::string(64, 'f'), context);
}

/// Everything that goes wrong is tolerated and tried once.
const CampaignOptions kTolerant{.deadline_seconds = 30, .retries = 0, .tolerated_failures = 1.0};

/// Points of one deck, one for each list of slot values.
std::vector<SimulationPoint> points_of(const std::vector<std::vector<double>>& slots,
                                       Analysis analysis = Analysis::kOperatingPoint) {
  std::vector<SimulationPoint> points;
  for (const auto& values : slots) points.push_back({.slots = values, .analysis = analysis});
  return points;
}

TEST(RunCampaign, GivesTheCurrentThatOhmDoes) {
  const auto result = run({divider()}, divider_points(20));
  for (std::size_t i = 0; i < 20; ++i) {
    ASSERT_EQ(result.points[i].status, PointStatus::kOk) << result.points[i].log;
    const double expected = 0.1 * static_cast<double>(i + 1) / (2000.0 + static_cast<double>(i));
    EXPECT_NEAR(result.points[i].values.at(0) / expected, 1, 1e-12);  // a linear solve with gmin absent
    EXPECT_EQ(result.attempts[i], 1);
  }
  EXPECT_EQ(result.failures(), 0u);
}

/// A diode behind a resistor, as a sweep over two EXTERNAL sources and as operating points.
std::vector<Deck> diode_decks(std::vector<double> biases) {
  const std::vector<std::string> circuit = {"d1 b c dio", "r1 a b 1k", ".model dio d(is=1e-15)",
                                            "* tolerances come below"};
  std::vector<std::string> ordinary = circuit, external = circuit;
  ordinary.back() = ".options reltol=1e-6 abstol=1e-15 vntol=1e-9";
  external.back() = ".options reltol=1e-9 abstol=1e-18 vntol=1e-12";  // as compose_cell_sweep has them
  ordinary.insert(ordinary.end(), {"vclamp a 0 0", "vc c 0 0"});
  external.insert(external.end(), {"vclamp a 0 external", "vc c 0 external", "verrata_index i 0 0", "ri i 0 1k"});
  std::vector<Deck> decks = {deck_of(ordinary, {"@vclamp[dc]", "@vc[dc]", "@r1[resistance]"}),
                             deck_of(external, {"@r1[resistance]"})};
  decks[1].sweep = {{"vclamp", "vc"}, std::move(biases), 0};
  return decks;
}

TEST(RunCampaign, ASweepGivesTheNumbersOfItsOperatingPoints) {
  std::vector<double> biases;
  for (int k = 0; k < 60; ++k) biases.insert(biases.end(), {-0.2 + 0.02 * k, k % 3 == 0 ? 0.1 : 0.0});
  const auto decks = diode_decks(biases);
  std::vector<SimulationPoint> points;
  for (const double ohms : {500.0, 2e4}) points.push_back({.deck = 1, .slots = {ohms}, .analysis = Analysis::kSweep});
  for (const double ohms : {500.0, 2e4})
    for (std::size_t k = 0; k < 60; ++k) points.push_back({.slots = {biases[2 * k], biases[2 * k + 1], ohms}});
  const auto result = run(decks, points);
  for (std::size_t d = 0; d < 2; ++d) {
    ASSERT_EQ(result.points[d].status, PointStatus::kOk) << result.points[d].log;
    ASSERT_EQ(result.points[d].values.size(), 60u);
    for (std::size_t k = 0; k < 60; ++k) {
      const double one = result.points[2 + d * 60 + k].values.at(0);
      EXPECT_NEAR(result.points[d].values[k], one, 1e-9 * std::fabs(one) + 1e-18) << k;
    }
  }
}

TEST(RunCampaign, ASweepThatBreaksIsTakenBiasByBias) {
  // No solution where the sources differ by more than half a volt: the sweep stops there, the other biases do not.
  std::vector<double> biases = {0.1, 0.0, 0.2, 0.0, 0.9, 0.0, 0.3, 0.0};
  auto decks = diode_decks(biases);
  for (Deck& deck : decks) {
    deck.lines.insert(deck.lines.end() - 1, "b1 x 0 v = v(a,c) > 0.5 ? (v(x) > 0.5 ? 0 : 1) : 0");
    deck.positions.emplace_back();
  }
  std::vector<SimulationPoint> points = {{.deck = 1, .slots = {1e3}, .analysis = Analysis::kSweep}};
  for (std::size_t k = 0; k < 4; ++k) points.push_back({.slots = {biases[2 * k], 0.0, 1e3}});
  const auto result = run(decks, points, kTolerant);
  EXPECT_EQ(result.points[0].status, PointStatus::kFailed);
  ASSERT_EQ(result.points[0].values.size(), 4u);
  for (std::size_t k = 0; k < 4; ++k) {
    if (k == 2) {
      EXPECT_TRUE(std::isnan(result.points[0].values[k]));
      EXPECT_EQ(result.points[1 + k].status, PointStatus::kFailed);
    } else {
      EXPECT_EQ(result.points[0].values[k], result.points[1 + k].values.at(0)) << k;
    }
  }
}

TEST(RunCampaign, HelpsAPointThatDoesNotConvergeAndSaysHow) {
  // A truncation error that no step is small enough for ("Timestep too small"): only wider tolerances help.
  Deck tight = deck_of({"vclamp a 0 0 pwl(0 0 1n 1)", "d1 a b dio", "r1 b 0 1k", "c1 b 0 1p", ".model dio d(is=1e-15)",
                        ".options reltol=1e-12 abstol=1e-20 vntol=1e-16 chgtol=1e-30 trtol=1e-6"});
  tight.outputs = {{"b", 1.0}};
  tight.transient = "tran 10p 1n";
  tight.stop_seconds = 1e-9;
  tight.looser_tolerances = ".options reltol=1e-4 abstol=1e-12 vntol=1e-6 chgtol=1e-16 trtol=1";
  Deck usual = tight;
  usual.lines[6] = tight.looser_tolerances;
  std::vector<SimulationPoint> points = points_of({{}, {}, {}}, Analysis::kTransient);
  points[1].deck = 1;
  const auto result = run({tight, usual}, points, kTolerant);
  for (const std::size_t k : {0u, 2u}) {
    EXPECT_EQ(result.points[k].status, PointStatus::kSuspect);
    EXPECT_EQ(result.points[k].remedy, Remedy::kLooser);
    EXPECT_EQ(result.points[k].values, result.points[1].values);
  }
  EXPECT_EQ(result.points[1].status, PointStatus::kOk);
  EXPECT_EQ(result.points[1].remedy, Remedy::kNone);
  EXPECT_EQ(result.remedied(), 2u);
}

TEST(RunCampaign, DoesNotDependOnJobs) {
  const auto points = divider_points(100);
  const auto one = run({divider()}, points), two = run({divider()}, points, {}, 2);
  for (std::size_t i = 0; i < points.size(); ++i) EXPECT_EQ(one.points[i].values, two.points[i].values) << i;
}

TEST(RunCampaign, NoiseOfAResistorIsNyquists) {
  // The current noise of R between ideal sources over B is 4kT/R·B. ngspice's Boltzmann constant is that of 2014.
  const auto deck =
      deck_of({"vclamp a 0 dc 0.2 ac 1", "hout out 0 vclamp 1", "r1 a 0 1k", ".options temp=77"}, {"@r1[resistance]"});
  for (const double ohms : {100.0, 1e5})
    for (const double bandwidth : {5e7, 1.3e3}) {
      SimulationPoint point{.slots = {ohms},
                            .analysis = Analysis::kNoise,
                            .noise_low_hertz = bandwidth / 1e5,
                            .noise_high_hertz = bandwidth};
      const auto result = run({deck}, {point});
      ASSERT_EQ(result.points[0].status, PointStatus::kOk) << result.points[0].log;
      const double expected = 4 * kBoltzmannJoulesPerKelvin * (77 + kZeroCelsiusKelvin) / ohms * bandwidth;
      EXPECT_NEAR(result.points[0].values.at(0) / expected, 1, 1e-6) << ohms << " " << bandwidth;
    }
}

TEST(RunCampaign, NoisePointsDoNotDisturbOperatingPoints) {
  const auto deck = deck_of({"vclamp a 0 dc 0.2 ac 1", "hout out 0 vclamp 1", "r1 a 0 1k"}, {"@r1[resistance]"});
  std::vector<SimulationPoint> points;
  for (int i = 0; i < 6; ++i) {
    points.push_back({.slots = {1000.0 + i}});
    if (i % 2 == 0) continue;
    points.back().analysis = Analysis::kNoise;
    points.back().noise_low_hertz = 10;
    points.back().noise_high_hertz = 1e6;
  }
  const auto result = run({deck}, points);
  for (int i = 0; i < 6; i += 2) EXPECT_NEAR(result.points[i].values.at(0), 0.2 / (1000 + i), 1e-16);
  for (int i = 1; i < 6; i += 2)
    EXPECT_NEAR(result.points[i].values.at(0) * (1000 + i) / (4 * 1.380649e-23 * 300.15 * 1e6), 1, 1e-6);
}

TEST(RunCampaign, AnUndefinedParameterPoisonsOneWorkerOnly) {
  const std::vector<Deck> decks = {divider(), deck_of({"vclamp a 0 1", "r1 a 0 {nope}"})};
  auto points = divider_points(10);
  points[4] = {.deck = 1};
  points[7] = {.deck = 1};
  const auto result = run(decks, points, kTolerant);
  for (std::size_t i = 0; i < points.size(); ++i)
    EXPECT_EQ(result.points[i].status, points[i].deck == 1 ? PointStatus::kLoadFailed : PointStatus::kOk) << i;
  EXPECT_NE(result.points[4].log.find("Undefined parameter [nope]"), std::string::npos) << result.points[4].log;
  EXPECT_EQ(result.failures(), 2u);
}

TEST(RunCampaign, ADeckThatNgspiceRejectsIsAProjectError) {
  for (const char* line : {"r1 a 0 {nope}", "m1 a 0 0 0 nomodel", "x1 a 0 nosub"}) {
    const auto message = expect_error(ExitStatus::kInvalidProject, "E207", [&] {
      run({deck_of({"vclamp a 0 1", line})}, {{}, {}, {}, {}, {}});
    });
    EXPECT_NE(message.find("test deck"), std::string::npos);
  }
  // Also where there are too few points for three rejections: what `errata check` runs.
  expect_error(ExitStatus::kInvalidProject, "E207", [&] {
    run({deck_of({"vclamp a 0 1", "r1 a 0 {nope}"})}, {{}, {}}, {.retries = 0});
  });
}

TEST(RunCampaign, NoConvergenceIsAResultWithNgspicesWords) {
  const std::vector<Deck> decks = {
      divider(), deck_of({"vclamp a 0 1", "v2 a 0 2"}),                          // singular
      deck_of({"vclamp a 0 1", "r1 a 0 1k", "c1 a b 1p", "c2 b 0 1p"}),          // floating
      deck_of({"vclamp a 0 1", "r1 a 0 1k", "b1 c 0 v = v(c) > 0.5 ? 0 : 1"})};  // chatters
  auto points = divider_points(7);
  for (std::size_t k = 1; k < 4; ++k) points[2 * k - 1] = {.deck = k};
  const auto result = run(decks, points, kTolerant);
  for (std::size_t i = 0; i < points.size(); ++i) {
    EXPECT_EQ(result.points[i].status, points[i].deck > 0 ? PointStatus::kFailed : PointStatus::kOk) << i;
    EXPECT_EQ(result.points[i].values.empty(), points[i].deck > 0);
  }
  EXPECT_NE(result.points[1].log.find("singular matrix"), std::string::npos);
  EXPECT_NE(result.points[3].log.find("check node b"), std::string::npos);
}

TEST(RunCampaign, AnUnknownSlotIsAFailureAndNotTheOldValue) {
  for (const char* slot : {"@r9[resistance]", "@r2[nonsense]"}) {
    Deck deck = divider();
    deck.slots[1].target = slot;
    const auto result = run({deck}, divider_points(2), kTolerant);
    EXPECT_EQ(result.points[0].status, PointStatus::kFailed) << slot;
    EXPECT_FALSE(result.points[0].log.empty()) << slot;
  }
  auto points = divider_points(2);
  points[0].slots[1] = std::nan("");
  const auto result = run({divider()}, points, kTolerant);
  EXPECT_EQ(result.points[0].status, PointStatus::kFailed);
  EXPECT_EQ(result.points[1].status, PointStatus::kOk);
}

TEST(RunCampaign, AHangCostsItsDeadlineOnly) {
  auto points = divider_points(12);
  points[5] = {.deck = 1};
  const auto result =
      run({divider(), endless()}, points, {.deadline_seconds = 0.5, .retries = 1, .tolerated_failures = 0.1}, 2);
  for (std::size_t i = 0; i < points.size(); ++i)
    EXPECT_EQ(result.points[i].status, i == 5 ? PointStatus::kTimeout : PointStatus::kOk) << i;
  EXPECT_EQ(result.attempts[5], 2);  // once more in a fresh worker
  EXPECT_EQ(result.attempts[4], 1);
}

TEST(RunCampaign, IsGivenUpWhenEveryPointHangs) {
  const std::vector<SimulationPoint> points(40);
  const auto begin = std::chrono::steady_clock::now();
  const auto message =
      expect_error(ExitStatus::kComputation, "E501", [&] { run({endless()}, points, {.deadline_seconds = 0.2}, 2); });
  EXPECT_NE(message.find("TIMEOUT"), std::string::npos);
  // Forty deadlines with three attempts each would be 12 s on two workers.
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

TEST(RunCampaign, TooManyFailuresAreAnError) {
  auto points = divider_points(10);
  points[3] = {.deck = 1};
  const std::vector<Deck> decks = {divider(), deck_of({"vclamp a 0 1", "v2 a 0 2"})};
  EXPECT_NO_THROW(run(decks, points, {.tolerated_failures = 0.1}));
  const auto message =
      expect_error(ExitStatus::kComputation, "E501", [&] { run(decks, points, {.tolerated_failures = 0.09}); });
  EXPECT_NE(message.find("1 of 10 simulations gave no number"), std::string::npos);
  EXPECT_NE(message.find("point 3 (test deck): FAILED"), std::string::npos);
}

TEST(RunCampaign, ResumesFromAJournalCutAnywhere) {
  const TemporaryFolder folder;
  const auto points = divider_points(8);
  const auto shard = folder / "shards/x.journal";
  const auto whole = run({divider()}, points, {}, 1, shard);
  const std::string bytes = bytes_of(shard);
  ASSERT_GT(bytes.size(), 64u);
  constexpr std::size_t kRecord = 24 + 18;  // header; status, remedy, count, one value, length of the log
  ASSERT_EQ(bytes.size(), 64 + 8 * kRecord);
  for (std::size_t cut = 0; cut <= 2 * kRecord + 1; ++cut) {
    folder.write("shards/x.journal", bytes.substr(0, bytes.size() - cut));
    const auto resumed = run({divider()}, points, {}, 1, shard);
    std::size_t simulated = 0;
    for (std::size_t i = 0; i < points.size(); ++i) {
      ASSERT_EQ(resumed.points[i].values, whole.points[i].values) << cut;
      simulated += resumed.attempts[i];
    }
    ASSERT_EQ(simulated, (cut + kRecord - 1) / kRecord) << cut;  // only what was cut off
    ASSERT_TRUE(bytes_of(shard) == bytes) << cut;
  }
}

TEST(RunCampaign, IgnoresAJournalOfALongerOrForeignCampaign) {
  const TemporaryFolder folder;
  const auto shard = folder / "x.journal";
  run({divider()}, divider_points(8), {}, 1, shard);
  EXPECT_EQ(run({divider()}, divider_points(3), {}, 1, shard).failures(), 0u);
  RunContext context;
  const auto other = run_campaign({divider()}, divider_points(8), {}, shard, std::string(64, 'g'), context);
  for (const auto attempts : other.attempts) EXPECT_EQ(attempts, 1);
}

TEST(RunCampaign, ALostPointIsTriedAgainByTheNextRun) {
  const TemporaryFolder folder;
  const auto shard = folder / "x.journal";
  auto points = divider_points(3);
  points[1] = {.deck = 1};
  const CampaignOptions options{.deadline_seconds = 0.3, .retries = 0, .tolerated_failures = 1};
  EXPECT_EQ(run({divider(), endless()}, points, options, 1, shard).points[1].status, PointStatus::kTimeout);
  Deck quick = deck_of({"vclamp a 0 1", "r1 a 0 1k"});  // as if the machine was only busy
  const auto again = run({divider(), quick}, points, options, 1, shard);
  EXPECT_EQ(again.points[1].status, PointStatus::kOk);
  EXPECT_EQ(again.attempts[0], 0);
}

TEST(RunCampaign, WorksInADecimalCommaLocale) {
  const auto expected = run({divider()}, divider_points(5));
  const testing::GermanLocale german;
  if (!german.active()) GTEST_SKIP() << "no de_DE.UTF-8 and no localedef";
  // Expressions are what the locale breaks.
  const auto deck = deck_of({".param r={1.5*1000}", "vclamp a 0 1.5", "r1 a 0 {r}"});
  EXPECT_DOUBLE_EQ(run({deck}, {{}}).points[0].values.at(0), 1e-3);
  const auto result = run({divider()}, divider_points(5));
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(result.points[i].values, expected.points[i].values);
}

TEST(RunCampaign, WorksAfterTheParentHasUsedOpenMp) {
  // A BSIM4 with two OpenMP threads would deadlock in a forked child of such a parent (docs/design/ngspice.md).
  std::atomic<int> sum = 0;
#pragma omp parallel num_threads(2)
  sum += omp_get_thread_num() + 1;
  ASSERT_GE(sum, 1);
  const auto deck = deck_of(
      {".model n nmos level=54 version=4.8 lpe0=0 lpeb=0", "vclamp a 0 0.2", "vg g 0 1", "m1 a g 0 0 n w=1u l=1u"});
  const auto result = run({deck}, {{}}, {.deadline_seconds = 20, .retries = 0, .tolerated_failures = 0});
  EXPECT_GT(result.points[0].values.at(0), 0);
}

TEST(RunCampaign, AParameterIsAppliedAndAlteredValuesSurviveIt) {
  Deck deck =
      deck_of({".param extra=0", "vclamp a 0 1", "r1 a b {1k+extra}", "r2 b 0 1k"}, {"@vclamp[dc]", "@r2[resistance]"});
  deck.slots.push_back({SlotKind::kParameter, "extra"});
  // The parameter alone changes, altered values alone, both, and none.
  const std::vector<std::vector<double>> slots = {{0.1, 1500, 0},   {0.1, 1500, 500}, {0.1, 1500, 700},
                                                  {0.3, 1500, 700}, {0.3, 1800, 100}, {0.3, 1800, 100},
                                                  {0.1, 1500, 0}};
  const auto result = run({deck}, points_of(slots));
  for (std::size_t i = 0; i < slots.size(); ++i) {
    ASSERT_EQ(result.points[i].status, PointStatus::kOk) << result.points[i].log;
    const double expected = slots[i][0] / (1000 + slots[i][2] + slots[i][1]);
    EXPECT_NEAR(result.points[i].values.at(0) / expected, 1, 1e-12) << i;
  }
}

TEST(RunCampaign, AModelInsideOneSubcircuitIsChanged) {
  Deck deck = deck_of({".subckt cell d g", ".model sw nmos level=1 vto=0.5 kp=100u", "m1 d g 0 0 sw w=1u l=1u", ".ends",
                       "vclamp a 0 1", "vg g 0 1", "x1 a g cell", "x2 a g cell"});
  deck.slots = {{SlotKind::kModel, "x1:sw vto"}, {SlotKind::kAlter, "@vg[dc]"}};
  const std::vector<std::vector<double>> slots = {{0.5, 1}, {0.3, 1}, {0.3, 0.9}, {0.6, 1}};
  const auto result = run({deck}, points_of(slots));
  for (std::size_t i = 0; i < slots.size(); ++i) {
    ASSERT_EQ(result.points[i].status, PointStatus::kOk) << result.points[i].log;
    // Both in saturation; x2 keeps the model as written.
    const double expected = 50e-6 * (std::pow(slots[i][1] - slots[i][0], 2) + std::pow(slots[i][1] - 0.5, 2));
    EXPECT_NEAR(result.points[i].values.at(0) / expected, 1, 1e-6) << i;  // gmin of two drains is 2 pA
  }
}

TEST(RunCampaign, AnUnknownParameterOrModelIsAFailure) {
  for (const Slot& slot : {Slot{SlotKind::kParameter, "nope"}, Slot{SlotKind::kModel, "nope vto"},
                           Slot{SlotKind::kModel, "x1:nope vto"}}) {
    Deck deck = divider();
    deck.slots[1] = slot;
    const auto result = run({deck}, divider_points(2), kTolerant);
    EXPECT_EQ(result.points[0].status, PointStatus::kFailed) << slot.target;
    EXPECT_FALSE(result.points[0].log.empty()) << slot.target;
  }
}

/// 1 pF that is released at 1 V and discharged through a slot's resistance for 1 ns.
Deck released_capacitor() {
  Deck deck = deck_of(
      {".options chgtol=1e-17 trtol=1 reltol=1e-5 abstol=1e-15 vntol=1e-8", ".ic v(a)=1", "c1 a 0 1p", "r1 a 0 1k"},
      {"@r1[resistance]"});
  deck.outputs = {{"a", 1.0}, {"a", -2.0}};
  deck.transient = "tran 2e-11 1e-9 0 2e-11";
  deck.stop_seconds = 1e-9;
  return deck;
}

TEST(RunCampaign, ATransientGivesTheVoltageThatRcDoes) {
  const std::vector<std::vector<double>> ohms = {{1e3}, {500}, {3e3}, {1e3}};
  const auto result = run({released_capacitor()}, points_of(ohms, Analysis::kTransient));
  for (std::size_t i = 0; i < ohms.size(); ++i) {
    ASSERT_EQ(result.points[i].status, PointStatus::kOk) << result.points[i].log;
    ASSERT_EQ(result.points[i].values.size(), 2u);
    EXPECT_NEAR(result.points[i].values[0], std::exp(-1e-9 / (ohms[i][0] * 1e-12)), 1e-4);
    EXPECT_EQ(result.points[i].values[1], -2 * result.points[i].values[0]);
  }
}

TEST(RunCampaign, ATransientThatStopsEarlyIsAFailureAndNoNumber) {
  Deck too_late = released_capacitor(), breaks = released_capacitor();
  too_late.stop_seconds = 2e-9;
  // No solution from the middle on.
  breaks.lines.insert(breaks.lines.end() - 1, "b1 c 0 v = time > 0.5n ? (v(c) > 0.5 ? 0 : 1) : 0");
  breaks.positions.emplace_back();
  std::vector<SimulationPoint> points = points_of({{1e3}, {1e3}, {1e3}, {1e3}}, Analysis::kTransient);
  for (std::size_t i = 0; i < 3; ++i) points[i].deck = i;
  const auto result = run({released_capacitor(), too_late, breaks}, points, kTolerant);
  for (std::size_t i = 0; i < points.size(); ++i) {
    const bool good = points[i].deck == 0;
    EXPECT_EQ(result.points[i].status, good ? PointStatus::kOk : PointStatus::kFailed) << i;
    EXPECT_EQ(result.points[i].values.empty(), !good) << i;
  }
}

TEST(RunCampaign, AFailureHasNoValuesAtAll) {
  Deck deck = released_capacitor();
  deck.outputs = {{"a", 1.0}, {"nowhere", 1.0}};
  for (const auto analysis : {Analysis::kOperatingPoint, Analysis::kTransient}) {
    const auto result = run({deck}, points_of({{1e3}}, analysis), kTolerant);
    EXPECT_EQ(result.points[0].status, PointStatus::kFailed);
    EXPECT_TRUE(result.points[0].values.empty());
  }
}

TEST(NominalValues, AreThoseOfTheDeck) {
  Deck deck = deck_of({".subckt cell a", "cmom a 0 1.2f", "m1 a a 0 0 sw w=2u l=0.1u", ".model sw nmos level=1",
                       ".ends", "vclamp a 0 0.2", "x1 a cell"});
  const std::vector<std::string> parameters = {"@c.x1.cmom[capacitance]", "@m.x1.m1[w]"};
  auto values = nominal_values(deck, parameters, RunContext{});
  ASSERT_EQ(values.size(), 2u);
  EXPECT_NEAR(values[0] / 1.2e-15, 1, 1e-12);
  EXPECT_NEAR(values[1] / 2e-6, 1, 1e-12);
  deck.transient = "tran 1e-11 1e-9 0 1e-11";
  deck.stop_seconds = 1e-9;
  values = nominal_values(deck, parameters, RunContext{});
  EXPECT_NEAR(values.at(0) / 1.2e-15, 1, 1e-12);
}

TEST(NominalValues, ThatNgspiceDoesNotKnowAreNamed) {
  const Deck deck = deck_of({"vclamp a 0 0.2", "r1 a 0 1k"});
  for (const char* parameter : {"@r1[colour]", "@r9[resistance]"}) {
    const auto message = expect_error(ExitStatus::kInvalidProject, "E208", [&] {
      nominal_values(deck, {"@r1[resistance]", parameter}, RunContext{});
    });
    EXPECT_NE(message.find(parameter), std::string::npos) << message;
  }
  expect_error(ExitStatus::kInvalidProject, "E207", [&] {
    nominal_values(deck_of({"vclamp a 0 0.2", "r1 a 0 {nope}"}), {"@r1[resistance]"}, RunContext{});
  });
}

TEST(RunCampaign, ALatchIsInTheStateThatItsParameterSays) {
  Deck deck =
      deck_of({".param state=0", ".model n nmos level=1 vto=0.3 kp=200u lambda=0.1",
               ".model p pmos level=1 vto=-0.3 kp=100u lambda=0.1", ".subckt latch vdd", "mp1 q qb vdd vdd p w=1u l=1u",
               "mn1 q qb 0 0 n w=1u l=1u", "mp2 qb q vdd vdd p w=1u l=1u", "mn2 qb q 0 0 n w=1u l=1u", "cq q 0 1f",
               "cqb qb 0 1f", ".ends", "vclamp vdd 0 1", "x1 vdd latch", ".nodeset v(x1.q)={state}",
               ".nodeset v(x1.qb)={1-state}", ".ic v(x1.q)={state}", ".ic v(x1.qb)={1-state}"});
  deck.slots = {{SlotKind::kParameter, "state"}};
  deck.outputs = {{"x1.q", 1.0}, {"x1.qb", 1.0}};
  deck.transient = "tran 2e-11 1e-9 0 2e-11";
  deck.stop_seconds = 1e-9;
  const std::vector<std::vector<double>> states = {{0}, {1}, {0}, {1}, {1}, {0}, {0}, {1}};
  for (const auto analysis : {Analysis::kOperatingPoint, Analysis::kTransient}) {
    const auto result = run({deck}, points_of(states, analysis));
    for (std::size_t i = 0; i < states.size(); ++i) {
      ASSERT_EQ(result.points[i].status, PointStatus::kOk) << result.points[i].log;
      EXPECT_NEAR(result.points[i].values.at(0), states[i][0], 1e-3) << i;
      EXPECT_NEAR(result.points[i].values.at(1), 1 - states[i][0], 1e-3) << i;
    }
  }
}

TEST(NgspiceVersion, IsKnown) { EXPECT_TRUE(ngspice_version(RunContext{}).starts_with("ngspice-")); }

TEST(PointStatus, HasANameForEach) {
  for (int i = 0; i <= 5; ++i) EXPECT_NE(to_string(static_cast<PointStatus>(i)), "?");
}

}  // namespace
}  // namespace errata::circuit
