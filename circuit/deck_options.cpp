#include "circuit/deck_options.h"

#include <fmt/format.h>

#include "circuit/netlist_text.h"
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

}  // namespace

DeckOptions deck_options(const Settings& s) {
  const auto optional = [&](const char* path) { return s.has(path) ? lower_case(s.text(path)) : std::string(); };
  const double severity = s.number("circuit.severity");
  DeckOptions o;
  o.cell = lower_case(s.text("circuit.cell"));
  o.word_line_pin = lower_case(s.text("circuit.pins.word_line"));
  o.bit_line_pin = lower_case(s.text("circuit.pins.bit_line"));
  o.source_line_pin = optional("circuit.pins.source_line");
  o.supply_pin = optional("circuit.pins.supply");
  o.ground_pin = optional("circuit.pins.ground");
  for (std::size_t i = 0; i < s.count("circuit.tied_pin"); ++i)
    o.tied_pins.emplace_back(lower_case(s.text(fmt::format("circuit.tied_pin[{}].pin", i))),
                             s.number(fmt::format("circuit.tied_pin[{}].voltage", i)));
  o.supply_volts = s.number("circuit.supply_voltage");
  o.compatibility = inlined_compatibility(optional("circuit.compatibility"));
  o.storage = {storage_kind(s.text("circuit.weight.store")), optional("circuit.weight.device"),
               optional("circuit.weight.parameter"),         optional("circuit.weight.node"),
               optional("circuit.weight.complement"),        optional("circuit.weight.pin")};
  const std::string& read = s.text("circuit.read");
  o.read = read == "discharge" ? ReadMode::kDischarge : read == "charge" ? ReadMode::kCharge : ReadMode::kCurrent;
  o.timing = {s.number("circuit.timing.delay"), s.number("circuit.timing.edge"), s.number("circuit.timing.pulse"),
              s.number("circuit.timing.sample"), s.number("circuit.timing.step")};
  o.input = input_encoding(s);
  o.temperature_kelvin = s.number("circuit.temperature");
  o.wire_ohms = severity * s.number("array.wire_resistance");
  o.source_line_ohms = severity * s.number("array.source_line_resistance");
  o.clamp_ohms = severity * s.number("array.clamp_resistance");
  o.wire_farads = s.number("array.wire_capacitance");
  o.line_farads = s.number("array.bit_line_capacitance");
  o.precharge_volts = s.number("array.precharge_voltage");
  o.reset_switch = optional("array.reset_switch");
  o.word_line = {.driver_ohms = severity * s.number("array.driver_resistance"),
                 .cell_ohms = severity * s.number("array.word_line_resistance"),
                 .cell_farads = s.number("array.word_line_capacitance"),
                 .columns = static_cast<std::size_t>(s.integer("array.columns")),
                 .position = s.number("array.column_position")};
  o.idle_rows = static_cast<std::size_t>(s.integer("array.unselected_rows") + s.integer("array.dummy_rows"));
  o.lines = static_cast<std::size_t>(s.integer("circuit.design.neighbours"));
  for (std::size_t i = 0; i < s.count("circuit.driven_pin"); ++i) {
    const std::string at = fmt::format("circuit.driven_pin[{}]", i);
    o.driven_pins.push_back({lower_case(s.text(at + ".pin")), s.numbers(at + ".times"), s.numbers(at + ".voltages")});
  }
  return o;
}

}  // namespace errata::circuit
