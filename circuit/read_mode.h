#pragma once

#include <cstdint>

namespace errata::circuit {

/// How a column is read (circuit.read): clamped current, discharge of a precharged line, charge redistribution.
enum class ReadMode : std::uint8_t { kCurrent, kDischarge, kCharge };

}  // namespace errata::circuit
