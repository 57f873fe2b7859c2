#pragma once

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <string>

namespace errata::testing {

/// Checks a RapidCheck property as part of a GoogleTest test. The seed is fixed, so a failure repeats; set
/// RC_PARAMS=seed=… to search elsewhere.
template <typename Property>
void check_property(const std::string& what, Property&& property) {
  if (::getenv("RC_PARAMS") == nullptr) ::setenv("RC_PARAMS", "seed=20210601", 1);
  EXPECT_TRUE(rc::check(what, std::forward<Property>(property)));
}

/// A real number in [low, high).
inline rc::Gen<double> real(double low, double high) {
  return rc::gen::map(rc::gen::inRange<std::int64_t>(0, std::int64_t{1} << 40), [=](std::int64_t k) {
    return low + (high - low) * static_cast<double>(k) / static_cast<double>(std::int64_t{1} << 40);
  });
}

}  // namespace errata::testing
