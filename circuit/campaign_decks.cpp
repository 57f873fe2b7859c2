#include "circuit/campaign_decks.h"

#include "circuit/compose.h"

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

}  // namespace

std::vector<Deck> campaign_decks(const CircuitProject& p, const CellSurface& surface) {
  DeckOptions halved = p.deck;
  halved.step_factor = 0.5;
  const auto column = [&](const DeckOptions& options) {
    return compose_column(p.netlist, options, p.slots(), p.array.rows);
  };
  std::vector<Deck> decks;
  if (!composable(p.deck)) {
    decks = {column(p.deck), column(p.deck), column(halved)};
    decks[kCheckDeck].name += ", half the step";
    return decks;
  }
  const auto cell = compose_cell(p.netlist, p.deck, p.cell.slots);
  if (!p.array.transient()) {
    decks = {cell, column(p.deck), column(halved), compose_cell_sweep(p.netlist, p.deck, p.cell.slots)};
    decks.back().sweep.values = surface_biases(surface);
    decks.back().sweep.fallback = kCellDeck;
  } else {
    decks = {compose_follower(p.netlist, p.deck, p.cell.slots), column(p.deck), column(halved), cell};
    if (!p.deck.reset_switch.empty()) decks.push_back(compose_switch(p.netlist, p.deck, p.reset_switch.slots));
  }
  decks[kCheckDeck].name += ", half the step";
  return decks;
}

bool sweeps(const CircuitProject& p, const Settings& s) {
  const auto kind = p.deck.storage.kind;
  const bool possible =
      !p.array.transient() && kind != Storage::Kind::kNodeVoltage && kind != Storage::Kind::kSubcircuitParameter;
  return possible && s.text("circuit.strategy") != "point_by_point";
}

void set_noise_band(SimulationPoint& point, const ArrayConstants& array) {
  constexpr double kDecades = 1e5;  // 1/f noise below bandwidth / 10^5 counts as static over a read
  point.analysis = Analysis::kNoise;
  point.noise_high_hertz = array.bandwidth_hertz;
  point.noise_low_hertz = array.bandwidth_hertz / kDecades;
}

}  // namespace errata::circuit
