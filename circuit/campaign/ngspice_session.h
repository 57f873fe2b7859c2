#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "circuit/campaign/simulation.h"
#include "circuit/deck/deck.h"

namespace errata::circuit {

/// One libngspice in this process. Only ever made in a worker process: the library keeps global state, crashes on a
/// second thread and cannot be reset (docs/design/ngspice.md). Success is judged by evidence, never by return code.
class NgspiceSession {
 public:
  NgspiceSession();
  ~NgspiceSession();

  /// Simulates one point, loading the deck first when another one is loaded.
  PointResult simulate(const std::vector<Deck>& decks, const SimulationPoint& point);

  /// Loads the deck that a point needs, before this process is forked: nothing when it is ready, or the point's result.
  std::optional<PointResult> failure_to_load(const std::vector<Deck>& decks, std::size_t deck);

  /// Values of device parameters as the deck has them; NaN for one that ngspice does not know.
  PointResult parameter_values(const Deck& deck, const std::vector<std::string>& parameters);

  /// True once the library's state is not to be trusted any more: end the process.
  bool poisoned() const;

  /// ngspice's version text, for example "ngspice-39".
  std::string version();

 private:
  class Library;
  std::unique_ptr<Library> library_;
};

}  // namespace errata::circuit
