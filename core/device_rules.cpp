#include "core/device_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "core/text.h"

namespace errata {

namespace {

constexpr const char* kRow = "{row}";
constexpr const char* kLine = "{line}";

bool holds(const std::string& text, const char* mark) { return text.find(mark) != std::string::npos; }

std::string output_unit(const Settings& s, std::size_t i) {
  const std::string at = fmt::format("circuit.output[{}].", i);
  const bool current = s.text(at + "quantity") == "current";
  if (s.text(at + "measure") != "integral") return current ? "A" : "V";
  return current ? "C" : "V*s";
}

std::optional<std::size_t> result_of(const Settings& s) {
  if (!s.has("circuit.result")) return std::nullopt;
  for (std::size_t i = 0; i < s.count("circuit.output"); ++i)
    if (s.text(fmt::format("circuit.output[{}].name", i)) == s.text("circuit.result")) return i;
  return std::nullopt;
}

class DeviceRules {
 public:
  explicit DeviceRules(const Settings& s)
      : s_(s), whole_(s.has("circuit.column")), lines_(s.integer("circuit.design.neighbours")) {}

  std::vector<Diagnostic> check() {
    if (!one_device()) return std::move(problems_);
    whole_ ? check_whole_column() : check_unnumbered();
    check_mismatch_names();
    check_outputs();
    check_column_switch();
    check_family();
    return std::move(problems_);
  }

 private:
  void problem(const std::string& path, std::string message, std::string hint = "", std::string code = "E107") {
    problems_.push_back(Diagnostic{.code = std::move(code),
                                   .position = s_.value(path).position,
                                   .message = std::move(message),
                                   .hint = std::move(hint)});
  }

  bool one_device() {
    if (whole_ && s_.has("circuit.cell")) {
      problem("circuit.column", "circuit.cell and circuit.column exclude each other",
              "errata composes columns from a cell, or simulates the netlist's own column");
      return false;
    }
    return true;
  }

  /// Text keys that may hold {row} and {line}, as far as they are given.
  std::vector<std::string> name_keys() const {
    std::vector<std::string> keys;
    for (const char* key : {"circuit.pins.word_line", "circuit.pins.bit_line", "circuit.pins.complement_bit_line",
                            "circuit.pins.source_line", "circuit.weight.device", "circuit.weight.parameter",
                            "circuit.weight.node", "circuit.weight.complement", "circuit.weight.pin"})
      if (s_.has(key)) keys.emplace_back(key);
    for (const char* array : {"circuit.tied_pin", "circuit.driven_pin"})
      for (std::size_t i = 0; i < s_.count(array); ++i) keys.push_back(fmt::format("{}[{}].pin", array, i));
    return keys;
  }

  void check_unnumbered() {
    for (const auto& key : name_keys())
      for (const char* mark : {kRow, kLine})
        if (holds(s_.text(key), mark))
          problem(key, fmt::format("{} holds {}, which only names of a circuit.column do", key, mark));
    if (s_.text("array.periphery") == "netlist")
      problem("array.periphery", "array.periphery = \"netlist\" needs circuit.column",
              "a cell's netlist has no periphery of the column");
  }

  void check_whole_column() {
    if (!holds(s_.text("circuit.pins.word_line"), kRow))
      problem("circuit.pins.word_line", "circuit.pins.word_line of a circuit.column needs {row}",
              "for example \"wl{row}\"");
    check_storage_names();
    if (lines_ > 1)
      for (const char* key : {"circuit.pins.bit_line", "circuit.pins.complement_bit_line"})
        if (s_.has(key) && !holds(s_.text(key), kLine))
          problem(key, fmt::format("{} needs {{line}}: circuit.design.neighbours = {} bit lines", key, lines_), "");
    for (const char* key :
         {"array.wire_resistance", "array.wire_capacitance", "array.source_line_resistance",
          "array.word_line_resistance", "array.word_line_capacitance", "array.unselected_rows", "array.dummy_rows"})
      if (s_.value(key).given)
        problem(key, fmt::format("{} does nothing with circuit.column", key),
                "the wires and rows of a whole column are the netlist's own");
    if (s_.text("array.periphery") == "netlist" && !s_.has("circuit.result"))
      problem("array.periphery", "array.periphery = \"netlist\" needs circuit.result",
              "name what comes out of the column's periphery as a [[circuit.output]]");
    if (s_.text("array.periphery") == "netlist" && s_.has("circuit.pins.complement_bit_line"))
      problem("circuit.pins.complement_bit_line",
              "circuit.pins.complement_bit_line does nothing with array.periphery = \"netlist\"",
              "circuit.result names the difference, with node and reference");
  }

  /// At least one of the names that store the level must tell the rows (and lines) apart.
  void check_storage_names() {
    std::string names;
    for (const char* key : {"device", "parameter", "node", "pin"}) {
      const std::string path = fmt::format("circuit.weight.{}", key);
      if (s_.has(path)) names += s_.text(path) + " ";
    }
    for (const char* mark : {kRow, kLine})
      if ((mark == kRow || lines_ > 1) && !names.empty() && !holds(names, mark))
        problem("circuit.weight.levels",
                fmt::format("the names under [circuit.weight] need {}, or every cell would store the same", mark));
  }

