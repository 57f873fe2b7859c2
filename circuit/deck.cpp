#include "circuit/deck.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "circuit/deck_check.h"
#include "circuit/netlist_text.h"
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

/// Measured: abstol below 1e-13 aborts some charge-redistribution columns ("Timestep too small" at the edges of a
/// control pulse) without moving a result by a microvolt.
constexpr const char* kTransientOptions = "chgtol=1e-17 trtol=1 reltol=1e-5 abstol=1e-13 vntol=1e-8";

std::string number_text(double value) { return fmt::format("{}", value); }

/// Adds lines to a deck and remembers where they come from.
class Composer {
 public:
  Composer(std::string name, const Netlist& netlist, const DeckOptions& options, const std::string& tolerances)
      : netlist_(netlist), options_(options) {
    deck_.name = std::move(name);
    deck_.compatibility = options.compatibility;
    add("errata " + deck_.name);
    for (const auto& statement : netlist.statements) add(statement.text, statement.position);
    add(fmt::format(".options temp={}{} {}", options.temperature_kelvin - kZeroCelsiusKelvin,
                    netlist.sets_nominal_temperature ? "" : " tnom=27", tolerances));
    if (!options.supply_pin.empty()) add(fmt::format("vsupply supply 0 dc {}", options.supply_volts));
    for (const auto& [pin, volts] : options.tied_pins) add(fmt::format("vtied_{0} tied_{0} 0 dc {1}", pin, volts));
    drive_globals();
  }

  void add(std::string line, SourcePosition position = {}) {
    deck_.lines.push_back(std::move(line));
    deck_.positions.push_back(std::move(position));
  }

  void slot(std::string target, SlotKind kind = SlotKind::kAlter) { deck_.slots.push_back({kind, std::move(target)}); }

  /// A .param that a slot sets.
  void parameter(const std::string& name) {
    add(fmt::format(".param {}=0", name));
    slot(name, SlotKind::kParameter);
  }

  /// Instance line with its pins in the order of the .subckt line; `key` tells its parameters from other cells'.
  /// Adds the slots of its stored level and of its other varied values, the level's first.
  void cell(const std::string& name, const std::string& key, const std::string& word, const std::string& bit,
            const std::string& source, const std::vector<CellSlot>& cell_slots) {
    const Storage& storage = options_.storage;
    std::string line = name;
    for (const auto& pin : netlist_.subcircuits.at(options_.cell).pins)
      line += " " + node_of(pin, name, word, bit, source);
    line += " " + netlist_.subcircuits.at(options_.cell).deck_name;
    if (storage.kind == Storage::Kind::kSubcircuitParameter)
      line += fmt::format(" {}={{errata_level{}}}", storage.parameter, key);
    add(line);
    store(name, key);
    for (std::size_t i = 1; i < cell_slots.size(); ++i)
      slot(fmt::format("@{}[{}]", expanded_device_name(netlist_, options_.cell, name, cell_slots[i].device),
                       cell_slots[i].parameter));
  }

  /// Word lines rest at the idle voltage; `pulse` runs from 0 to 1. The slot is the swing of this one.
  void word_line(const std::string& key) {
    add(fmt::format("ew{0} w{0} idle pulse 0 0", key));
    slot(fmt::format("@ew{}[gain]", key));
  }
  void word_line_pulse() {
    const ReadTiming& t = options_.timing;
    add(fmt::format("vpulse pulse 0 dc 0 pulse(0 1 {0} {1} {1} {2})", t.delay, t.edge, t.pulse));
    add(fmt::format("vidle idle 0 dc {}", options_.idle_word_volts));
  }

