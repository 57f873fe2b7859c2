#include "training/logs/metrics_log.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <fstream>
#include <optional>

#include "core/error.h"

namespace errata::training {

namespace {

constexpr std::string_view kStart = "{\"step\":", kEpoch = ",\"epoch\":";

struct Place {
  std::uint64_t step = 0, epoch = 0;
};

/// Takes `key` and the number after it off the front of `line`.
bool take_number(std::string_view& line, std::string_view key, std::uint64_t& number) {
  if (!line.starts_with(key)) return false;
  line.remove_prefix(key.size());
  const auto [end, failure] = std::from_chars(line.data(), line.data() + line.size(), number);
  line.remove_prefix(static_cast<std::size_t>(end - line.data()));
  return failure == std::errc{};
}

/// Place of a whole line that this class wrote.
std::optional<Place> place_of(std::string_view line) {
  Place place;
  if (!line.ends_with('}') || !take_number(line, kStart, place.step) || !take_number(line, kEpoch, place.epoch))
    return std::nullopt;
  return place;
}

/// The lines to keep, and whether that leaves the file as it is.
struct Kept {
  std::string text;
  bool unchanged = true;
};

Kept kept_lines(const std::filesystem::path& path, const Place& last) {
  Kept kept;
  std::ifstream file(path, std::ios::binary);
  std::string line;
  while (std::getline(file, line)) {
    const bool whole = !file.eof();
    const auto place = place_of(line);
    if (whole && place && place->step <= last.step && place->epoch <= last.epoch)
      kept.text += line + "\n";
    else
      kept.unchanged = false;
  }
  return kept;
}

/// The path, after the file has been cut back to `last`.
const std::filesystem::path& trimmed(const std::filesystem::path& path, const Place& last) {
  const Kept kept = kept_lines(path, last);
  if (!kept.unchanged) replace_file(path, kept.text);
  return path;
}

}  // namespace

std::string format_metrics(const MetricsRecord& record) {
  std::string line = fmt::format("{}{}{}{},\"event\":\"{}\"", kStart, record.step, kEpoch, record.epoch, record.event);
  for (const auto& [name, value] : record.values) {
    if (!std::isfinite(value))
      throw Error(ExitStatus::kComputation, "E503", fmt::format("{} is {} at step {}", name, value, record.step),
                  "lower training.learning_rate");
    line += fmt::format(",\"{}\":{}", name, value);
  }
  return line + "}";
}

MetricsLog::MetricsLog(const std::filesystem::path& path, std::uint64_t keep_steps, std::uint64_t keep_epochs)
    : file_(trimmed(path, {keep_steps, keep_epochs})) {}

void MetricsLog::append(const MetricsRecord& record) { file_.append(format_metrics(record) + "\n"); }

void MetricsLog::sync() { file_.sync(); }

}  // namespace errata::training
