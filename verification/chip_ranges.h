#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/settings.h"

namespace errata::verification {

/// Global numbers of the chips that one step uses (core/mismatch.h).
struct ChipRange {
  std::string use;
  std::uint64_t first = 0, count = 0;
};

/// Chips of every step of a project.
std::vector<ChipRange> chip_ranges(const Settings& settings);

/// Throws Error (E523) when two steps share chips: a check on chips that filled the table or were trained on proves
/// nothing (methods.md §6, "the same chips in training and test").
void require_disjoint(std::span<const ChipRange> ranges);

inline void require_unseen_chips(const Settings& settings) { require_disjoint(chip_ranges(settings)); }

}  // namespace errata::verification
