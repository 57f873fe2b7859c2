#include "circuit/campaign/campaign.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include "circuit/campaign/journal.h"
#include "circuit/campaign/log_excerpt.h"
#include "circuit/campaign/ngspice_session.h"
#include "core/worker_pool.h"

namespace errata::circuit {

namespace {

bool has_number(const PointResult& result) {
  return result.status == PointStatus::kOk || result.status == PointStatus::kSuspect;
}

/// A worker whose memory grows without end is replaced before it is a burden.
class MemoryWatch {
 public:
  explicit MemoryWatch(std::uint64_t most_growth) : most_growth_(most_growth) {}

  bool has_grown() {
    constexpr int kEvery = 64;  // reading /proc costs as much as a small operating point
    if (++points_ % kEvery != 0) return false;
    const std::uint64_t now = resident_bytes();
    if (at_start_ == 0) at_start_ = now;  // after the first points, when the deck is loaded and everything is warm
    return now > at_start_ + most_growth_;
  }

 private:
  std::uint64_t most_growth_;
  int points_ = 0;
  std::uint64_t at_start_ = 0;
};

/// Loads decks and simulates points of a campaign, in a worker process.
WorkerPool::Handler handler_of(const std::vector<Deck>& decks, const std::vector<SimulationPoint>& points,
                               const CampaignOptions& options) {
  struct State {
    explicit State(std::uint64_t most_growth) : watch(most_growth) {}
    NgspiceSession session;
    MemoryWatch watch;
    std::optional<PointResult> not_loaded;
  };
  auto state = std::make_shared<State>(options.memory_growth_bytes);
  const auto answer = [&decks, &points, state](std::size_t item) {
    if (state->not_loaded) return WorkerPool::Answer{encode(*state->not_loaded), true};
    const PointResult point = state->session.simulate(decks, points[item]);
    const bool spent =
        state->session.poisoned() || point.status == PointStatus::kLoadFailed || state->watch.has_grown();
    return WorkerPool::Answer{encode(point), spent};
  };
  const auto load = [&decks, &points, state](std::span<const std::uint64_t> items) -> std::size_t {
    const std::size_t deck = points[items.front()].deck;
    state->not_loaded = state->session.failure_to_load(decks, deck);
    if (state->not_loaded) return 0;
    const auto other = std::ranges::find_if(items, [&](std::uint64_t item) { return points[item].deck != deck; });
    return static_cast<std::size_t>(other - items.begin());
  };
  return {answer, load};
}

WorkerPool::Isolation isolation_of(const CampaignOptions& options, const std::vector<Deck>& decks) {
  return options.isolation == Isolation::kForkedBatches || is_heavy(decks)
             ? WorkerPool::Isolation::kForkedBatch
             : WorkerPool::Isolation::kForkedBatchAfterALoss;
}

[[noreturn]] void too_many_failures(const std::vector<Deck>& decks, const std::vector<SimulationPoint>& points,
                                    const CampaignResult& result) {
  std::string message = fmt::format("{} of {} simulations gave no number", result.failures(), points.size());
  std::size_t shown = 0;
  for (std::size_t i = 0; i < points.size() && shown < 3; ++i) {
    if (has_number(result.points[i])) continue;
    message +=
        fmt::format("\n  point {} ({}): {}\n    {}", i, decks[points[i].deck].name, to_string(result.points[i].status),
                    log_with_places(result.points[i].log, decks[points[i].deck]));
    ++shown;
  }
  throw Error(
      ExitStatus::kComputation, "E501", message,
      "run `errata check`; a longer circuit.deadline helps slow points, circuit.tolerated_failures lets some go");
}

}  // namespace

std::string_view to_string(PointStatus status) {
  switch (status) {
    case PointStatus::kOk:
      return "OK";
    case PointStatus::kSuspect:
      return "SUSPECT";
    case PointStatus::kFailed:
      return "FAILED";
    case PointStatus::kTimeout:
      return "TIMEOUT";
    case PointStatus::kCrashed:
      return "CRASHED";
    case PointStatus::kLoadFailed:
      return "LOAD_FAILED";
  }
  return "?";
}

std::string_view to_string(Remedy remedy) {
  switch (remedy) {
    case Remedy::kNone:
      return "none";
    case Remedy::kNodeset:
      return "nodes from half the supply";
    case Remedy::kMoreSteps:
      return "more iterations and gmin steps";
    case Remedy::kGear:
      return "Gear's method";
    case Remedy::kLooser:
      return "tolerances ten times wider";
  }
  return "?";
}

std::size_t CampaignResult::remedied() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(points, [](const PointResult& p) { return p.remedy != Remedy::kNone; }));
}

std::size_t CampaignResult::repeated() const {
  return static_cast<std::size_t>(std::ranges::count_if(attempts, [](std::uint8_t n) { return n > 1; }));
}

std::size_t CampaignResult::failures() const {
  return static_cast<std::size_t>(std::ranges::count_if(points, [](const PointResult& p) { return !has_number(p); }));
}

std::size_t CampaignResult::suspects() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(points, [](const PointResult& p) { return p.status == PointStatus::kSuspect; }));
}

bool is_heavy(const std::vector<Deck>& decks) {
  constexpr std::size_t kMuch = 100'000;  // characters: tens of milliseconds to load, against some for a fork
  return std::ranges::any_of(decks, [](const Deck& deck) {
    std::size_t characters = 0;
    for (const std::string& line : deck.lines) characters += line.size();
    return characters >= kMuch;
  });
}

