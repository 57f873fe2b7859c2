#include "circuit/campaign/campaign_decks.h"

#include "circuit/campaign/noise_points.h"
#include "circuit/deck/compose.h"

namespace errata::circuit {

namespace {

/// Biases of the cell's surface in the order of its axes: input level, source line, bit line.
std::vector<double> surface_biases(const CellSurface& c) {
  std::vector<double> values;
  for (const double word : c.input_levels_volts)
    for (const double source : c.source_line_volts)
      for (const double bit : c.bit_line_volts) values.insert(values.end(), {word, bit, source});
  return values;
}

/// The column with what its noise needs besides.
Deck noise_deck(const CircuitProject& p) {
  DeckOptions probed = p.deck;
  probed.probes = noise_probes(p.deck);
  Deck deck = compose_column(p.netlist, probed, p.slots(), p.array.rows);
  deck.name += " with probes";
  return deck;
}

}  // namespace

std::vector<Deck> campaign_decks(const CircuitProject& p, const CellSurface& surface) {
  DeckOptions halved = p.deck;
  halved.step_factor = 0.5;
  const auto column = [&](const DeckOptions& options) {
    return compose_column(p.netlist, options, p.slots(), p.array.rows);
  };
  std::vector<Deck> decks;
  const Deck columns = column(p.deck);
  const Deck cell = measures_cell_noise(p.deck) ? compose_cell(p.netlist, p.deck, p.cell.slots) : columns;
  if (!composable(p.deck)) {
    decks = {cell, columns, column(halved), cell};
  } else if (!p.array.transient()) {
    decks = {cell, columns, column(halved), compose_cell_sweep(p.netlist, p.deck, p.cell.slots)};
    decks.back().sweep.values = surface_biases(surface);
    decks.back().sweep.fallback = kCellDeck;
  } else {
    decks = {compose_follower(p.netlist, p.deck, p.cell.slots), columns, column(halved), cell};
  }
  decks[kCheckDeck].name += ", half the step";
  decks.push_back(measures_column_noise(p.deck) ? noise_deck(p) : columns);
  if (composable(p.deck) && p.array.transient() && !p.deck.reset_switch.empty())
    decks.push_back(compose_switch(p.netlist, p.deck, p.reset_switch.slots));
  return decks;
}

bool sweeps(const CircuitProject& p, const Settings& s) {
  const auto kind = p.deck.storage.kind;
  const bool possible =
      !p.array.transient() && kind != Storage::Kind::kNodeVoltage && kind != Storage::Kind::kSubcircuitParameter;
  return possible && s.text("circuit.strategy") != "point_by_point";
}

}  // namespace errata::circuit
