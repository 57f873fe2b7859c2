#include "circuit/deck.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "core/quantity.h"

namespace errata::circuit {

namespace {

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

/// ngspice's abstol. A cell alone is solved to a femtoampere, for its leakage. In a column the rounding of node
/// voltages over the smallest wire segments is a current itself: below a picoampere columns with 10 mOhm segments never
/// converge.
constexpr double kCellTolerance = 1e-15, kColumnTolerance = 1e-12;

/// Adds lines to a deck and remembers where they come from.
class Composer {
 public:
  Composer(std::string name, const Netlist& netlist, const DeckOptions& options, double tolerance_amperes)
      : options_(options) {
    deck_.name = std::move(name);
    add("errata " + deck_.name);
    for (const auto& statement : netlist.statements) add(statement.text, statement.position);
    add(fmt::format(".options temp={} tnom=27 reltol=1e-6 abstol={} vntol=1e-9",
                    options.temperature_kelvin - kZeroCelsiusKelvin, tolerance_amperes));
    if (!options.supply_pin.empty()) add(fmt::format("vsupply supply 0 dc {}", options.supply_volts));
  }

  void add(std::string line, SourcePosition position = {}) {
    deck_.lines.push_back(std::move(line));
    deck_.positions.push_back(std::move(position));
  }

  void slot(std::string target) { deck_.slots.push_back(std::move(target)); }

  /// Instance line with its pins in the order of the .subckt line.
  void instance(const Netlist& netlist, const std::string& name, const std::string& word, const std::string& bit,
                const std::string& source) {
    const auto found = netlist.subcircuits.find(options_.cell);
    std::string line = name;
    for (const auto& pin : found->second.pins) {
      std::string node = name + "_" + pin;
      if (pin == options_.word_line_pin) node = word;
      if (pin == options_.bit_line_pin) node = bit;
      if (pin == options_.source_line_pin) node = source;
      if (pin == options_.supply_pin) node = "supply";
      if (pin == options_.ground_pin) node = "0";
      line += " " + node;
    }
    add(line + " " + options_.cell);
  }

  Deck finish() {
    add(".end");
    return std::move(deck_);
  }