CampaignResult run_campaign(const std::vector<Deck>& decks, const std::vector<SimulationPoint>& points,
                            const CampaignOptions& options, const std::filesystem::path& shard,
                            const std::string& fingerprint, const RunContext& context) {
  CampaignResult result;
  result.points.resize(points.size());
  result.attempts.assign(points.size(), 0);
  std::vector<bool> done(points.size(), false);
  std::size_t finished = 0;
  const auto finish = [&](std::size_t item, PointResult point) {
    finished += done[item] ? 0 : 1;
    done[item] = true;
    result.points[item] = std::move(point);
  };
  std::optional<Journal> journal;
  if (!shard.empty())
    journal.emplace(shard, fingerprint, [&](std::size_t item, PointResult point) {
      if (item < points.size()) finish(item, std::move(point));
    });

  WorkerPool::Options pool_options;
  pool_options.workers = context.jobs;
  pool_options.deadline_seconds = options.deadline_seconds;
  pool_options.isolation = isolation_of(options, decks);
  const auto make_handler = [&] { return handler_of(decks, points, options); };
  std::optional<WorkerPool> pool(std::in_place, pool_options, make_handler);

  for (int attempt = 0; attempt <= options.retries; ++attempt) {
    std::vector<std::size_t> open;
    for (std::size_t i = 0; i < points.size(); ++i)
      if (!done[i]) open.push_back(i);
    if (open.empty()) break;
    std::size_t load_failures = 0, lost = 0, answered = 0;
    const std::size_t rejected = std::min<std::size_t>(3, open.size());  // one may be bad luck
    const auto summary = pool->run(
        open,
        [&](std::size_t item, WorkerPool::Reply reply) {
          ++result.attempts[item];
          PointResult point;
          if (reply.outcome == WorkerPool::Outcome::kAnswered) {
            point = decode(reply.bytes);
            ++answered;
          } else {
            point.status =
                reply.outcome == WorkerPool::Outcome::kTimeout ? PointStatus::kTimeout : PointStatus::kCrashed;
            point.log = reply.reason;
            constexpr std::size_t kHopeless = 4;  // more losses than answers: do not wait for every deadline
            if (++lost >= kHopeless && lost > answered) {
              for (auto& p : result.points) p = p.values.empty() ? point : p;
              too_many_failures(decks, points, result);
            }
            if (attempt < options.retries) {
              result.points[item] = point;
              return;  // once more, in a fresh worker
            }
          }
          if (point.status == PointStatus::kLoadFailed && ++load_failures >= rejected)
            throw Error(ExitStatus::kInvalidProject, "E207",
                        fmt::format("ngspice rejects the deck of the {}:\n{}", decks[points[item].deck].name,
                                    log_with_places(point.log, decks[points[item].deck])),
                        "the lines come from the netlist that [circuit] names");
          const bool answer = reply.outcome == WorkerPool::Outcome::kAnswered;
          if (journal && answer) journal->append(item, point);  // a lost point is tried again by the next run
          finish(item, std::move(point));
          context.progress("ngspice", finished, points.size());
        },
        context);
    result.forked = result.forked || summary.forked;
    if (summary.lost == 0) break;
    pool_options.isolation = WorkerPool::Isolation::kForkedBatch;
    pool_options.forked_chunk = 1;  // what was lost comes again point by point
    pool.emplace(pool_options, make_handler);
  }
  if (result.failures() > options.tolerated_failures * static_cast<double>(points.size()))
    too_many_failures(decks, points, result);
  return result;
}

std::vector<double> nominal_values(const Deck& deck, const std::vector<std::string>& parameters,
                                   const RunContext& context) {
  WorkerPool::Options options;
  options.deadline_seconds = 20;
  WorkerPool pool(options, [&] {
    auto session = std::make_shared<NgspiceSession>();
    return
        [&, session](std::size_t) { return WorkerPool::Answer{encode(session->parameter_values(deck, parameters))}; };
  });
  PointResult result;
  pool.run(
      {0},
      [&](std::size_t, WorkerPool::Reply reply) {
        if (reply.outcome == WorkerPool::Outcome::kAnswered)
          result = decode(reply.bytes);
        else
          result.log = reply.reason;
      },
      RunContext{.cancelled = context.cancelled});
  if (result.status == PointStatus::kLoadFailed)
    throw Error(ExitStatus::kInvalidProject, "E207",
                fmt::format("ngspice rejects the deck of the {}:\n{}", deck.name, log_with_places(result.log, deck)),
                "the lines come from the netlist that [circuit] names");
  for (std::size_t i = 0; i < parameters.size(); ++i)
    if (i >= result.values.size() || !std::isfinite(result.values[i]))
      throw Error(ExitStatus::kInvalidProject, "E208",
                  fmt::format("ngspice knows no value of {}, so mismatch cannot move it", parameters[i]),
                  "movable are instance parameters such as delvto, mulu0, resistance, capacitance, w and l");
  return result.values;
}

std::string ngspice_version(const RunContext& context) {
  WorkerPool::Options options;
  options.deadline_seconds = 20;
  WorkerPool pool(options, [] {
    auto session = std::make_shared<NgspiceSession>();
    return [session](std::size_t) { return WorkerPool::Answer{session->version()}; };
  });
  std::string version;
  pool.run(
      {0}, [&](std::size_t, WorkerPool::Reply reply) { version = reply.bytes; }, context);
  return version;
}

}  // namespace errata::circuit
