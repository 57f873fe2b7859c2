// The only source that includes toml++ (7.6 s per include when header-only, measured in docs/design).
#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <tuple>

#include "core/project_rules.h"
#include "core/settings.h"
#include "core/toml_document.h"

namespace errata {

/// Builds Settings out of a TOML document and collects every problem on the way.
class SettingsBuilder {
 public:
  SettingsBuilder(std::string file, std::string_view text) : file_(std::move(file)) {
    std::istringstream lines{std::string(text)};
    for (std::string line; std::getline(lines, line);) lines_.push_back(line);
  }

  Settings build(const toml::table& root, const std::filesystem::path& folder) {
    settings_.folder_ = folder;
    walk(root, "", "");
    fill_defaults();
    if (diagnostics_.empty()) diagnostics_ = project_inconsistencies(settings_);
    std::ranges::stable_sort(diagnostics_, {}, [](const Diagnostic& d) {  // as the file reads; what has no place last
      return std::tuple(d.position.line == 0, d.position.line, d.position.column);
    });
    throw_if_errors(diagnostics_);
    return std::move(settings_);
  }

 private:
  void report(std::string code, const toml::source_region& where, std::string message, std::string hint = {}) {
    Diagnostic d{
        .code = std::move(code), .position = position(where), .message = std::move(message), .hint = std::move(hint)};
    if (d.position.line > 0 && d.position.line <= static_cast<int>(lines_.size()))
      d.excerpt = lines_[d.position.line - 1];
    diagnostics_.push_back(std::move(d));
  }

  SourcePosition position(const toml::source_region& where) const {
    return {file_, static_cast<int>(where.begin.line), static_cast<int>(where.begin.column)};
  }

  /// `path` has indices ("circuit.mismatch[0]"), `pattern` has none ("circuit.mismatch[]").
  void walk(const toml::table& table, const std::string& path, const std::string& pattern) {
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      const std::string child = path.empty() ? name : path + "." + name;
      const std::string child_pattern = pattern.empty() ? name : pattern + "." + name;
      if (const KeySpec* spec = find(child_pattern)) {
        read_value(*spec, child, node);
      } else if (node.is_table() && is_prefix(child_pattern + ".")) {
        walk(*node.as_table(), child, child_pattern);
      } else if (node.is_array_of_tables() && is_prefix(child_pattern + "[].")) {
        std::size_t index = 0;
        for (const auto& entry : *node.as_array()) {
          entries_.push_back({child_pattern + "[]", fmt::format("{}[{}]", child, index), entry.source()});
          walk(*entry.as_table(), fmt::format("{}[{}]", child, index), child_pattern + "[]");
          ++index;
        }
        settings_.counts_[child] = index;
      } else if (is_prefix(child_pattern + "[].")) {
        const bool none = node.is_array() && node.as_array()->empty();
        if (!none)
          report("E103", key.source(), fmt::format("{} is a list of tables", child_pattern),
                 fmt::format("write each entry as [[{}]]", child_pattern));
      } else if (is_prefix(child_pattern + ".")) {
        report("E103", key.source(), fmt::format("{} is a table", child_pattern),
               fmt::format("write [{}]", child_pattern));
      } else {
        unknown(name, child_pattern, key.source());
      }
    }
  }

  void unknown(const std::string& name, const std::string& pattern, const toml::source_region& where) {
    const auto dot = pattern.rfind('.');
    const std::string prefix = dot == std::string::npos ? "" : pattern.substr(0, dot + 1);
    std::set<std::string> siblings;
    for (const auto& spec : project_schema())
      if (spec.path.starts_with(prefix)) {
        const std::string rest = spec.path.substr(prefix.size());
        siblings.insert(rest.substr(0, rest.find_first_of(".[")));
      }
    const std::vector<std::string> known(siblings.begin(), siblings.end());
    const std::string near = nearest_name(name, known);
    report(
        "E102", where, fmt::format("unknown key '{}'", pattern),
        near.empty() ? fmt::format("known here: {}", fmt::join(known, ", ")) : fmt::format("did you mean '{}'?", near));
  }

  static const KeySpec* find(std::string_view pattern) {
    for (const auto& spec : project_schema())
      if (spec.path == pattern) return &spec;
    return nullptr;
  }

