#include "circuit/compose.h"

#include <fmt/format.h>

#include "circuit/composer.h"

namespace errata::circuit {

namespace {

/// ngspice's abstol. A cell alone is solved to a femtoampere, for its leakage. In a column the rounding of node
/// voltages over the smallest wire segments is a current itself: below a picoampere columns with 10 mOhm segments never
/// converge.
constexpr double kCellTolerance = 1e-15, kColumnTolerance = 1e-12;

/// Measured: abstol below 1e-13 aborts some charge-redistribution columns ("Timestep too small" at the edges of a
/// control pulse) without moving a result by a microvolt.
std::string transient_tolerances(double factor) {
  return fmt::format("chgtol={:.3g} trtol=1 reltol={:.3g} abstol=1e-13 vntol={:.3g}", 1e-17 * factor, 1e-5 * factor,
                     1e-8 * factor);
}

std::string static_tolerances(double amperes, double factor) {
  return fmt::format("reltol={:.3g} abstol={:.3g} vntol={:.3g}", 1e-6 * factor, amperes, 1e-9 * factor);
}

/// Names within one of several lines: line 1 has none of its own.
std::string suffix_of(std::size_t line) { return line == 0 ? "" : fmt::format("_{}", line + 1); }

/// The column deck of compose_column.
class ColumnDeck {
 public:
  ColumnDeck(const Netlist& netlist, const DeckOptions& options, const std::vector<CellSlot>& cell_slots,
             const std::vector<CellSlot>& switch_slots, std::size_t rows)
      : netlist_(netlist),
        options_(options),
        cell_slots_(cell_slots),
        switch_slots_(switch_slots),
        rows_(rows),
        all_rows_(rows + options.idle_rows),
        current_(options.read == ReadMode::kCurrent),
        wire_(options.wire_ohms > kSmallestOhms),
        source_wire_(options.source_line_ohms > kSmallestOhms && !options.source_line_pin.empty()),
        c_(name(rows, options.lines), netlist, options,
           current_ ? static_tolerances(kColumnTolerance, options.step_factor)
                    : transient_tolerances(options.step_factor)) {}

  Deck compose() {
    for (std::size_t l = 0; l < options_.lines; ++l) current_ ? clamp(l) : release(l);
    if (!current_) c_.word_line_sources();
    if (current_ && options_.idle_rows > 0) c_.add(fmt::format("vidle idle 0 dc {}", options_.input.idle_volts()));
    for (std::size_t l = 0; !current_ && l < options_.lines; ++l) capacitances(l);
    for (std::size_t j = 1; j <= all_rows_; ++j) row(j);
    if (current_) {
      c_.deck().outputs.clear();
      for (std::size_t l = 0; l < options_.lines; ++l)
        c_.deck().outputs.push_back({fmt::format("vclamp{}#branch", suffix_of(l)), -1.0});
    } else {
      std::vector<std::string> outputs;
      for (std::size_t l = 0; l < options_.lines; ++l) outputs.push_back("out" + suffix_of(l));
      c_.transient(outputs);
    }
    return c_.finish();
  }

 private:
  static std::string name(std::size_t rows, std::size_t lines) {
    return lines == 1 ? fmt::format("column of {} rows", rows) : fmt::format("{} columns of {} rows", lines, rows);
  }

  std::string bit(std::size_t j, std::size_t l) const { return fmt::format("b{}{}", wire_ ? j : 1, suffix_of(l)); }
  std::string source(std::size_t j, std::size_t l) const {
    return source_wire_ && j > 1 ? fmt::format("s{}{}", j, suffix_of(l)) : "0";
  }

  void clamp(std::size_t l) {
    const std::string s = suffix_of(l), b = bit(1, l);
    c_.add(fmt::format("vclamp{0} clamp{0} 0 dc 0 ac 1", s));
    c_.add(fmt::format("rclamp{0} clamp{0} {1} 1", s, b));
    c_.add(fmt::format("ioffset{} {} 0 dc 0", s, b));
    if (l == 0) c_.add("hout out 0 vclamp 1");
    c_.slot(fmt::format("@vclamp{}[dc]", s));
    c_.slot(fmt::format("@rclamp{}[resistance]", s));
    c_.slot(fmt::format("@ioffset{}[dc]", s));
  }

  void release(std::size_t l) {
    const std::string s = suffix_of(l);
    std::vector<std::string> nodes;
    for (std::size_t j = 1; j <= (wire_ ? all_rows_ : 1); ++j) nodes.push_back(bit(j, l));
    c_.precharge(s, nodes, {});
    c_.add(fmt::format("voffset{0} out{0} {1} dc 0", s, bit(1, l)));
    c_.slot(fmt::format("@voffset{}[dc]", s));
    for (const auto& sw : switch_slots_)
      c_.slot(fmt::format("@{}[{}]", expanded_device_name(netlist_, options_.reset_switch, "xreset" + s, sw.device),
                          sw.parameter));
  }

  void capacitances(std::size_t l) {
    const std::string s = suffix_of(l);
    c_.add(fmt::format("cline{} {} 0 {}", s, bit(1, l), number_text(options_.line_farads)));
    if (!wire_ && options_.wire_farads > 0)
      c_.add(fmt::format("cwire{} {} 0 {}", s, bit(1, l),
                         number_text(static_cast<double>(all_rows_) * options_.wire_farads)));
  }