  /// The line `node` and its reset switch, which opens at time 0 within one edge. Adds the slot of the voltage.
  void precharge(const std::string& node, const std::vector<std::string>& nodes,
                 const std::vector<CellSlot>& switches) {
    if (options_.reset_switch.empty()) {
      parameter("errata_precharge");
      for (const auto& n : nodes) add(fmt::format(".ic v({})={{errata_precharge}}", n));
      return;
    }
    const double edge = options_.timing.edge, supply = options_.supply_volts;
    add("vprecharge precharge 0 dc 0");
    slot("@vprecharge[dc]");
    add(fmt::format("vcontrol control 0 dc {0} pwl(0 {0} {1} {0} {2} 0)", supply, edge, 2 * edge));
    add(fmt::format("vcontrolbar control_bar 0 dc 0 pwl(0 0 {1} 0 {2} {0})", supply, edge, 2 * edge));
    if (options_.supply_pin.empty()) add(fmt::format("vsupply supply 0 dc {}", supply));
    std::string line = "xreset";
    for (const auto& pin : netlist_.subcircuits.at(options_.reset_switch).pins)
      line += " " + (pin == "line"        ? node
                     : pin == "reference" ? std::string("precharge")
                     : pin == "ground"    ? "0"
                                          : pin);
    add(line + " " + netlist_.subcircuits.at(options_.reset_switch).deck_name);
    for (const auto& s : switches)
      slot(fmt::format("@{}[{}]", expanded_device_name(netlist_, options_.reset_switch, "xreset", s.device),
                       s.parameter));
  }

  void transient(const std::vector<std::string>& nodes) {
    const double stop = options_.timing.sample;
    constexpr double kSteps = 50;  // with these tolerances: docs/design/ngspice.md
    const double step = options_.timing.step > 0 ? options_.timing.step : stop / kSteps;
    deck_.transient = fmt::format("tran {} {} 0 {}", number_text(step), number_text(stop), number_text(step));
    deck_.stop_seconds = stop;
    deck_.outputs.clear();
    for (const auto& node : nodes) {
      deck_.outputs.push_back({node, 1.0});
      add(fmt::format(".save v({})", node));  // ngspice keeps everything otherwise
    }
  }

  Deck& deck() { return deck_; }
  Deck finish() {
    add(".end");
    return std::move(deck_);
  }

 private:
  /// Global nodes that have a role get its voltage; ngspice does not reach them through pins.
  void drive_globals() {
    for (const auto& node : netlist_.globals) {
      if (node == options_.supply_pin) add(fmt::format("vglobal_{0} {0} 0 dc {1}", node, options_.supply_volts));
      if (node == options_.ground_pin) add(fmt::format("vglobal_{0} {0} 0 dc 0", node));
      for (const auto& [pin, volts] : options_.tied_pins)
        if (node == pin) add(fmt::format("vglobal_{0} {0} 0 dc {1}", node, volts));
    }
  }

  std::string node_of(const std::string& pin, const std::string& instance, const std::string& word,
                      const std::string& bit, const std::string& source) const {
    if (pin == options_.word_line_pin) return word;
    if (pin == options_.bit_line_pin) return bit;
    if (pin == options_.source_line_pin) return source;
    if (pin == options_.supply_pin) return "supply";
    if (pin == options_.ground_pin) return "0";
    for (const auto& [tied, volts] : options_.tied_pins)
      if (pin == tied) return "tied_" + pin;
    return instance + "_" + pin;
  }

