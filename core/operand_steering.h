#pragma once

#include <cstdint>
#include <span>

#include "core/random_stream.h"

namespace errata {

/// Moves active rows of an operand until its MAC Σ x·weight is less than 1 from a target; how many are active stays as
/// it is. Takes pairs (from, to) of rows at random, two words each, and swaps their inputs where that brings the MAC
/// nearer and `to` was idle; gives up after six pairs for each row.
void steer(std::span<const int> weight, double target, RandomStream& stream, std::span<std::uint8_t> x);

}  // namespace errata