  void check_mismatch_names() {
    for (std::size_t i = 0; i < s_.count("circuit.mismatch"); ++i) {
      const std::string at = fmt::format("circuit.mismatch[{}].", i);
      const std::string name = s_.text(at + "device") + " " + s_.text(at + "parameter");
      const std::string device = lower_case(s_.text(at + "device")), &scope = s_.text(at + "scope");
      static const std::set<std::string> kPeriphery = {"clamp", "precharge", "sense", "source_line"};
      if (kPeriphery.contains(device) || device.starts_with("switch.") || device.starts_with("column_switch."))
        continue;
      if (!whole_) {
        if (holds(name, kRow) || holds(name, kLine))
          problem(at + "device", fmt::format("{}device is numbered, which only names of a circuit.column are", at));
        continue;
      }
      if (scope == "cell" && !holds(name, kRow))
        problem(at + "scope",
                fmt::format("'{}' is one device of the whole column, so its scope is column or chip", device),
                "or number it: {row} stands for the row");
      if (scope != "cell" && holds(name, kRow))
        problem(at + "scope", fmt::format("'{}' exists in every row, so its scope is cell", device));
      if (lines_ > 1 && scope != "chip" && !holds(name, kLine))
        problem(at + "device",
                fmt::format("'{}' needs {{line}}: circuit.design.neighbours = {} bit lines", device, lines_));
    }
  }

  void check_outputs() {
    const bool transient = s_.text("circuit.read") != "current";
    std::set<std::string> names;
    for (std::size_t i = 0; i < s_.count("circuit.output"); ++i) {
      const std::string at = fmt::format("circuit.output[{}].", i);
      if (!names.insert(s_.text(at + "name")).second)
        problem(at + "name", fmt::format("two outputs are called '{}'", s_.text(at + "name")));
      const bool current = s_.text(at + "quantity") == "current";
      const char* needed = current ? "device" : "node";
      if (!s_.has(at + needed))
        problem(at + "name",
                fmt::format("{}{} is missing: quantity = \"{}\" needs it", at, needed, s_.text(at + "quantity")), "",
                "E106");
      for (const char* key :
           current ? std::vector<const char*>{"node", "reference"} : std::vector<const char*>{"device"})
        if (s_.has(at + key))
          problem(at + key, fmt::format("{}{} does nothing with quantity = \"{}\"", at, key, s_.text(at + "quantity")));
      if (s_.integer(at + "row") >= s_.integer("array.rows"))
        problem(at + "row", fmt::format("{}row is beyond array.rows = {}", at, s_.integer("array.rows")));
      transient ? check_span(at) : check_static(at);
    }
    if (s_.has("circuit.result") && !result_of(s_))
      problem("circuit.result", fmt::format("no [[circuit.output]] is called '{}'", s_.text("circuit.result")));
  }

  void check_static(const std::string& at) {
    if (s_.text(at + "measure") != "sample")
      problem(at + "measure",
              fmt::format("{}measure: circuit.read = \"current\" is an operating point, without time", at));
    for (const char* key : {"time", "from", "to"})
      if (s_.value(at + key).given)
        problem(at + key, fmt::format("{}{} does nothing with circuit.read = \"current\"", at, key));
  }

  void check_span(const std::string& at) {
    const double sample = s_.number("circuit.timing.sample"), from = s_.number(at + "from"), to = s_.number(at + "to");
    for (const char* key : {"time", "from", "to"})
      if (s_.number(at + key) > sample)
        problem(at + key, fmt::format("{}{} comes after circuit.timing.sample, where the simulation ends", at, key));
    if (s_.text(at + "measure") != "sample" && (to > 0 ? to : sample) <= from)
      problem(at + "from", fmt::format("{}from comes after its end", at));
  }

  void check_column_switch() {
    const bool has = s_.has("array.column_switch");
    for (const char* key : {"array.multiplexed_columns", "array.sense_capacitance", "circuit.timing.connect"})
      if (!has && s_.value(key).given) problem(key, fmt::format("{} does nothing without array.column_switch", key));
    if (!has) return;
    if (s_.text("array.periphery") == "netlist")
      problem("array.column_switch", "array.column_switch does nothing with array.periphery = \"netlist\"");
    if (s_.text("circuit.read") == "current" && s_.value("circuit.timing.connect").given)
      problem("circuit.timing.connect", "circuit.timing.connect does nothing with circuit.read = \"current\"");
    if (s_.number("circuit.timing.connect") >= s_.number("circuit.timing.sample"))
      problem("circuit.timing.connect", "circuit.timing.connect comes after circuit.timing.sample");
  }

  void check_family() {
    const std::string& family = s_.text("behavioral.model");
    if (only_columns(s_) && (family == "current_mode" || family == "floating_line"))
      problem("behavioral.model",
              fmt::format("behavioral.model = \"{}\" is composed from the cell alone, but the project simulates only "
                          "columns",
                          family),
              "use automatic or black_box");
  }

  const Settings& s_;
  bool whole_;
  std::int64_t lines_;
  std::vector<Diagnostic> problems_;
};

}  // namespace

bool only_columns(const Settings& s) {
  return s.has("circuit.column") || s.has("circuit.pins.complement_bit_line") || s.has("array.column_switch") ||
         s.has("circuit.result");
}

std::string column_unit(const Settings& s) {
  if (const auto result = result_of(s)) return output_unit(s, *result);
  return s.text("circuit.read") == "current" ? "A" : "V";
}

std::vector<Diagnostic> device_inconsistencies(const Settings& settings) { return DeviceRules(settings).check(); }

}  // namespace errata
