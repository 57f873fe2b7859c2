#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/diagnostic.h"
#include "core/project_schema.h"
#include "core/readout.h"

namespace errata {

/// One resolved value of the project file.
struct SettingValue {
  std::vector<double> numbers;        ///< one for a scalar; SI units
  std::vector<Dimension> dimensions;  ///< of each number
  std::string text;                   ///< for text and choices
  SourcePosition position;            ///< of the value in errata.toml; empty for defaults
  bool given = false;                 ///< false: the schema's default
};

/// A `--set section.key=value` from the command line.
struct SettingOverride {
  std::string path;
  std::string value;
};

/// The project file, checked against the schema, with defaults filled in.
///
/// Paths inside arrays of tables carry the index: "circuit.mismatch[0].sigma". Accessors throw Error(bug) for a
/// path that the schema does not have or a value that is absent; ask has() first for optional keys.
class Settings {
 public:
  bool has(std::string_view path) const;
  double number(std::string_view path) const;
  std::int64_t integer(std::string_view path) const;
  bool flag(std::string_view path) const;
  const std::string& text(std::string_view path) const;
  const std::vector<double>& numbers(std::string_view path) const;
  const SettingValue& value(std::string_view path) const;
  /// Number of tables in an array of tables, for example "circuit.mismatch".
  std::size_t count(std::string_view array) const;

  /// Canonical text of every value in the sections (or single keys), one "path = value" per line: what staleness is
  /// judged by.
  std::string canonical(std::span<const std::string> sections) const;

  /// The project's folder (absolute).
  const std::filesystem::path& folder() const { return folder_; }
  std::uint64_t seed() const { return static_cast<std::uint64_t>(integer("project.seed")); }

  /// Other numbers for a value that is there; or without it. For a project that differs from the file in a few values.
  void replace(std::string_view path, std::vector<double> numbers);
  void remove(std::string_view path);
  void mark_given(std::string_view path);

  /// Whether the netlist may run commands and write files. Never a key: a project that came by mail must not trust
  /// itself.
  bool trusts_netlist() const { return trusts_netlist_; }
  void trust_netlist() { trusts_netlist_ = true; }

 private:
  friend class SettingsBuilder;
  SettingValue& existing(std::string_view path);

  std::map<std::string, SettingValue, std::less<>> values_;
  std::map<std::string, std::size_t, std::less<>> counts_;
  std::filesystem::path folder_;
  bool trusts_netlist_ = false;
};

/// Whether the project names no netlist because it starts at measurements or at a ready table.
bool starts_at_table(const Settings& settings);

/// The ADC that [hardware] describes.
AdcOptions adc_options(const Settings& settings);

/// Reads FOLDER/errata.toml. Throws ProjectError with all problems at once.
Settings read_project(const std::filesystem::path& folder, std::span<const SettingOverride> overrides);

/// The same from text, `file` being the name used in messages.
Settings parse_project(std::string_view text, const std::string& file, const std::filesystem::path& folder,
                       std::span<const SettingOverride> overrides);

}  // namespace errata
