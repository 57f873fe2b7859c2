#include "circuit/deck/compose.h"

#include <fmt/format.h>

#include "circuit/deck/column_deck.h"
#include "circuit/deck/composer.h"
#include "circuit/deck/tolerances.h"
#include "circuit/netlist/silent_elements.h"

namespace errata::circuit {

Deck compose_cell(const Netlist& netlist, const DeckOptions& options, const std::vector<CellSlot>& cell_slots) {
  Composer c("cell", netlist, options, static_tolerances(kCellTolerance, 1.0));
  c.add("vwl wl 0 dc 0");
  c.add("vclamp bl 0 dc 0 ac 1");
  c.add("vsl sl 0 dc 0");
  c.add("hout out 0 vclamp 1");
  for (const char* source : {"@vwl[dc]", "@vclamp[dc]", "@vsl[dc]"}) c.slot(source);
  c.cell("x1", "1", {"wl", "bl", "sl"}, cell_slots);
  for (const LeafDevice& leaf : leaf_devices(netlist, options.subcircuit))
    if (has_noise_model(leaf.type))
      add_noise_device(c.deck(), "cell " + leaf.path,
                       expanded_device_name(netlist, options.subcircuit, "x1", leaf.path));
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

Deck compose_column(const Netlist& netlist, const DeckOptions& options, const PartSlots& slots, std::size_t rows) {
  return ColumnDeck(netlist, options, slots, rows).compose();
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
  c.transient({{.vector = "ref"}, {.vector = "drawn", .factor = 1e-15}});
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
  c.varied_reset_switch("", switch_slots);
  c.transient({{.vector = "line"}});
  return c.finish();
}

}  // namespace errata::circuit
