#include "circuit/deck/deck_options.h"

#include <fmt/format.h>

#include <set>

#include "circuit/netlist/netlist_text.h"
#include "core/text.h"

namespace errata::circuit {

namespace {

Storage::Kind storage_kind(const std::string& text) {
  if (text == "model_parameter") return Storage::Kind::kModelParameter;
  if (text == "subcircuit_parameter") return Storage::Kind::kSubcircuitParameter;
  if (text == "node_voltage") return Storage::Kind::kNodeVoltage;
  if (text == "pin_voltage") return Storage::Kind::kPinVoltage;
  return Storage::Kind::kInstanceParameter;
}

InputEncoding input_encoding(const Settings& s) {
  InputEncoding e;
  const std::string& kind = s.text("circuit.input.encoding");
  e.kind = kind == "pulse_width"   ? InputKind::kPulseWidth
           : kind == "pulse_count" ? InputKind::kPulseCount
                                   : InputKind::kVoltage;
  e.levels = s.numbers("circuit.input.levels");
  e.low_volts = e.kind == InputKind::kVoltage ? e.levels.front() : s.number("circuit.input.low");
  e.high_volts = e.kind == InputKind::kVoltage ? e.levels.back() : s.number("circuit.input.high");
  e.period_seconds = s.number("circuit.input.period");
  return e;
}

std::vector<OutputOptions> output_options(const Settings& s) {
  std::vector<OutputOptions> all;
  for (std::size_t i = 0; i < s.count("circuit.output"); ++i) {
    const std::string at = fmt::format("circuit.output[{}].", i);
    const auto optional = [&](const char* key) {
      return s.has(at + key) ? lower_case(s.text(at + key)) : std::string();
    };
    const std::string& measure = s.text(at + "measure");
    all.push_back({.name = s.text(at + "name"),
                   .current = s.text(at + "quantity") == "current",
                   .node = optional("node"),
                   .reference = optional("reference"),
                   .device = optional("device"),
                   .row = static_cast<std::size_t>(s.integer(at + "row")),
                   .measure = measure == "integral"  ? Output::Measure::kIntegral
                              : measure == "average" ? Output::Measure::kAverage
                                                     : Output::Measure::kSample,
                   .time_seconds = s.number(at + "time"),
                   .from_seconds = s.number(at + "from"),
                   .to_seconds = s.number(at + "to")});
  }
  return all;
}

}  // namespace

DeckOptions deck_options(const Settings& s) {
  const auto optional = [&](const char* path) { return s.has(path) ? lower_case(s.text(path)) : std::string(); };
  const double severity = s.number("circuit.severity");
  DeckOptions o;
  o.whole_column = s.has("circuit.column");
  o.subcircuit = lower_case(s.text(o.whole_column ? "circuit.column" : "circuit.cell"));
  o.first_index = static_cast<std::size_t>(s.integer("circuit.first_index"));
  o.periphery = s.text("array.periphery") == "netlist" ? Periphery::kNetlist : Periphery::kErrata;
  o.complement_pin = optional("circuit.pins.complement_bit_line");
  o.word_line_pin = lower_case(s.text("circuit.pins.word_line"));
  o.bit_line_pin = lower_case(s.text("circuit.pins.bit_line"));
  o.source_line_pin = optional("circuit.pins.source_line");
  o.supply_pin = optional("circuit.pins.supply");
  o.ground_pin = optional("circuit.pins.ground");
  o.supply_volts = s.number("circuit.supply_voltage");
  o.compatibility = inlined_compatibility(optional("circuit.compatibility"));
  o.storage = {storage_kind(s.text("circuit.weight.store")), optional("circuit.weight.device"),
               optional("circuit.weight.parameter"),         optional("circuit.weight.node"),
               optional("circuit.weight.complement"),        optional("circuit.weight.pin")};
  const std::string& read = s.text("circuit.read");
  o.read = read == "discharge" ? ReadMode::kDischarge : read == "charge" ? ReadMode::kCharge : ReadMode::kCurrent;
  o.timing = {s.number("circuit.timing.delay"),  s.number("circuit.timing.edge"), s.number("circuit.timing.pulse"),
              s.number("circuit.timing.sample"), s.number("circuit.timing.step"), s.number("circuit.timing.connect")};
  o.input = input_encoding(s);
  o.temperature_kelvin = s.number("circuit.temperature");
  o.wire_ohms = o.whole_column ? 0.0 : severity * s.number("array.wire_resistance");
  o.source_line_ohms = severity * s.number("array.source_line_resistance");
  o.clamp_volts = s.number("array.clamp_voltage");
  o.clamp_ohms = severity * s.number("array.clamp_resistance");
  o.wire_farads = o.whole_column ? 0.0 : s.number("array.wire_capacitance");
  o.line_farads = s.number("array.bit_line_capacitance");
  o.precharge_volts = s.number("array.precharge_voltage");
  o.reset_switch = optional("array.reset_switch");
  o.column_switch = optional("array.column_switch");
  o.multiplexed_columns = static_cast<std::size_t>(s.integer("array.multiplexed_columns"));
  o.sense_farads = s.number("array.sense_capacitance");
  o.word_line = {.driver_ohms = severity * s.number("array.driver_resistance"),
                 .cell_ohms = severity * s.number("array.word_line_resistance"),
                 .cell_farads = s.number("array.word_line_capacitance"),
                 .columns = static_cast<std::size_t>(s.integer("array.columns")),
                 .position = s.number("array.column_position")};
  o.idle_rows = static_cast<std::size_t>(s.integer("array.unselected_rows") + s.integer("array.dummy_rows"));
  o.lines = static_cast<std::size_t>(s.integer("circuit.design.neighbours"));
  const auto rows = static_cast<std::size_t>(s.integer("array.rows"));
  for (std::size_t i = 0; i < s.count("circuit.tied_pin"); ++i) {
    const std::string at = fmt::format("circuit.tied_pin[{}]", i);
    for (const auto& pin : numbered_names(lower_case(s.text(at + ".pin")), o, rows))
      o.tied_pins.emplace_back(pin, s.number(at + ".voltage"));
  }
  for (std::size_t i = 0; i < s.count("circuit.driven_pin"); ++i) {
    const std::string at = fmt::format("circuit.driven_pin[{}]", i);
    for (const auto& pin : numbered_names(lower_case(s.text(at + ".pin")), o, rows))
      o.driven_pins.push_back({pin, s.numbers(at + ".times"), s.numbers(at + ".voltages")});
  }
  o.outputs = output_options(s);
  for (std::size_t i = 0; i < o.outputs.size(); ++i)
    if (s.has("circuit.result") && o.outputs[i].name == s.text("circuit.result")) o.result = i;
  return o;
}

std::string_view OutputOptions::unit() const {
  if (measure != Output::Measure::kIntegral) return current ? "A" : "V";
  return current ? "C" : "V*s";
}

bool composable(const DeckOptions& o) {
  return !o.whole_column && o.complement_pin.empty() && o.column_switch.empty() && !o.result;
}

std::string_view result_unit(const DeckOptions& o) {
  if (o.result) return o.outputs[*o.result].unit();
  return o.read == ReadMode::kCurrent ? "A" : "V";
}

std::string numbered(std::string name, const DeckOptions& o, std::size_t row, std::size_t line) {
  for (const auto& [mark, index] : {std::pair<std::string_view, std::size_t>{"{row}", row}, {"{line}", line}})
    for (std::size_t at; (at = name.find(mark)) != std::string::npos;)
      name.replace(at, mark.size(), std::to_string(o.first_index + index));
  return name;
}

CellSlot stored_level_slot(const DeckOptions& o) {
  const Storage& storage = o.storage;
  switch (storage.kind) {
    case Storage::Kind::kInstanceParameter:
      return {storage.device, storage.parameter};
    case Storage::Kind::kModelParameter:
      return {storage.device, storage.parameter, CellSlot::Owner::kModel};
    case Storage::Kind::kSubcircuitParameter:
      return {o.subcircuit, storage.parameter, CellSlot::Owner::kSubcircuit};
    default:
      return {};
  }
}

std::vector<std::string> numbered_names(const std::string& pattern, const DeckOptions& o, std::size_t rows) {
  if (pattern.empty()) return {};
  if (!o.whole_column) return {pattern};
  std::vector<std::string> all;
  std::set<std::string> seen;
  for (std::size_t l = 0; l < o.lines; ++l)
    for (std::size_t r = 0; r < rows; ++r)
      if (auto name = numbered(pattern, o, r, l); seen.insert(name).second) all.push_back(std::move(name));
  return all;
}

}  // namespace errata::circuit
