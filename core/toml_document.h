#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/diagnostic.h"

namespace errata {

struct TomlMember;

/// A value of a TOML document with its place in the file; for formats other than the project file.
struct TomlValue {
  enum class Kind { kText, kInteger, kReal, kBoolean, kArray, kTable, kOther };

  Kind kind = Kind::kOther;
  std::string text = {};
  std::int64_t integer = 0;
  double real = 0.0;  ///< also of an integer
  bool boolean = false;
  std::vector<TomlValue> items = {};     ///< of an array
  std::vector<TomlMember> members = {};  ///< of a table, in the order of their keys
  SourcePosition position = {};
};

struct TomlMember {
  std::string key;
  SourcePosition position;  ///< of the key
  TomlValue value;
};

/// A document as plain values. Text that is not TOML throws ProjectError (E101); `file` is the name used in messages.
TomlValue parse_toml(std::string_view text, const std::string& file);

/// Line `position.line` of `text`, as excerpt of a diagnostic; empty where there is none.
std::string line_of(std::string_view text, const SourcePosition& position);

}  // namespace errata
