#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

#include "training/logs/append_file.h"
#include "training/logs/metrics_log.h"

namespace errata::training {

/// Seconds since 1970; what event files are stamped with.
double wall_clock_seconds();

/// Writes the scalars of a training as a TensorBoard event file: records in TFRecord frames (length, masked CRC-32C,
/// data, masked CRC-32C), each an Event message with the scalars of one step, and a scalar "epoch" with the epochs
/// finished. TensorBoard finds the file when its name has "tfevents" in it.
///
/// Opening drops a torn last record and every record after `keep_steps` or `keep_epochs`, as MetricsLog does, so that
/// a resumed training shows one curve. Event files carry the time of day: they are for looking at, no artefacts, and
/// nothing hashes them.
class TensorboardLog {
 public:
  /// `clock` gives the seconds since 1970. Errors: the file can't be written (environment, E601).
  TensorboardLog(const std::filesystem::path& path, std::uint64_t keep_steps, std::uint64_t keep_epochs,
                 std::function<double()> clock = wall_clock_seconds);

  /// Writes the record's values, by name, at its step; `event` is not used.
  void append(const MetricsRecord& record);

 private:
  std::function<double()> clock_;
  AppendFile file_;
};

/// CRC-32C (Castagnoli) as iSCSI and TFRecord have it.
std::uint32_t crc32c(std::string_view bytes);

}  // namespace errata::training
