#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/diagnostic.h"

namespace errata {

/// What a long computation is given from outside: how wide to run, whom to tell, when to stop.
/// Nothing in here may change a result.
struct RunContext {
  /// Worker processes or threads; at least 1.
  int jobs = 1;
  /// Called with (what, done, total) as work proceeds, from one thread at a time.
  std::function<void(std::string_view, std::uint64_t, std::uint64_t)> progress = [](auto, auto, auto) {};
  /// True once the user has asked to stop; polled between items.
  std::function<bool()> cancelled = [] { return false; };
  /// Receives warnings.
  std::function<void(const Diagnostic&)> warn = [](const Diagnostic&) {};
  /// Receives a line of plain information.
  std::function<void(std::string_view)> note = [](std::string_view) {};
};

/// Throws Error(interrupted) when the user has asked to stop.
inline void stop_if_cancelled(const RunContext& context) {
  if (context.cancelled())
    throw Error(ExitStatus::kInterrupted, "E130", "interrupted; the same command continues from here");
}

}  // namespace errata
