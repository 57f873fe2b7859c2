#pragma once

#include <gtest/gtest.h>

#include <cmath>

#include "core/statistics.h"

namespace errata::testing {

/// The one helper for statistical assertions: |estimate − expected| within the normal quantile that `false_alarm`
/// (two-sided probability of failing although all is well, over the choice of seed) allows at this standard error.
inline ::testing::AssertionResult agrees(double estimate, double expected, double standard_error, double false_alarm) {
  const double allowed = normal_quantile(1.0 - false_alarm / 2) * standard_error;
  if (std::fabs(estimate - expected) <= allowed) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << estimate << " differs from " << expected << " by more than " << allowed
                                       << " (false-alarm probability " << false_alarm << ")";
}

}  // namespace errata::testing
