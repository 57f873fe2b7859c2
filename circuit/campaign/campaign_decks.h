#pragma once

#include <vector>

#include "circuit/circuit_project.h"
#include "core/settings.h"

namespace errata::circuit {

/// Numbers of the decks of a campaign. The third is the column with half the step and tolerances, the fifth the column
/// with probes for its noise. Current reads have a cell that is swept besides; transient reads take a static cell for
/// its noise, and the last where there is a reset switch. Where a column is no sum of cells only the columns' are used,
/// and the cell's for noise where it stands alone.
enum DeckNumber : std::size_t {
  kCellDeck = 0,
  kColumnDeck = 1,
  kCheckDeck = 2,
  kSweepDeck = 3,
  kStaticCellDeck = 3,
  kNoiseDeck = 4,
  kSwitchDeck = 5
};

/// Every deck of a campaign, by DeckNumber; `surface` holds the biases of sweeps.
std::vector<Deck> campaign_decks(const CircuitProject& project, const CellSurface& surface);

/// Whether the cell's surface is taken by sweeps. A latch would carry its state from bias to bias, and a deck that has
/// to be expanded anew for each device gains nothing.
bool sweeps(const CircuitProject& project, const Settings& settings);

}  // namespace errata::circuit