 private:
  const DeckOptions& options_;
  Deck deck_;
};

}  // namespace

DeckOptions deck_options(const Settings& s) {
  const auto optional = [&](const char* path) { return s.has(path) ? lower(s.text(path)) : std::string(); };
  const double severity = s.number("circuit.severity");
  DeckOptions o;
  o.cell = lower(s.text("circuit.cell"));
  o.word_line_pin = lower(s.text("circuit.pins.word_line"));
  o.bit_line_pin = lower(s.text("circuit.pins.bit_line"));
  o.source_line_pin = optional("circuit.pins.source_line");
  o.supply_pin = optional("circuit.pins.supply");
  o.ground_pin = optional("circuit.pins.ground");
  o.supply_volts = s.number("circuit.supply_voltage");
  o.weight_device = lower(s.text("circuit.weight.device"));
  o.weight_parameter = lower(s.text("circuit.weight.parameter"));
  o.temperature_kelvin = s.number("circuit.temperature");
  o.wire_ohms = severity * s.number("array.wire_resistance");
  o.source_line_ohms = severity * s.number("array.source_line_resistance");
  o.clamp_ohms = severity * s.number("array.clamp_resistance");
  return o;
}

std::string device_path(const std::string& instance, const std::string& device) {
  const auto dot = device.rfind('.');
  const char type = device[dot == std::string::npos ? 0 : dot + 1];
  return fmt::format("{}.{}.{}", type, instance, device);
}

Deck compose_cell(const Netlist& netlist, const DeckOptions& options, const std::vector<CellSlot>& cell_slots) {
  Composer c("cell", netlist, options, kCellTolerance);
  c.add("vwl wl 0 dc 0");
  c.add("vclamp bl 0 dc 0 ac 1");
  c.add("vsl sl 0 dc 0");
  c.add("hout out 0 vclamp 1");
  c.instance(netlist, "x1", "wl", "bl", "sl");
  for (const char* source : {"@vwl[dc]", "@vclamp[dc]", "@vsl[dc]"}) c.slot(source);
  for (const auto& s : cell_slots) c.slot(fmt::format("@{}[{}]", device_path("x1", s.device), s.parameter));
  return c.finish();
}

Deck compose_column(const Netlist& netlist, const DeckOptions& options, const std::vector<CellSlot>& cell_slots,
                    std::size_t rows) {
  // ngspice turns 0 ohm into 1 mOhm silently and does not converge over segments far below that, so a line with less
  // is one node.
  constexpr double kSmallestOhms = 2e-4;
  const bool wire = options.wire_ohms > kSmallestOhms;
  const bool source_wire = options.source_line_ohms > kSmallestOhms && !options.source_line_pin.empty();
  Composer c(fmt::format("column of {} rows", rows), netlist, options, kColumnTolerance);
  c.add("vclamp clamp 0 dc 0 ac 1");
  c.add("rclamp clamp b1 1");
  c.add("ioffset b1 0 dc 0");
  c.add("hout out 0 vclamp 1");
  for (const char* target : {"@vclamp[dc]", "@rclamp[resistance]", "@ioffset[dc]"}) c.slot(target);
  for (std::size_t j = 1; j <= rows; ++j) {
    const std::string bit = wire ? fmt::format("b{}", j) : "b1";
    const std::string source = source_wire && j > 1 ? fmt::format("s{}", j) : "0";
    const std::string name = fmt::format("x{}", j);
    if (wire && j > 1) c.add(fmt::format("rb{0} b{1} b{0} {2}", j, j - 1, options.wire_ohms));
    if (source_wire && j > 1)
      c.add(fmt::format("rs{} {} s{} {}", j, j == 2 ? "0" : fmt::format("s{}", j - 1), j, options.source_line_ohms));
    c.add(fmt::format("vw{0} w{0} 0 dc 0", j));
    c.instance(netlist, name, fmt::format("w{}", j), bit, source);
    c.slot(fmt::format("@vw{}[dc]", j));
    for (const auto& s : cell_slots) c.slot(fmt::format("@{}[{}]", device_path(name, s.device), s.parameter));
  }
  return c.finish();
}

namespace {
/// The key of the project file that names a device inside the cell.
std::string who_names(const std::string& device, const DeckOptions& options, const Settings& settings) {
  if (device == options.weight_device) return "circuit.weight.device";
  for (std::size_t i = 0; i < settings.count("circuit.mismatch"); ++i) {
    const std::string path = fmt::format("circuit.mismatch[{}].device", i);
    if (lower(settings.text(path)) == device) return path;
  }
  return "circuit.cell";
}
}  // namespace

std::vector<Diagnostic> check_against_netlist(const Netlist& netlist, const DeckOptions& options,
                                              const std::vector<CellSlot>& cell_slots, const Settings& settings) {
  std::vector<Diagnostic> problems;
  const auto report = [&](std::string code, const char* path, std::string message, std::string hint) {
    problems.push_back(Diagnostic{.code = std::move(code),
                                  .position = settings.value(path).position,
                                  .message = std::move(message),
                                  .hint = std::move(hint)});
  };
  const auto found = netlist.subcircuits.find(options.cell);
  if (found == netlist.subcircuits.end()) {
    std::vector<std::string> names;
    for (const auto& [name, sub] : netlist.subcircuits) names.push_back(name);
    report("E202", "circuit.cell", fmt::format("the netlist has no subcircuit '{}'", options.cell),
           fmt::format("it has: {}", fmt::join(names, ", ")));
    return problems;
  }
  const auto& pins = found->second.pins;
  const auto check_pin = [&](const char* path, const std::string& pin) {
    if (pin.empty() || std::ranges::find(pins, pin) != pins.end()) return;
    report("E203", path, fmt::format("subcircuit '{}' has no pin '{}'", options.cell, pin),
           fmt::format("its pins: {}", fmt::join(pins, ", ")));
  };
  check_pin("circuit.pins.word_line", options.word_line_pin);
  check_pin("circuit.pins.bit_line", options.bit_line_pin);
  check_pin("circuit.pins.source_line", options.source_line_pin);
  check_pin("circuit.pins.supply", options.supply_pin);
  check_pin("circuit.pins.ground", options.ground_pin);
  const std::string roles[] = {options.word_line_pin, options.bit_line_pin, options.source_line_pin, options.supply_pin,
                               options.ground_pin};
  for (const auto& pin : pins)
    if (std::ranges::count(roles, pin) > 1)
      report("E203", "circuit.cell",
             fmt::format("pin '{}' of '{}' has two roles under [circuit.pins]", pin, options.cell), "");
  for (const auto& pin : pins) {
    const bool used = pin == options.word_line_pin || pin == options.bit_line_pin || pin == options.source_line_pin ||
                      pin == options.supply_pin || pin == options.ground_pin;
    if (!used)
      report("E203", "circuit.cell", fmt::format("pin '{}' of '{}' has no role", pin, options.cell),
             "name it under [circuit.pins] as word_line, bit_line, source_line, supply or ground");
  }
  for (const auto& slot : cell_slots) {
    if (slot.device.find('.') != std::string::npos || found->second.devices.contains(slot.device)) continue;
    std::vector<std::string> names;
    for (const auto& [name, text] : found->second.devices) names.push_back(name);
    report("E208", who_names(slot.device, options, settings).c_str(),
           fmt::format("subcircuit '{}' has no device '{}'", options.cell, slot.device),
           fmt::format("it has: {}", fmt::join(names, ", ")));
  }
  return problems;
}

}  // namespace errata::circuit
