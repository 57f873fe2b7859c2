#pragma once

#include <string>
#include <vector>

#include "circuit/campaign/campaign.h"

namespace errata::testing {

/// A deck of these lines whose slots are altered in place.
inline circuit::Deck deck_of(std::vector<std::string> lines, const std::vector<std::string>& slots = {}) {
  lines.insert(lines.begin(), "title");
  lines.push_back(".end");
  circuit::Deck deck{.name = "test deck", .lines = std::move(lines)};
  for (const auto& target : slots) deck.slots.push_back({circuit::SlotKind::kAlter, target});
  deck.positions.resize(deck.lines.size());
  return deck;
}

/// Two resistors in series between the clamp and ground: slots clamp voltage and lower resistor.
inline circuit::Deck divider() {
  return deck_of({"vclamp a 0 1", "r1 a b 1k", "r2 b 0 1k"}, {"@vclamp[dc]", "@r2[resistance]"});
}

inline std::vector<circuit::SimulationPoint> divider_points(std::size_t n) {
  std::vector<circuit::SimulationPoint> points(n);
  for (std::size_t i = 0; i < n; ++i)
    points[i].slots = {0.1 * static_cast<double>(i + 1), 1000.0 + static_cast<double>(i)};
  return points;
}

/// An operating point that never ends: a chattering source and no limit of iterations.
inline circuit::Deck endless() {
  return deck_of({"vclamp a 0 1", "r1 a 0 1k", "b1 c 0 v = v(c) > 0.5 ? 0 : 1", ".options itl1=1000000000"});
}

/// Loads, and takes ngspice down in its first analysis: a source that is both constant and EXTERNAL.
inline circuit::Deck crashing() { return deck_of({"vclamp a 0 dc 1 external", "r1 a 0 1k"}); }

}  // namespace errata::testing
