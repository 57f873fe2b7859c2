#pragma once

#include <gtest/gtest.h>

#include <string>

#include "core/diagnostic.h"

namespace errata::testing {

/// Runs `action`, which must throw Error with this status and code; returns its message.
template <typename Action>
std::string expect_error(ExitStatus status, const std::string& code, Action&& action) {
  try {
    action();
  } catch (const Error& e) {
    EXPECT_EQ(static_cast<int>(e.status()), static_cast<int>(status)) << e.what();
    EXPECT_EQ(e.code(), code) << e.what();
    return e.what();
  } catch (const std::exception& e) {
    ADD_FAILURE() << "threw something else than Error: " << e.what();
    return {};
  }
  ADD_FAILURE() << "did not throw " << code;
  return {};
}

/// The diagnostics that `action` throws; empty (and a failure) when it throws none.
template <typename Action>
std::vector<Diagnostic> diagnostics_of(Action&& action) {
  try {
    action();
  } catch (const ProjectError& e) {
    return e.diagnostics();
  } catch (const std::exception& e) {
    ADD_FAILURE() << "threw something else than ProjectError: " << e.what();
    return {};
  }
  ADD_FAILURE() << "threw no ProjectError";
  return {};
}

/// "code line:column" of each diagnostic, for comparison as a whole.
inline std::vector<std::string> places(const std::vector<Diagnostic>& diagnostics) {
  std::vector<std::string> all;
  for (const auto& d : diagnostics)
    all.push_back(d.code + " " + std::to_string(d.position.line) + ":" + std::to_string(d.position.column));
  return all;
}

}  // namespace errata::testing
