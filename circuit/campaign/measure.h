#pragma once

#include <span>

#include "circuit/deck/deck.h"

namespace errata::circuit {

/// What an output reads from a waveform: its value at a time (the last one by default), its mean, or its integral, by
/// trapezoids between the accepted points. NaN when the interval is empty or outside the waveform.
double measure(const Output& output, std::span<const double> seconds, std::span<const double> values);

}  // namespace errata::circuit
