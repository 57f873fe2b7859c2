#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "behavioral/crossbar/crossbar_network.h"

namespace errata::behavioral {

/// A resistor of a leaf: its place in the front's matrix, row < column.
struct FrontEntry {
  std::uint32_t row = 0, column = 0;
  std::uint32_t branch = 0;  ///< cell, or cells + wire
};

/// One step of the elimination: its own nodes (pivots) go, those they touch (boundary) get new conductances.
/// A front's local numbering is its pivots, then its boundary in order of elimination.
struct Front {
  std::uint32_t first = 0;              ///< position of the first pivot in the order of elimination
  std::uint32_t pivots = 0;             ///< consecutive positions
  std::uint32_t level = 0;              ///< distance from the root
  std::vector<std::uint32_t> boundary;  ///< positions, ascending; ports are the last positions
  std::vector<std::uint32_t> parent;    ///< local index of each boundary node in the parent front, ascending
  std::vector<FrontEntry> entries;
  std::array<std::int32_t, 2> children{-1, -1};
};

/// A nested dissection of the array (methods.md §5.3): the rectangle of cells is halved until few are left; a node
/// belongs to the smallest rectangle that holds every resistor at it. So the pivots of a front are the nodes on the cut
/// between its halves, and the ports, which are never eliminated, are the root's boundary.
struct Dissection {
  std::vector<Front> fronts;            ///< children before parents, the root last
  std::vector<std::uint32_t> position;  ///< [nodes] place in the order of elimination; ports keep their number
};

Dissection dissect(const CrossbarNetwork& network);

}  // namespace errata::behavioral