  static bool is_prefix(std::string_view prefix) {
    for (const auto& spec : project_schema())
      if (spec.path.starts_with(prefix)) return true;
    return false;
  }

  void read_value(const KeySpec& spec, const std::string& path, const toml::node& node) {
    SettingValue value;
    value.position = position(node.source());
    value.given = true;
    if (!convert(spec, node, value)) return;
    check_range(spec, value, node.source());
    settings_.values_[path] = std::move(value);
  }

  bool convert(const KeySpec& spec, const toml::node& node, SettingValue& value) {
    const auto wrong = [&](std::string_view needed) {
      report("E103", node.source(), fmt::format("{} takes {}, not {}", spec.path, needed, describe(node)),
             spec.example.empty() ? "" : fmt::format("for example: {}", spec.example));
      return false;
    };
    switch (spec.kind) {
      case ValueKind::kInteger:
        if (!node.is_integer()) return wrong("an integer");
        value.numbers = {static_cast<double>(**node.as_integer())};
        return true;
      case ValueKind::kReal:
        if (!node.is_number()) return wrong("a number");
        value.numbers = {*node.value<double>()};
        return true;
      case ValueKind::kBoolean:
        if (!node.is_boolean()) return wrong("true or false");
        value.numbers = {**node.as_boolean() ? 1.0 : 0.0};
        return true;
      case ValueKind::kText:
        if (!node.is_string()) return wrong("text");
        value.text = **node.as_string();
        return true;
      case ValueKind::kChoice:
        return convert_choice(spec, node, value) || wrong_choice(spec, node);
      case ValueKind::kQuantity:
        return convert_quantity(spec, node, value);
      case ValueKind::kQuantityList:
        if (!node.is_array()) return convert_quantity(spec, node, value);
        if (node.as_array()->empty()) return wrong("at least one quantity");
        for (const auto& entry : *node.as_array())
          if (!convert_quantity(spec, entry, value)) return false;
        return true;
    }
    return false;
  }

  bool convert_choice(const KeySpec& spec, const toml::node& node, SettingValue& value) {
    if (!node.is_string()) return false;
    value.text = **node.as_string();
    return std::ranges::find(spec.choices, value.text) != spec.choices.end();
  }

  bool wrong_choice(const KeySpec& spec, const toml::node& node) {
    const std::string near = node.is_string() ? nearest_name(**node.as_string(), spec.choices) : "";
    report("E103", node.source(),
           fmt::format("{} takes one of {}, not {}", spec.path, fmt::join(spec.choices, ", "), describe(node)),
           near.empty() ? "" : fmt::format("did you mean '{}'?", near));
    return false;
  }

  bool convert_quantity(const KeySpec& spec, const toml::node& node, SettingValue& value) {
    const std::string unit = spec.any_dimension ? "its unit" : fmt::format("a unit of {}", unit_symbol(spec.dimension));
    std::optional<Quantity> quantity;
    if (node.is_string()) quantity = parse_quantity(**node.as_string());
    const bool bare = node.is_number() && (spec.any_dimension || spec.dimension == dimension::kNone);
    if (bare) quantity = Quantity{*node.value<double>(), dimension::kNone};
    if (!quantity) {
      report("E104", node.source(), fmt::format("{} takes a number with {}, not {}", spec.path, unit, describe(node)),
             R"(write it as text, for example "0.2 V"; M is mega, m is milli)");
      return false;
    }
    if (!spec.any_dimension && quantity->dimension != spec.dimension) {
      report("E104", node.source(),
             fmt::format("{} takes {}, but {} is in {}", spec.path, unit, describe(node),
                         unit_symbol(quantity->dimension)));
      return false;
    }
    value.numbers.push_back(quantity->value);
    value.dimensions.push_back(quantity->dimension);
    return true;
  }

  void check_range(const KeySpec& spec, const SettingValue& value, const toml::source_region& where) {
    for (const double number : value.numbers) {
      const bool low = spec.minimum && number < *spec.minimum, high = spec.maximum && number > *spec.maximum;
      if (!low && !high && std::isfinite(number)) continue;
      report("E105", where,
             fmt::format("{} = {} is {} {}", spec.path, number, low ? "below" : "above",
                         low ? *spec.minimum : spec.maximum.value_or(1e300)));
      return;
    }
  }

