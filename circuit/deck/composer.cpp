#include "circuit/deck/composer.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <set>

#include "core/quantity.h"

namespace errata::circuit {

namespace {
/// The .options line with every tolerance of `name=value` words ten times wider.
std::string looser(const std::string& tolerances) {
  std::string line = ".options";
  for (const auto& word : words_of(tolerances)) {
    const auto equals = word.find('=');
    if (equals == std::string::npos || word.starts_with("trtol")) continue;
    line += fmt::format(" {}={}", word.substr(0, equals), 10.0 * std::strtod(word.c_str() + equals + 1, nullptr));
  }
  return line;
}
}  // namespace

Composer::Composer(std::string name, const Netlist& netlist, const DeckOptions& options, const std::string& tolerances)
    : netlist_(netlist), options_(options) {
  deck_.name = std::move(name);
  deck_.compatibility = options.compatibility;
  const auto& in = options.input;
  deck_.pulse = {.counts = in.kind == InputKind::kPulseCount,
                 .low_volts = in.low_volts,
                 .high_volts = in.high_volts,
                 .delay_seconds = options.timing.delay,
                 .edge_seconds = options.timing.edge,
                 .width_seconds = options.timing.pulse,
                 .period_seconds = in.period_seconds};
  deck_.half_supply_volts = 0.5 * options.supply_volts;
  deck_.looser_tolerances = looser(tolerances);
  add("errata " + deck_.name);
  for (const auto& statement : netlist.statements) add(statement.text, statement.position);
  add(fmt::format(".options temp={}{} {}", options.temperature_kelvin - kZeroCelsiusKelvin,
                  netlist.sets_nominal_temperature ? "" : " tnom=27", tolerances));
  if (!options.supply_pin.empty()) add(fmt::format("vsupply supply 0 dc {}", options.supply_volts));
  for (const auto& [pin, volts] : options.tied_pins) add(fmt::format("vtied_{0} tied_{0} 0 dc {1}", pin, volts));
  for (const auto& pin : options.driven_pins) drive(pin);
  drive_globals();
}

/// Global nodes that have a role get its voltage; ngspice does not reach them through pins.
void Composer::drive_globals() {
  for (const auto& node : netlist_.globals) {
    if (node == options_.supply_pin) add(fmt::format("vglobal_{0} {0} 0 dc {1}", node, options_.supply_volts));
    if (node == options_.ground_pin) add(fmt::format("vglobal_{0} {0} 0 dc 0", node));
    for (const auto& [pin, volts] : options_.tied_pins)
      if (node == pin) add(fmt::format("vglobal_{0} {0} 0 dc {1}", node, volts));
  }
}

void Composer::add(std::string line, SourcePosition position) {
  deck_.lines.push_back(std::move(line));
  deck_.positions.push_back(std::move(position));
}

void Composer::parameter(const std::string& name) {
  add(fmt::format(".param {}=0", name));
  slot(name, SlotKind::kParameter);
}

void Composer::drive(const DrivenPin& pin) {
  std::string points;
  for (std::size_t k = 0; k < pin.seconds.size(); ++k)
    points += fmt::format("{}{} {}", k > 0 ? " " : "", number_text(pin.seconds[k]), number_text(pin.volts[k]));
  add(fmt::format("vdriven_{0} driven_{0} 0 dc {1} pwl({2})", pin.pin, number_text(pin.volts.front()), points));
}

void Composer::cell(const std::string& name, const std::string& key, const CellNets& nets,
                    const std::vector<CellSlot>& cell_slots) {
  const Storage& storage = options_.storage;
  std::string line = name;
  for (const auto& pin : netlist_.subcircuits.at(options_.subcircuit).pins) line += " " + net_of(pin, name, nets);
  line += " " + netlist_.subcircuits.at(options_.subcircuit).deck_name;
  if (storage.kind == Storage::Kind::kSubcircuitParameter)
    line += fmt::format(" {}={{errata_level{}}}", storage.parameter, key);
  const std::span<const CellSlot> moved = std::span(cell_slots).subspan(1);
  add(line + overrides(key, moved));
  store(name, key, storage);
  varied(name, options_.subcircuit, key, moved);
}

std::string Composer::overrides(const std::string& key, std::span<const CellSlot> slots) const {
  std::string text;
  for (const auto& s : slots)
    if (s.owner == CellSlot::Owner::kSubcircuit) text += fmt::format(" {0}={{errata_moved_{0}_{1}}}", s.parameter, key);
  return text;
}

void Composer::varied(const std::string& instance, const std::string& subcircuit, const std::string& key,
                      std::span<const CellSlot> slots) {
  for (const auto& s : slots) switch (s.owner) {
      case CellSlot::Owner::kDevice:
        slot(fmt::format("@{}[{}]", expanded_device_name(netlist_, subcircuit, instance, s.device), s.parameter));
        break;
      case CellSlot::Owner::kModel:
        slot(fmt::format("{} {}", expanded_model_name(netlist_, subcircuit, instance, s.device), s.parameter),
             SlotKind::kModel);
        break;
      case CellSlot::Owner::kSubcircuit:
        parameter(fmt::format("errata_moved_{}_{}", s.parameter, key));
        break;
    }
}

void Composer::word_line_sources() {
  const ReadTiming& t = options_.timing;
  if (options_.input.kind == InputKind::kVoltage)
    add(fmt::format("vpulse pulse 0 dc 0 pulse(0 1 {0} {1} {1} {2})", t.delay, t.edge, t.pulse));
  add(fmt::format("vidle idle 0 dc {}", options_.input.idle_volts()));
}

void Composer::word_line(const std::string& key) {
  const std::string net = options_.word_line.plain() ? "w" + key : "d" + key;
  if (options_.read == ReadMode::kCurrent) {
    add(fmt::format("vw{} {} 0 dc 0", key, net));
    slot(fmt::format("@vw{}[dc]", key));
  } else if (options_.input.kind == InputKind::kVoltage) {
    add(fmt::format("ew{} {} idle pulse 0 0", key, net));
    slot(fmt::format("@ew{}[gain]", key));
  } else {
    const double low = options_.input.low_volts;
    add(fmt::format("vw{0} {1} 0 dc {2} pulse({2} {2} {3} {4} {4} {4})", key, net, low, options_.timing.delay,
                    options_.timing.edge));
    slot(fmt::format("@vw{}[pulse]", key), SlotKind::kWaveform);
  }
  if (!options_.word_line.plain()) word_wire(key);
}

std::string Composer::word_net(const std::string& key, std::size_t line) const {
  return line == 0 || options_.word_line.cell_ohms <= kSmallestOhms ? "w" + key : fmt::format("w{}_{}", key, line + 1);
}

/// Driver and the wire before the simulated columns as a T, the segments between them, and the wire beyond as an L.
void Composer::word_wire(const std::string& key) {
  const WordLine& w = options_.word_line;
  const auto simulated = static_cast<double>(options_.lines);
  const double others = std::max(0.0, static_cast<double>(w.columns) - simulated);
  const double before = std::round(w.position * others), after = others - before;
  const double driver = std::max(w.driver_ohms, kSmallestOhms);
  const double half = 0.5 * before * w.cell_ohms;
  const bool tee = half > kSmallestOhms;
  add(fmt::format("rwd{0} d{0} {1}{0} {2}", key, tee ? "wm" : "w", driver + (tee ? half : 0.0)));
  if (tee) add(fmt::format("rwb{0} wm{0} w{0} {1}", key, half));
  if (before * w.cell_farads > 0)
    add(fmt::format("cwb{0} {1}{0} 0 {2}", key, tee ? "wm" : "w", before * w.cell_farads));
  for (std::size_t l = 0; l < options_.lines; ++l) {
    if (l > 0 && w.cell_ohms > kSmallestOhms)
      add(fmt::format("rw{0}_{1} {2} {3} {4}", key, l + 1, word_net(key, l - 1), word_net(key, l), w.cell_ohms));
    if (w.cell_farads > 0) add(fmt::format("cw{0}_{1} {2} 0 {3}", key, l + 1, word_net(key, l), w.cell_farads));
  }
  if (after * w.cell_farads <= 0) return;
  const double beyond = 0.5 * after * w.cell_ohms;
  const std::string end = word_net(key, options_.lines - 1);
  if (beyond > kSmallestOhms) add(fmt::format("rwe{0} {1} we{0} {2}", key, end, beyond));
  add(fmt::format("cwe{0} {1} 0 {2}", key, beyond > kSmallestOhms ? "we" + key : end, after * w.cell_farads));
}

void Composer::precharge(const std::string& suffix, const std::vector<std::string>& nodes,
                         std::span<const CellSlot> switches) {
  if (options_.reset_switch.empty()) {
    parameter("errata_precharge" + suffix);
    for (const auto& n : nodes) add(fmt::format(".ic v({})={{errata_precharge{}}}", n, suffix));
    return;
  }
  const double edge = options_.timing.edge, supply = options_.supply_volts;
  add(fmt::format("vprecharge{0} precharge{0} 0 dc 0", suffix));
  slot(fmt::format("@vprecharge{}[dc]", suffix));
  if (suffix.empty()) {
    add(fmt::format("vcontrol control 0 dc {0} pwl(0 {0} {1} {0} {2} 0)", supply, edge, 2 * edge));
    add(fmt::format("vcontrolbar control_bar 0 dc 0 pwl(0 0 {1} 0 {2} {0})", supply, edge, 2 * edge));
    if (options_.supply_pin.empty()) add(fmt::format("vsupply supply 0 dc {}", supply));
  }
  const std::string name = "xreset" + suffix;
  std::string line = name;
  for (const auto& pin : netlist_.subcircuits.at(options_.reset_switch).pins)
    line += " " + (pin == "line"        ? nodes.front()
                   : pin == "reference" ? "precharge" + suffix
                   : pin == "ground"    ? "0"
                                        : pin);
  const std::string key = "reset" + suffix;
  add(line + " " + netlist_.subcircuits.at(options_.reset_switch).deck_name + overrides(key, switches));
}

void Composer::varied_reset_switch(const std::string& suffix, std::span<const CellSlot> switches) {
  varied("xreset" + suffix, options_.reset_switch, "reset" + suffix, switches);
}

void Composer::transient(std::vector<Output> outputs) {
  const double stop = options_.timing.sample;
  constexpr double kSteps = 50;  // with these tolerances: docs/design/ngspice.md
  const double step = options_.step_factor * (options_.timing.step > 0 ? options_.timing.step : stop / kSteps);
  deck_.transient = fmt::format("tran {} {} 0 {}", number_text(step), number_text(stop), number_text(step));
  deck_.stop_seconds = stop;
  std::set<std::string> saved;  // ngspice keeps everything otherwise
  for (const auto& output : outputs)
    for (const auto& vector : {output.vector, output.minus})
      if (!vector.empty() && saved.insert(vector).second)
        add(vector.ends_with("#branch") ? ".save " + vector : fmt::format(".save v({})", vector));
  deck_.outputs = std::move(outputs);
}

Deck Composer::finish() {
  add(".end");
  return std::move(deck_);
}

std::string Composer::net_of(const std::string& pin, const std::string& instance, const CellNets& nets) const {
  if (pin == options_.word_line_pin) return nets.word;
  if (pin == options_.bit_line_pin) return nets.bit;
  if (pin == options_.source_line_pin) return nets.source;
  if (pin == options_.complement_pin) return nets.complement.empty() ? "0" : nets.complement;
  return common_net(pin, instance);
}

std::string Composer::common_net(const std::string& pin, const std::string& instance) const {
  if (pin == options_.supply_pin) return "supply";
  if (pin == options_.ground_pin) return "0";
  for (const auto& [tied, volts] : options_.tied_pins)
    if (pin == tied) return "tied_" + pin;
  for (const auto& driven : options_.driven_pins)
    if (pin == driven.pin) return "driven_" + pin;
  return instance + "_" + pin;
}

void Composer::store(const std::string& name, const std::string& key, const Storage& s) {
  switch (s.kind) {
    case Storage::Kind::kInstanceParameter:
      slot(fmt::format("@{}[{}]", expanded_device_name(netlist_, options_.subcircuit, name, s.device), s.parameter));
      return;
    case Storage::Kind::kModelParameter:
      slot(fmt::format("{} {}", expanded_model_name(netlist_, options_.subcircuit, name, s.device), s.parameter),
           SlotKind::kModel);
      return;
    case Storage::Kind::kSubcircuitParameter:
      parameter("errata_level" + key);
      return;
    case Storage::Kind::kPinVoltage:
      add(fmt::format("vstored_{0} {1}_{2} 0 dc 0", key, name, s.pin));
      slot(fmt::format("@vstored_{}[dc]", key));
      return;
    case Storage::Kind::kNodeVoltage:
      parameter("errata_level" + key);
      for (const char* hint : {".nodeset", ".ic"}) {
        add(fmt::format("{} v({}.{})={{errata_level{}}}", hint, name, s.node, key));
        if (!s.complement.empty())
          add(fmt::format("{} v({}.{})={{{}-errata_level{}}}", hint, name, s.complement, options_.supply_volts, key));
      }
      return;
  }
}

}  // namespace errata::circuit
