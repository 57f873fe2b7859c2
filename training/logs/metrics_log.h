#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "training/logs/append_file.h"

namespace errata::training {

/// One line of a metrics file: {"step":…,"epoch":…,"event":"…", values…}.
struct MetricsRecord {
  std::uint64_t step = 0;   ///< optimiser steps made
  std::uint64_t epoch = 0;  ///< epochs finished, or the running one for "step" events
  std::string_view event;   ///< "step", "epoch"
  std::vector<std::pair<std::string_view, double>> values;
};

/// The record as one line of JSON without line end; numbers round-trip. A value that is not finite is an
/// Error (computation, E503).
std::string format_metrics(const MetricsRecord& record);

/// Appends JSON lines to a file, each in one write, so that a crash leaves whole lines and at most one torn
/// one.
///
/// Opening drops a torn last line and every record after `keep_steps` or `keep_epochs`, the position of the
/// checkpoint that training goes on from (0, 0: all): a resumed training leaves the same file as one without
/// interruption. Errors: the file can't be written (environment, E601).
class MetricsLog {
 public:
  MetricsLog(const std::filesystem::path& path, std::uint64_t keep_steps, std::uint64_t keep_epochs);

  void append(const MetricsRecord& record);
  /// Forces everything to the disk.
  void sync();

 private:
  AppendFile file_;
};

}  // namespace errata::training