  static std::string describe(const toml::node& node) {
    std::ostringstream text;
    text << toml::node_view<const toml::node>(node);
    const std::string shown = text.str();
    return shown.size() > 60 ? shown.substr(0, 57) + "..." : shown;
  }

  void fill_defaults() {
    for (const auto& spec : project_schema()) {
      const auto bracket = spec.path.find("[].");
      if (bracket == std::string::npos) {
        fill(spec, spec.path, nullptr);
        continue;
      }
      for (const auto& entry : entries_)
        if (entry.pattern == spec.path.substr(0, bracket + 2))
          fill(spec, entry.path + spec.path.substr(bracket + 2), &entry.where);
    }
  }

  void fill(const KeySpec& spec, const std::string& path, const toml::source_region* where) {
    if (settings_.values_.contains(path)) return;
    if (spec.required) {
      if (spec.path.starts_with("circuit.") && starts_at_table(settings_)) return;
      if (!spec.unless.empty() && settings_.values_.contains(spec.unless)) return;
      const bool reported = std::ranges::any_of(
          diagnostics_, [&](const Diagnostic& d) { return d.message.starts_with(spec.path + " "); });
      if (!reported)
        report("E106", where ? *where : toml::source_region{}, fmt::format("{} is missing: {}", path, spec.description),
               fmt::format("for example: {} = {}", spec.path.substr(spec.path.rfind('.') + 1),
                           spec.example.starts_with('[') ? spec.example : "\"" + spec.example + "\""));
      return;
    }
    if (spec.default_text.empty()) return;
    const bool quoted = spec.kind == ValueKind::kText || spec.kind == ValueKind::kChoice ||
                        spec.kind == ValueKind::kQuantity || spec.kind == ValueKind::kQuantityList;
    const auto parsed =
        toml::parse(quoted ? fmt::format("v = \"{}\"", spec.default_text) : fmt::format("v = {}", spec.default_text));
    SettingValue value;
    if (convert(spec, *parsed.get("v"), value)) settings_.values_[path] = std::move(value);
  }

  struct Entry {
    std::string pattern, path;
    toml::source_region where;
  };
  std::string file_;
  std::vector<std::string> lines_;
  std::vector<Diagnostic> diagnostics_;
  std::vector<Entry> entries_;
  Settings settings_;
};

namespace {

toml::table parse_or_throw(std::string_view text, const std::string& file) {
  try {
    return toml::parse(text, file);
  } catch (const toml::parse_error& e) {
    Diagnostic d{.code = "E101",
                 .position = {file, static_cast<int>(e.source().begin.line), static_cast<int>(e.source().begin.column)},
                 .message = fmt::format("not valid TOML: {}", e.description())};
    throw ProjectError({d});
  }
}

[[noreturn]] void refuse_override(const SettingOverride& o, const std::string& why, const std::string& hint) {
  throw Error(ExitStatus::kUsage, "E102", fmt::format("--set {}: {}", o.path, why), hint);
}

/// What an entry of an array of tables is called: its `name`, or the key that stands for one.
std::string entry_name(const toml::node& entry) {
  for (const char* key : {"name", "pin", "metric"})
    if (const auto* table = entry.as_table())
      if (const auto* text = table->get_as<std::string>(key)) return text->get();
  return {};
}

/// The entry of `[[array]]` that `array[KEY]` speaks of: by its name, or by its number from 0.
toml::table* find_entry(toml::array& array, const std::string& name, const std::string& key, const SettingOverride& o) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < array.size(); ++i) {
    names.push_back(entry_name(array[i]));
    if (array[i].is_table() && (names.back() == key || std::to_string(i) == key)) return array[i].as_table();
  }
  refuse_override(o, fmt::format("no entry '{}' of '{}'", key, name),
                  fmt::format("its entries: {}; or their numbers from 0", fmt::join(names, ", ")));
}

