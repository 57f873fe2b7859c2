#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/quantity.h"

namespace errata {

/// What a key of errata.toml holds.
enum class ValueKind { kInteger, kReal, kBoolean, kText, kChoice, kQuantity, kQuantityList };

/// One key of the project file. This table drives parsing, messages, the reference page and completion.
struct KeySpec {
  std::string path;  ///< "array.rows"; "circuit.mismatch[].sigma" inside an array of tables
  ValueKind kind = ValueKind::kText;
  Dimension dimension{};       ///< of a quantity
  bool any_dimension = false;  ///< the dimension depends on another key (a mismatch σ, a level)
  std::string default_text;    ///< as written in TOML; empty with required == false means "absent"
  bool required = false;
  std::string unless;  ///< required only where this key is absent
  std::vector<std::string> choices;
  std::optional<double> minimum;  ///< in SI units
  std::optional<double> maximum;
  std::string description;
  std::string example;
};

/// Every key, in the order of the reference page.
std::span<const KeySpec> project_schema();

/// The sections and single keys of the project file that a stage reads (architecture.md §1: staleness follows exactly
/// these).
std::vector<std::string> sections_of_stage(std::string_view stage);

/// The reference page docs/reference/project-file.md as Markdown.
std::string schema_reference_page();

}  // namespace errata
