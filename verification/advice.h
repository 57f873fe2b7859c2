#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "verification/verdict.h"

namespace errata::verification {

/// What a check's interval rests on, and what to say when it is not green.
struct Remedy {
  std::string unit = "chips";  ///< what the interval shrinks with
  std::string key;             ///< project key that buys more of them
  std::size_t count = 0;       ///< of them now; 0: the interval does not shrink with any
  std::string broken;          ///< what it means when it is red, and what to do
  /// How many times as many would decide, where the interval does not shrink with their square root.
  std::optional<double> times = {};
};

/// How many times as many independent units would decide, the estimate staying where it is and the interval shrinking
/// with their square root. 1 where it is decided; infinite where the estimate lies on the edge.
double times_to_decide(const Interval& interval, double low, double high);

/// Fills colour and advice: which level broke and what to do, or how many units more it would take (methods.md §6:
/// "inconclusive: needs N more chips").
Check judged(Check check, const Remedy& remedy);

}  // namespace errata::verification