  void row(std::size_t j) {
    const std::string key = fmt::format("{}", j);
    const bool idle = j > rows_;
    for (std::size_t l = 0; l < options_.lines; ++l) wires(j, l);
    if (!idle) c_.word_line(key);
    for (std::size_t l = 0; l < options_.lines; ++l)
      c_.cell("x" + key + suffix_of(l), key + suffix_of(l),
              {idle ? "idle" : c_.word_net(key, l), bit(j, l), source(j, l)}, cell_slots_);
  }

  void wires(std::size_t j, std::size_t l) {
    const std::string s = suffix_of(l);
    if (wire_ && j > 1) c_.add(fmt::format("rb{0}{1} {2} {3} {4}", j, s, bit(j - 1, l), bit(j, l), options_.wire_ohms));
    if (wire_ && !current_ && options_.wire_farads > 0)
      c_.add(fmt::format("cb{0}{1} {2} 0 {3}", j, s, bit(j, l), number_text(options_.wire_farads)));
    if (source_wire_ && j > 1)
      c_.add(fmt::format("rs{0}{1} {2} {3} {4}", j, s, source(j - 1, l), source(j, l), options_.source_line_ohms));
  }

  const Netlist& netlist_;
  const DeckOptions& options_;
  const std::vector<CellSlot>& cell_slots_;
  const std::vector<CellSlot>& switch_slots_;
  std::size_t rows_, all_rows_;
  bool current_, wire_, source_wire_;
  Composer c_;
};

}  // namespace

Deck compose_cell(const Netlist& netlist, const DeckOptions& options, const std::vector<CellSlot>& cell_slots) {
  Composer c("cell", netlist, options, static_tolerances(kCellTolerance, 1.0));
  c.add("vwl wl 0 dc 0");
  c.add("vclamp bl 0 dc 0 ac 1");
  c.add("vsl sl 0 dc 0");
  c.add("hout out 0 vclamp 1");
  for (const char* source : {"@vwl[dc]", "@vclamp[dc]", "@vsl[dc]"}) c.slot(source);
  c.cell("x1", "1", {"wl", "bl", "sl"}, cell_slots);
  return c.finish();
}

Deck compose_cell_sweep(const Netlist& netlist, const DeckOptions& options, const std::vector<CellSlot>& cell_slots) {
  // Each bias starts from the one before and may stop a tolerance early, so that is made a thousandth.
  constexpr double kTight = 1e-3;
  Composer c("cell sweep", netlist, options, static_tolerances(kTight * kCellTolerance, kTight));
  for (const char* line : {"vwl wl 0 external", "vclamp bl 0 external", "vsl sl 0 external", "verrata_index bias 0 0",
                           "rerrata_index bias 0 1k"})
    c.add(line);
  c.cell("x1", "1", {"wl", "bl", "sl"}, cell_slots);
  c.deck().sweep.sources = {"vwl", "vclamp", "vsl"};
  return c.finish();
}

Deck compose_column(const Netlist& netlist, const DeckOptions& options, const std::vector<CellSlot>& cell_slots,
                    const std::vector<CellSlot>& switch_slots, std::size_t rows) {
  return ColumnDeck(netlist, options, cell_slots, switch_slots, rows).compose();
}

Deck compose_follower(const Netlist& netlist, const DeckOptions& options, const std::vector<CellSlot>& cell_slots) {
  Composer c("cell behind a reference", netlist, options, transient_tolerances(1.0));
  c.word_line_sources();
  c.add("cref ref 0 1e-15");
  c.slot("@cref[capacitance]");
  c.add(fmt::format(".ic v(ref)={}", options.precharge_volts));
  c.add("ebit bl 0 ref 0 1");
  c.add("vdrawn bl drawing dc 0");
  c.add("fdrawn 0 drawn vdrawn 1");
  c.add("cdrawn drawn 0 1e-15");  // 1 V for each femtocoulomb
  c.add(".ic v(drawn)=0");
  c.word_line("0");
  c.cell("x0", "0", {"w0", "ref", "0"}, {cell_slots.front()});
  c.word_line("1");
  c.cell("x1", "1", {"w1", "drawing", "0"}, cell_slots);
  c.transient({"ref", "drawn"});
  c.deck().outputs[1].factor = 1e-15;
  return c.finish();
}

Deck compose_switch(const Netlist& netlist, const DeckOptions& options, const std::vector<CellSlot>& switch_slots) {
  Composer c("reset switch", netlist, options, transient_tolerances(1.0));
  // A step of its own: the word lines' pulse may be over before the line is sampled.
  const double delay = options.timing.delay;
  c.add(fmt::format("vstep step 0 dc 0 pwl(0 0 {} 0 {} 1)", delay, delay + options.timing.edge));
  c.add("cline line 0 1e-15");
  c.slot("@cline[capacitance]");
  c.add("cprobe line probe 1e-15");
  c.slot("@cprobe[capacitance]");
  c.add("eprobe probe 0 step 0 0");
  c.slot("@eprobe[gain]");
  c.precharge("", {"line"}, switch_slots);
  c.transient({"line"});
  return c.finish();
}

}  // namespace errata::circuit
