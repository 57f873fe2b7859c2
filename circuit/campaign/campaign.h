#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "circuit/campaign/simulation.h"
#include "circuit/deck/deck.h"
#include "core/run_context.h"

namespace errata::circuit {

/// Which process simulates (docs/methods/circuit.md): by what pays, or always a forked child for each batch of points.
enum class Isolation : std::uint8_t { kAutomatic, kForkedBatches };

/// How a campaign treats points that go wrong.
struct CampaignOptions {
  double deadline_seconds = 60.0;    ///< for one point
  int retries = 2;                   ///< a crash or time-out is tried again this often, in a fresh worker
  double tolerated_failures = 1e-3;  ///< fraction of points that may end without a number
  Isolation isolation = Isolation::kAutomatic;
  std::uint64_t memory_growth_bytes = std::uint64_t{256} << 20;  ///< a worker that grew by more is replaced
};

/// The numbers of a finished campaign, in the order of its points.
struct CampaignResult {
  std::vector<PointResult> points;
  std::vector<std::uint8_t> attempts;  ///< of each point
  bool forked = false;                 ///< batches ran in forked children, at least at the end
  std::size_t failures() const;
  std::size_t suspects() const;
  std::size_t repeated() const;  ///< that took more than one attempt
  std::size_t remedied() const;  ///< that converged only after a remedy
};

/// Whether the decks are so long that loading one again costs more than forks do.
bool is_heavy(const std::vector<Deck>& decks);

/// Simulates every point in worker processes. Finished points stand in the journal `shard` (unless empty) under
/// `fingerprint` and are not simulated again. Throws Error (E501) when more points fail than are tolerated; the
/// message quotes ngspice.
CampaignResult run_campaign(const std::vector<Deck>& decks, const std::vector<SimulationPoint>& points,
                            const CampaignOptions& options, const std::filesystem::path& shard,
                            const std::string& fingerprint, const RunContext& context);

/// Values of device parameters ("@c.x1.cmom[capacitance]") as the deck has them, asked of ngspice after an operating
/// point or, where the deck has one, a transient. Throws Error (E207) when the deck does not load, (E208) when ngspice
/// does not know one of them.
std::vector<double> nominal_values(const Deck& deck, const std::vector<std::string>& parameters,
                                   const RunContext& context);

/// ngspice's version text, asked for in a worker process.
std::string ngspice_version(const RunContext& context);

}  // namespace errata::circuit