/// The table NAME of a table, made where it is missing, or the entry of `NAME[KEY]`.
toml::table* step_into(toml::table& table, const std::string& step, const SettingOverride& o) {
  const auto bracket = step.find('[');
  const std::string name = step.substr(0, bracket);
  toml::node* next = table.get(name);
  if (bracket != std::string::npos) {
    if (next == nullptr || !next->is_array() || !step.ends_with(']'))
      refuse_override(o, fmt::format("there is no [[{}]] to take an entry of", name), "");
    return find_entry(*next->as_array(), name, step.substr(bracket + 1, step.size() - bracket - 2), o);
  }
  if (next == nullptr) return table.insert(name, toml::table{}).first->second.as_table();
  if (next->is_array())
    refuse_override(o, fmt::format("'{}' has several entries", name),
                    fmt::format("say which one by its name: {}[{}]", name,
                                next->as_array()->empty() ? "NAME" : entry_name((*next->as_array())[0])));
  if (!next->is_table()) refuse_override(o, fmt::format("'{}' is not a table", name), "");
  return next->as_table();
}

/// Puts `section.key=value` into the document; the value is TOML, or text when it is not.
/// `circuit.mismatch[NAME].sigma` reaches into an array of tables.
void apply_override(toml::table& root, const SettingOverride& o) {
  toml::table* table = &root;
  std::string rest = o.path;
  for (std::size_t dot; (dot = rest.find('.')) != std::string::npos; rest = rest.substr(dot + 1))
    table = step_into(*table, rest.substr(0, dot), o);
  toml::table parsed;
  try {
    parsed = toml::parse("v = " + o.value);
  } catch (const toml::parse_error&) {
    parsed.insert("v", o.value);
  }
  table->insert_or_assign(rest, *parsed.get("v"));
}

}  // namespace

Settings parse_project(std::string_view text, const std::string& file, const std::filesystem::path& folder,
                       std::span<const SettingOverride> overrides) {
  toml::table root = parse_or_throw(text, file);
  for (const auto& o : overrides) apply_override(root, o);
  return SettingsBuilder(file, text).build(root, folder);
}

Settings read_project(const std::filesystem::path& folder, std::span<const SettingOverride> overrides) {
  const auto path = folder / "errata.toml";
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::vector<Diagnostic> problems(1);
    problems[0].code = "E108";
    problems[0].position.file = folder.string();
    problems[0].message = "no errata.toml here, or it cannot be read";
    problems[0].hint = "make a project with: errata init DIR --template rram_1t1r";
    throw ProjectError(std::move(problems));
  }
  std::ostringstream text;
  text << file.rdbuf();
  return parse_project(text.str(), path.string(), std::filesystem::absolute(folder), overrides);
}

namespace {

SourcePosition begin_of(const toml::source_region& where, const std::string& file) {
  return {file, static_cast<int>(where.begin.line), static_cast<int>(where.begin.column)};
}

TomlValue plain_value(const toml::node& node, const std::string& file) {
  TomlValue value;
  value.position = begin_of(node.source(), file);
  using Kind = TomlValue::Kind;
  if (const auto* text = node.as_string()) {
    value.kind = Kind::kText;
    value.text = text->get();
  } else if (const auto* integer = node.as_integer()) {
    value.kind = Kind::kInteger;
    value.integer = integer->get();
    value.real = static_cast<double>(integer->get());
  } else if (const auto* real = node.as_floating_point()) {
    value.kind = Kind::kReal;
    value.real = real->get();
  } else if (const auto* boolean = node.as_boolean()) {
    value.kind = Kind::kBoolean;
    value.boolean = boolean->get();
  } else if (const auto* array = node.as_array()) {
    value.kind = Kind::kArray;
    for (const auto& item : *array) value.items.push_back(plain_value(item, file));
  } else if (const auto* table = node.as_table()) {
    value.kind = Kind::kTable;
    for (const auto& [key, member] : *table)
      value.members.push_back({std::string(key.str()), begin_of(key.source(), file), plain_value(member, file)});
  }
  return value;
}

}  // namespace

TomlValue parse_toml(std::string_view text, const std::string& file) {
  return plain_value(parse_or_throw(text, file), file);
}

std::string line_of(std::string_view text, const SourcePosition& position) {
  std::istringstream lines{std::string(text)};
  std::string line;
  for (int number = 0; number < position.line; ++number)
    if (!std::getline(lines, line)) return {};
  return line;
}

}  // namespace errata
