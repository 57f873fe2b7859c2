#include "circuit/deck/column_deck.h"

#include <fmt/format.h>

#include <algorithm>

#include "circuit/deck/tolerances.h"

namespace errata::circuit {

namespace {

/// Names within one of several lines: line 1 has none of its own.
std::string line_suffix(std::size_t line) { return line == 0 ? "" : fmt::format("_{}", line + 1); }

std::string complement_of(const std::string& suffix) { return suffix + "c"; }

}  // namespace

ColumnDeck::ColumnDeck(const Netlist& netlist, const DeckOptions& options, const PartSlots& slots, std::size_t rows)
    : netlist_(netlist),
      options_(options),
      slots_(slots),
      rows_(rows),
      all_rows_(rows + options.idle_rows),
      current_(options.read == ReadMode::kCurrent),
      wire_(options.wire_ohms > kSmallestOhms),
      source_wire_(options.source_line_ohms > kSmallestOhms && !options.source_line_pin.empty()),
      periphery_(options.periphery == Periphery::kErrata),
      c_(name(rows, options), netlist, options,
         current_ ? static_tolerances(kColumnTolerance, options.step_factor)
                  : transient_tolerances(options.step_factor)) {}

Deck ColumnDeck::compose() {
  for (std::size_t l = 0; l < options_.lines; ++l) {
    periphery(line_suffix(l));
    if (!options_.complement_pin.empty()) periphery(complement_of(line_suffix(l)));
    if (!options_.whole_column) continue;
    c_.varied(kColumn, options_.subcircuit, "column" + line_suffix(l), numbered_slots(slots_.column, 0, l));
  }
  if (current_ && periphery_) noise_output();
  if (options_.probes && !current_) line_probes();
  if (!current_) c_.word_line_sources();
  if (current_ && options_.idle_rows > 0) c_.add(fmt::format("vidle idle 0 dc {}", options_.input.idle_volts()));
  if (!current_ && periphery_)
    for (const auto& suffix : suffixes()) capacitances(suffix);
  if (options_.whole_column) {
    whole_column();
  } else {
    for (std::size_t j = 1; j <= all_rows_; ++j) row(j);
  }
  c_.deck().bit_lines = options_.lines;
  std::vector<Output> all = outputs();
  if (options_.probes) {
    const std::vector<Output> probed = probe_outputs();
    all.insert(all.end(), probed.begin(), probed.end());
    current_ ? name_noise() : probe_slots();
  }
  if (current_)
    c_.deck().outputs = std::move(all);
  else
    c_.transient(std::move(all));
  return c_.finish();
}

std::string ColumnDeck::name(std::size_t rows, const DeckOptions& options) {
  const std::string own = options.whole_column ? fmt::format(" '{}'", options.subcircuit) : "";
  return options.lines == 1 ? fmt::format("column{} of {} rows", own, rows)
                            : fmt::format("{} columns{} of {} rows", options.lines, own, rows);
}

std::vector<std::string> ColumnDeck::suffixes() const {
  std::vector<std::string> all;
  for (std::size_t l = 0; l < options_.lines; ++l) {
    all.push_back(line_suffix(l));
    if (!options_.complement_pin.empty()) all.push_back(complement_of(all.back()));
  }
  return all;
}

std::string ColumnDeck::bit(std::size_t j, const std::string& s) const {
  return fmt::format("b{}{}", wire_ ? j : 1, s);
}

std::string ColumnDeck::source(std::size_t j, const std::string& s) const {
  return source_wire_ && j > 1 ? fmt::format("s{}{}", j, s) : "0";
}

std::string ColumnDeck::sense(const std::string& s) const {
  return options_.column_switch.empty() ? bit(1, s) : "sense" + s;
}

void ColumnDeck::periphery(const std::string& suffix) {
  if (!periphery_) return;
  current_ ? clamp(suffix) : release(suffix);
  if (!options_.column_switch.empty()) column_switch(suffix);
}

void ColumnDeck::clamp(const std::string& s) {
  c_.add(fmt::format("vclamp{0} clamp{0} 0 dc 0{1}", s, s.empty() ? " ac 1" : ""));
  c_.add(fmt::format("rclamp{0} clamp{0} {1} 1", s, sense(s)));
  c_.add(fmt::format("ioffset{} {} 0 dc 0", s, sense(s)));
  c_.slot(fmt::format("@vclamp{}[dc]", s));
  c_.slot(fmt::format("@rclamp{}[resistance]", s));
  c_.slot(fmt::format("@ioffset{}[dc]", s));
}

/// The output as a voltage, for `.noise`.
void ColumnDeck::noise_output() {
  const bool pair = !options_.complement_pin.empty();
  c_.add(fmt::format("hout out {} vclamp 1", pair ? "outc" : "0"));
  if (pair) c_.add("houtc outc 0 vclampc 1");
}

void ColumnDeck::release(const std::string& s) {
  std::vector<std::string> nodes;
  for (std::size_t j = 1; j <= (wire_ ? all_rows_ : 1); ++j) nodes.push_back(bit(j, s));
  const bool behind_switch = !options_.column_switch.empty();
  if (behind_switch && options_.reset_switch.empty()) nodes.push_back(sense(s));
  c_.precharge(s, nodes, slots_.reset_switch);
  if (behind_switch && !options_.reset_switch.empty() && options_.timing.connect > 0)
    c_.add(fmt::format(".ic v({})={}", sense(s), number_text(options_.precharge_volts)));
  c_.add(fmt::format("voffset{0} out{0} {1} dc 0", s, sense(s)));
  c_.slot(fmt::format("@voffset{}[dc]", s));
  if (!options_.reset_switch.empty()) c_.varied_reset_switch(s, slots_.reset_switch);
}

/// The measured column's switch, and the open ones of the others, whose lines rest at the clamp's or precharge's
/// voltage.
void ColumnDeck::column_switch(const std::string& s) {
  const double supply = options_.supply_volts, edge = options_.timing.edge, at = options_.timing.connect;
  if (s.empty()) {
    const auto control = [&](const char* net, double before, double after) {
      c_.add(at > 0 && !current_ ? fmt::format("vcol{0} col{0} 0 dc {1} pwl(0 {1} {3} {1} {4} {2})", net, before, after,
                                               number_text(at), number_text(at + edge))
                                 : fmt::format("vcol{0} col{0} 0 dc {1}", net, after));
    };
    control("on", 0.0, supply);
    control("onbar", supply, 0.0);
    c_.add("vcoloff coloff 0 dc 0");
    c_.add(fmt::format("vcoloffbar coloffbar 0 dc {}", supply));
    c_.add(fmt::format("vcolrest colrest 0 dc {}", current_ ? options_.clamp_volts : options_.precharge_volts));
    if (options_.supply_pin.empty() && options_.reset_switch.empty())
      c_.add(fmt::format("vsupply supply 0 dc {}", supply));
  }
  const std::string own = "xcol" + s;
  switch_instance(own, bit(1, s), sense(s), "colon");
  for (std::size_t k = 1; k < options_.multiplexed_columns; ++k)
    switch_instance(fmt::format("xcol{}_{}", s, k), "colrest", sense(s), "coloff");
  if (!current_ && options_.sense_farads > 0)
    c_.add(fmt::format("csense{} {} 0 {}", s, sense(s), number_text(options_.sense_farads)));
  c_.varied(own, options_.column_switch, "col" + s, slots_.column_switch);
}

void ColumnDeck::switch_instance(const std::string& name, const std::string& line, const std::string& sense,
                                 const std::string& control) {
  const Subcircuit& sub = netlist_.subcircuits.at(options_.column_switch);
  std::string text = name;
  for (const auto& pin : sub.pins)
    text += " " + (pin == "line"          ? line
                   : pin == "sense"       ? sense
                   : pin == "control"     ? control
                   : pin == "control_bar" ? control + "bar"
                   : pin == "ground"      ? "0"
                                          : pin);
  text += " " + sub.deck_name;
  if (control == "colon") text += c_.overrides(name.substr(1), slots_.column_switch);
  c_.add(text);
}

void ColumnDeck::capacitances(const std::string& s) {
  c_.add(fmt::format("cline{} {} 0 {}", s, bit(1, s), number_text(options_.line_farads)));
  if (!wire_ && options_.wire_farads > 0)
    c_.add(fmt::format("cwire{} {} 0 {}", s, bit(1, s),
                       number_text(static_cast<double>(all_rows_) * options_.wire_farads)));
}

void ColumnDeck::row(std::size_t j) {
  const std::string key = fmt::format("{}", j);
  const bool idle = j > rows_, pair = !options_.complement_pin.empty();
  for (const auto& suffix : suffixes()) wires(j, suffix);
  if (!idle) c_.word_line(key);
  for (std::size_t l = 0; l < options_.lines; ++l) {
    const std::string s = line_suffix(l);
    row_probe(j, s);
    c_.cell("x" + key + s, key + s,
            {idle ? "idle" : c_.word_net(key, l), cell_net(j, s), source(j, s), pair ? bit(j, complement_of(s)) : ""},
            slots_.cell);
  }
}

void ColumnDeck::wires(std::size_t j, const std::string& s) {
  if (wire_ && j > 1) c_.add(fmt::format("rb{0}{1} {2} {3} {4}", j, s, bit(j - 1, s), bit(j, s), options_.wire_ohms));
  if (wire_ && !current_ && options_.wire_farads > 0)
    c_.add(fmt::format("cb{0}{1} {2} 0 {3}", j, s, bit(j, s), number_text(options_.wire_farads)));
  if (source_wire_ && j > 1 && !s.ends_with('c'))
    c_.add(fmt::format("rs{0}{1} {2} {3} {4}", j, s, source(j - 1, s), source(j, s), options_.source_line_ohms));
}

std::map<std::string, std::string> ColumnDeck::pin_nets() const {
  std::map<std::string, std::string> nets;
  const auto name = [&](const std::string& pattern, std::size_t row, std::size_t line) {
    return numbered(pattern, options_, row, line);
  };
  for (std::size_t l = 0; l < options_.lines; ++l) {
    const std::string s = line_suffix(l);
    for (std::size_t r = 0; r < rows_; ++r) {
      nets[name(options_.word_line_pin, r, l)] = c_.word_net(fmt::format("{}", r + 1), 0);
      if (!options_.source_line_pin.empty()) nets[name(options_.source_line_pin, r, l)] = "0";
    }
    nets[name(options_.bit_line_pin, 0, l)] = bit(1, s);
    if (!options_.complement_pin.empty()) nets[name(options_.complement_pin, 0, l)] = bit(1, complement_of(s));
  }
  return nets;
}

std::vector<CellSlot> ColumnDeck::numbered_slots(std::span<const CellSlot> slots, std::size_t row,
                                                 std::size_t line) const {
  std::vector<CellSlot> all(slots.begin(), slots.end());
  for (auto& slot : all)
    for (std::string* text : {&slot.device, &slot.parameter}) *text = numbered(*text, options_, row, line);
  return all;
}

Storage ColumnDeck::numbered_storage(std::size_t row, std::size_t line) const {
  Storage storage = options_.storage;
  for (std::string* text : {&storage.device, &storage.parameter, &storage.node, &storage.complement, &storage.pin})
    *text = numbered(*text, options_, row, line);
  return storage;
}

/// One instance of the netlist's column; then per row the word line and what its cells store.
void ColumnDeck::whole_column() {
  const Subcircuit& sub = netlist_.subcircuits.at(options_.subcircuit);
  const auto nets = pin_nets();
  std::string line = kColumn;
  for (const auto& pin : sub.pins) {
    const auto known = nets.find(pin);
    line += " " + (known != nets.end() ? known->second : c_.common_net(pin, kColumn));
  }
  line += " " + sub.deck_name;
  for (std::size_t l = 0; l < options_.lines; ++l) {
    line += c_.overrides("column" + line_suffix(l), numbered_slots(slots_.column, 0, l));
    for (std::size_t r = 0; r < rows_; ++r) line += own_parameters(r, l);
  }
  c_.add(line);
  for (std::size_t r = 0; r < rows_; ++r) {
    const std::string key = fmt::format("{}", r + 1);
    c_.word_line(key);
    for (std::size_t l = 0; l < options_.lines; ++l) {
      const std::string own = key + line_suffix(l);
      c_.store(kColumn, own, numbered_storage(r, l));
      c_.varied(kColumn, options_.subcircuit, own, numbered_slots(std::span(slots_.cell).subspan(1), r, l));
    }
  }
}

/// What the instance line of a whole column sets for one of its cells.
std::string ColumnDeck::own_parameters(std::size_t row, std::size_t line) const {
  const std::string key = fmt::format("{}{}", row + 1, line_suffix(line));
  std::string text;
  if (options_.storage.kind == Storage::Kind::kSubcircuitParameter)
    text = fmt::format(" {}={{errata_level{}}}", numbered_storage(row, line).parameter, key);
  return text + c_.overrides(key, numbered_slots(std::span(slots_.cell).subspan(1), row, line));
}

std::vector<Output> ColumnDeck::outputs() const {
  std::vector<Output> all;
  const bool pair = !options_.complement_pin.empty();
  for (std::size_t l = 0; l < options_.lines; ++l) {
    const std::string s = line_suffix(l);
    if (options_.result)
      all.push_back(output(options_.outputs[*options_.result], l));
    else if (current_)
      all.push_back({.vector = fmt::format("vclamp{}#branch", s),
                     .factor = -1.0,
                     .minus = pair ? fmt::format("vclamp{}#branch", complement_of(s)) : ""});
    else
      all.push_back({.vector = "out" + s, .minus = pair ? "out" + complement_of(s) : ""});
  }
  for (const auto& wanted : options_.outputs)
    for (std::size_t l = 0; l < options_.lines; ++l) all.push_back(output(wanted, l));
  return all;
}

Output ColumnDeck::output(const OutputOptions& wanted, std::size_t l) const {
  Output o{.measure = wanted.measure};
  if (!current_) {
    o.from_seconds = wanted.from_seconds;
    o.to_seconds = wanted.measure == Output::Measure::kSample ? wanted.time_seconds : wanted.to_seconds;
  }
  if (!wanted.current) {
    o.vector = vector_of_node(wanted.node, wanted, l);
    if (!wanted.reference.empty()) o.minus = vector_of_node(wanted.reference, wanted, l);
    return o;
  }
  const std::string s = line_suffix(l);
  if (wanted.device == "supply" || wanted.device == "bit_line") {
    o.vector = (wanted.device == "supply" ? "vsupply" : "vclamp" + s) + std::string("#branch");
    o.factor = -1.0;
    return o;
  }
  const std::string instance = options_.whole_column ? kColumn : fmt::format("x{}{}", wanted.row + 1, s);
  o.vector =
      expanded_device_name(netlist_, options_.subcircuit, instance, numbered(wanted.device, options_, wanted.row, l)) +
      "#branch";
  return o;
}

std::string ColumnDeck::vector_of_node(const std::string& node, const OutputOptions& wanted, std::size_t l) const {
  const std::string s = line_suffix(l);
  if (node == "bit_line") return periphery_ && !current_ ? "out" + s : sense(s);
  if (node == "complement_bit_line")
    return periphery_ && !current_ ? "out" + complement_of(s) : sense(complement_of(s));
  const std::string name = numbered(node, options_, wanted.row, l);
  const auto& pins = netlist_.subcircuits.at(options_.subcircuit).pins;
  const bool is_pin = std::ranges::find(pins, name) != pins.end();
  if (options_.whole_column) {
    if (!is_pin) return fmt::format("{}.{}", kColumn, name);
    const auto nets = pin_nets();
    const auto known = nets.find(name);
    return known != nets.end() ? known->second : c_.common_net(name, kColumn);
  }
  const std::string key = fmt::format("{}", wanted.row + 1);
  if (!is_pin) return fmt::format("x{}{}.{}", key, s, name);
  if (name == options_.word_line_pin) return c_.word_net(key, l);
  if (name == options_.bit_line_pin) return bit(wanted.row + 1, s);
  if (name == options_.complement_pin) return bit(wanted.row + 1, complement_of(s));
  if (name == options_.source_line_pin) return source(wanted.row + 1, s);
  return c_.common_net(name, "x" + key + s);
}

}  // namespace errata::circuit