  void store(const std::string& name, const std::string& key) {
    const Storage& s = options_.storage;
    switch (s.kind) {
      case Storage::Kind::kInstanceParameter:
        slot(fmt::format("@{}[{}]", expanded_device_name(netlist_, options_.cell, name, s.device), s.parameter));
        return;
      case Storage::Kind::kModelParameter:
        slot(fmt::format("{} {}", expanded_model_name(netlist_, options_.cell, name, s.device), s.parameter),
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

  const Netlist& netlist_;
  const DeckOptions& options_;
  Deck deck_;
};

std::string static_tolerances(double amperes) { return fmt::format("reltol=1e-6 abstol={} vntol=1e-9", amperes); }

Storage::Kind storage_kind(const std::string& text) {
  if (text == "model_parameter") return Storage::Kind::kModelParameter;
  if (text == "subcircuit_parameter") return Storage::Kind::kSubcircuitParameter;
  if (text == "node_voltage") return Storage::Kind::kNodeVoltage;
  if (text == "pin_voltage") return Storage::Kind::kPinVoltage;
  return Storage::Kind::kInstanceParameter;
}

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
  for (std::size_t i = 0; i < s.count("circuit.tied_pin"); ++i)
    o.tied_pins.emplace_back(lower(s.text(fmt::format("circuit.tied_pin[{}].pin", i))),
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
  o.idle_word_volts = s.numbers("circuit.input.levels").front();
  o.temperature_kelvin = s.number("circuit.temperature");
  o.wire_ohms = severity * s.number("array.wire_resistance");
  o.source_line_ohms = severity * s.number("array.source_line_resistance");
  o.clamp_ohms = severity * s.number("array.clamp_resistance");
  o.wire_farads = s.number("array.wire_capacitance");
  o.line_farads = s.number("array.bit_line_capacitance");
  o.precharge_volts = s.number("array.precharge_voltage");
  o.reset_switch = optional("array.reset_switch");
  return o;
}

Deck compose_cell(const Netlist& netlist, const DeckOptions& options, const std::vector<CellSlot>& cell_slots) {
  Composer c("cell", netlist, options, static_tolerances(kCellTolerance));
  c.add("vwl wl 0 dc 0");
  c.add("vclamp bl 0 dc 0 ac 1");
  c.add("vsl sl 0 dc 0");
  c.add("hout out 0 vclamp 1");
  for (const char* source : {"@vwl[dc]", "@vclamp[dc]", "@vsl[dc]"}) c.slot(source);
  c.cell("x1", "1", "wl", "bl", "sl", cell_slots);
  return c.finish();
}

Deck compose_column(const Netlist& netlist, const DeckOptions& options, const std::vector<CellSlot>& cell_slots,
                    const std::vector<CellSlot>& switch_slots, std::size_t rows) {
  // ngspice turns 0 ohm into 1 mOhm silently and does not converge over segments far below that, so a line with less
  // is one node.
  constexpr double kSmallestOhms = 2e-4;
  const bool current = options.read == ReadMode::kCurrent;
  const bool wire = options.wire_ohms > kSmallestOhms;
  const bool source_wire = options.source_line_ohms > kSmallestOhms && !options.source_line_pin.empty();
  Composer c(fmt::format("column of {} rows", rows), netlist, options,
             current ? static_tolerances(kColumnTolerance) : kTransientOptions);
  if (current) {
    c.add("vclamp clamp 0 dc 0 ac 1");
    c.add("rclamp clamp b1 1");
    c.add("ioffset b1 0 dc 0");
    c.add("hout out 0 vclamp 1");
    for (const char* target : {"@vclamp[dc]", "@rclamp[resistance]", "@ioffset[dc]"}) c.slot(target);
  } else {
    std::vector<std::string> nodes;
    for (std::size_t j = 1; j <= (wire ? rows : 1); ++j) nodes.push_back(fmt::format("b{}", j));
    c.precharge("b1", nodes, {});
    c.add("voffset out b1 dc 0");
    c.slot("@voffset[dc]");
    for (const auto& s : switch_slots)
      c.slot(
          fmt::format("@{}[{}]", expanded_device_name(netlist, options.reset_switch, "xreset", s.device), s.parameter));
    c.word_line_pulse();
    c.add(fmt::format("cline b1 0 {}", number_text(options.line_farads)));
    if (!wire && options.wire_farads > 0)
      c.add(fmt::format("cwire b1 0 {}", number_text(static_cast<double>(rows) * options.wire_farads)));
  }
  for (std::size_t j = 1; j <= rows; ++j) {
    const std::string bit = wire ? fmt::format("b{}", j) : "b1";
    const std::string source = source_wire && j > 1 ? fmt::format("s{}", j) : "0";
    const std::string key = fmt::format("{}", j);
    if (wire && j > 1) c.add(fmt::format("rb{0} b{1} b{0} {2}", j, j - 1, options.wire_ohms));
    if (wire && !current && options.wire_farads > 0)
      c.add(fmt::format("cb{0} b{0} 0 {1}", j, number_text(options.wire_farads)));
    if (source_wire && j > 1)
      c.add(fmt::format("rs{} {} s{} {}", j, j == 2 ? "0" : fmt::format("s{}", j - 1), j, options.source_line_ohms));
    if (current) {
      c.add(fmt::format("vw{0} w{0} 0 dc 0", j));
      c.slot(fmt::format("@vw{}[dc]", j));
    } else {
      c.word_line(key);
    }
    c.cell("x" + key, key, "w" + key, bit, source, cell_slots);
  }
  if (!current) c.transient({"out"});
  return c.finish();
}

Deck compose_follower(const Netlist& netlist, const DeckOptions& options, const std::vector<CellSlot>& cell_slots) {
  Composer c("cell behind a reference", netlist, options, kTransientOptions);
  c.word_line_pulse();
  c.add("cref ref 0 1e-15");
  c.slot("@cref[capacitance]");
  c.add(fmt::format(".ic v(ref)={}", options.precharge_volts));
  c.add("ebit bl 0 ref 0 1");
  c.add("vdrawn bl drawing dc 0");
  c.add("fdrawn 0 drawn vdrawn 1");
  c.add("cdrawn drawn 0 1e-15");  // 1 V for each femtocoulomb
  c.add(".ic v(drawn)=0");
  c.word_line("0");
  c.cell("x0", "0", "w0", "ref", "0", {cell_slots.front()});
  c.word_line("1");
  c.cell("x1", "1", "w1", "drawing", "0", cell_slots);
  c.transient({"ref", "drawn"});
  c.deck().outputs[1].factor = 1e-15;
  return c.finish();
}

Deck compose_switch(const Netlist& netlist, const DeckOptions& options, const std::vector<CellSlot>& switch_slots) {
  Composer c("reset switch", netlist, options, kTransientOptions);
  // A step of its own: the word lines' pulse may be over before the line is sampled.
  const double delay = options.timing.delay;
  c.add(fmt::format("vstep step 0 dc 0 pwl(0 0 {} 0 {} 1)", delay, delay + options.timing.edge));
  c.add("cline line 0 1e-15");
  c.slot("@cline[capacitance]");
  c.add("cprobe line probe 1e-15");
  c.slot("@cprobe[capacitance]");
  c.add("eprobe probe 0 step 0 0");
  c.slot("@eprobe[gain]");
  c.precharge("line", {"line"}, switch_slots);
  c.transient({"line"});
  return c.finish();
}

namespace {
/// The key of the project file that names a device inside the cell or ("switch.m1") the reset switch.
std::string who_names(const std::string& device, const DeckOptions& options, const Settings& settings) {
  if (device == options.storage.device) return "circuit.weight.device";
  for (std::size_t i = 0; i < settings.count("circuit.mismatch"); ++i) {
    const std::string path = fmt::format("circuit.mismatch[{}].device", i);
    if (lower(settings.text(path)) == device) return path;
  }
  return "circuit.cell";
}
}  // namespace

std::vector<Diagnostic> check_against_netlist(const Netlist& netlist, const DeckOptions& options,
                                              const std::vector<CellSlot>& cell_slots,
                                              const std::vector<CellSlot>& switch_slots, const Settings& settings) {
  std::vector<Diagnostic> problems;
  const auto report = [&](std::string code, const std::string& path, std::string message, std::string hint) {
    problems.push_back(Diagnostic{.code = std::move(code),
                                  .position = settings.value(path).position,
                                  .message = std::move(message),
                                  .hint = std::move(hint)});
  };
  const auto subcircuit = [&](const char* path, const std::string& name) -> const Subcircuit* {
    const auto found = netlist.subcircuits.find(name);
    if (found != netlist.subcircuits.end()) return &found->second;
    std::vector<std::string> names;
    for (const auto& [known, sub] : netlist.subcircuits) names.push_back(known);
    report("E202", path, fmt::format("the netlist has no subcircuit '{}'", name),
           fmt::format("it has: {}", fmt::join(names, ", ")));
    return nullptr;
  };
  const auto add = [&](const char* code, const std::string& path, const std::optional<Complaint>& complaint) {
    if (complaint) report(code, path, complaint->message, complaint->hint);
  };
  const auto check_device = [&](const Subcircuit& sub, const CellSlot& slot, const std::string& path) {
    add("E208", path, complaint_about_slot(netlist, sub.name, slot));
  };
  const Subcircuit* cell = subcircuit("circuit.cell", options.cell);
  if (cell == nullptr) return problems;
  const auto& pins = cell->pins;
  const Storage& storage = options.storage;
  std::vector<std::pair<std::string, std::string>> roles = {
      {"circuit.pins.word_line", options.word_line_pin},     {"circuit.pins.bit_line", options.bit_line_pin},
      {"circuit.pins.source_line", options.source_line_pin}, {"circuit.pins.supply", options.supply_pin},
      {"circuit.pins.ground", options.ground_pin},           {"circuit.weight.pin", storage.pin}};
  for (std::size_t i = 0; i < options.tied_pins.size(); ++i)
    roles.emplace_back(fmt::format("circuit.tied_pin[{}].pin", i), options.tied_pins[i].first);
  for (const auto& [path, pin] : roles)
    if (!pin.empty()) add("E203", path, complaint_about_role(*cell, path, pin));
  for (const auto& complaint : complaints_about_globals(netlist, options)) add("E203", "circuit.cell", complaint);
  for (const auto& pin : pins) {
    const auto times = std::ranges::count_if(roles, [&](const auto& role) { return role.second == pin; });
    if (times > 1)
      report("E203", "circuit.cell",
             fmt::format("pin '{}' of '{}' has two roles under [circuit.pins]", pin, options.cell), "");
    if (times == 0)
      report("E203", "circuit.cell", fmt::format("pin '{}' of '{}' has no role", pin, options.cell),
             "name it under [circuit.pins] as word_line, bit_line, source_line, supply or ground, or as a "
             "[[circuit.tied_pin]]");
  }
  if (storage.kind == Storage::Kind::kInstanceParameter)
    check_device(*cell, {storage.device, storage.parameter}, "circuit.weight.device");
  add("E208", storage.kind == Storage::Kind::kModelParameter ? "circuit.weight.device" : "circuit.weight.parameter",
      complaint_about_storage(netlist, options));
  for (const auto& [path, node] : {std::pair<const char*, std::string>{"circuit.weight.node", storage.node},
                                   {"circuit.weight.complement", storage.complement}}) {
    if (!node.empty() && !has_node(netlist, options.cell, node))
      report("E208", path, fmt::format("subcircuit '{}' has no node '{}'", options.cell, node), "");
  }
  for (std::size_t i = 1; i < cell_slots.size(); ++i)
    check_device(*cell, cell_slots[i], who_names(cell_slots[i].device, options, settings));
  if (options.reset_switch.empty()) {
    for (const auto& slot : switch_slots)
      report("E208", who_names("switch." + slot.device, options, settings),
             fmt::format("there is no array.reset_switch, so no device 'switch.{}'", slot.device), "");
    return problems;
  }
  const Subcircuit* reset = subcircuit("array.reset_switch", options.reset_switch);
  if (reset == nullptr) return problems;
  static constexpr const char* kSwitchPins[] = {"line", "reference", "control", "control_bar", "supply", "ground"};
  for (const auto& pin : reset->pins)
    if (std::ranges::find(kSwitchPins, pin) == std::end(kSwitchPins))
      report("E203", "array.reset_switch", fmt::format("pin '{}' of '{}' has no role", pin, options.reset_switch),
             "a reset switch's pins are line, reference, control, control_bar, supply, ground");
  for (const char* pin : {"line", "reference", "control"})
    if (std::ranges::find(reset->pins, pin) == reset->pins.end())
      report("E203", "array.reset_switch", fmt::format("subcircuit '{}' has no pin '{}'", options.reset_switch, pin),
             fmt::format("its pins: {}", fmt::join(reset->pins, ", ")));
  for (const auto& slot : switch_slots)
    check_device(*reset, slot, who_names("switch." + slot.device, options, settings));
  return problems;
}

}  // namespace errata::circuit
