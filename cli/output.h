#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/diagnostic.h"
#include "core/statistics.h"

namespace errata::cli {

/// What a command prints: lines for a person on stdout, or with --json one object on stdout at the end; warnings,
/// progress and notes go to stderr in both cases.
class Output {
 public:
  Output(bool json, bool quiet);
  ~Output();

  /// A line of the result; with --json dropped.
  void line(std::string_view text);
  /// A named part of the result for --json.
  void set(std::string_view key, std::string_view value);
  void set(std::string_view key, double value);
  void set(std::string_view key, std::int64_t value);
  void set(std::string_view key, bool value);
  void set(std::string_view key, const Interval& value);
  void set(std::string_view key, const std::vector<std::string>& values);
  /// Appends an object to the list `key`; members are set by name and value.
  void append(std::string_view key, const std::vector<std::pair<std::string, std::string>>& texts,
              const std::vector<std::pair<std::string, double>>& numbers);

  void note(std::string_view text);
  void warn(const Diagnostic& diagnostic);
  void error(const Error& error);
  /// A bar with remaining time on a terminal, a line every 30 s elsewhere.
  void progress(std::string_view what, std::uint64_t done, std::uint64_t total);
  /// Prints the JSON object, if asked for.
  void finish(ExitStatus status);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace errata::cli
