#include "circuit/campaign/noise_points.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "circuit/campaign/campaign_decks.h"
#include "circuit/campaign/column_points.h"
#include "circuit/netlist/silent_elements.h"

namespace errata::circuit {

namespace {

/// By how much a probe moves the line: within the linear range of any cell and far above the solver's tolerance.
constexpr double kProbeVolts = 5e-3;

void add_cell_points(const CircuitProject& p, Characterization& c, std::vector<SimulationPoint>& points) {
  const bool transient = p.array.transient();
  CellNoise& noise = c.cell_noise;
  noise.bit_line_volts = {p.array.clamp_volts};
  if (transient) {
    constexpr std::size_t kVolts = 9;
    const double top = std::max(p.deck.supply_volts, p.array.precharge_volts);
    noise.bit_line_volts.clear();
    for (std::size_t v = 0; v < kVolts; ++v)
      noise.bit_line_volts.push_back(top * static_cast<double>(v) / (kVolts - 1));
  }
  const std::vector<double> nominal(p.cell.terms.size(), 0.0);
  for (std::size_t x = 0; x < c.cell.input_levels_volts.size(); ++x)
    for (std::size_t level = 0; level < c.cell.weight_levels.size(); ++level)
      for (const double v : noise.bit_line_volts) {
        SimulationPoint point{.deck = transient ? kStaticCellDeck : kCellDeck,
                              .slots = {c.cell.input_levels_volts[x], v, 0.0}};
        const auto values = p.cell.values(p.mismatch, level, nominal);
        point.slots.insert(point.slots.end(), values.begin(), values.end());
        set_noise_band(point, p.array);
        points.push_back(std::move(point));
      }
}

/// Corners of the word lines' pulses, whatever level they carry.
std::vector<double> word_line_events(const DeckOptions& o) {
  const ReadTiming& t = o.timing;
  std::vector<double> events;
  const auto pulse = [&](double start, double width) {
    events.insert(events.end(), {start, start + t.edge, start + t.edge + width, start + 2 * t.edge + width});
  };
  if (o.input.kind == InputKind::kPulseWidth) {
    for (const double width : o.input.levels)
      if (width > 0.0) pulse(t.delay, width);
  } else {
    const double count = o.input.kind == InputKind::kPulseCount ? o.input.levels.back() : 1.0;
    for (int k = 0; k < static_cast<int>(count); ++k) pulse(t.delay + k * o.input.period_seconds, t.pulse);
  }
  return events;
}

/// Charge and current that move the line by a few millivolts.
struct Probe {
  double charge = 0.0, current = 0.0;
};

/// One read of the first of the lines: static ones at rest and by `.noise`; transient ones as they are, and with a
/// charge and a current of both signs.
void add_column_points(const CircuitProject& p, const ColumnSlots& slots, const std::uint8_t* inputs,
                       std::vector<SimulationPoint>& points) {
  SimulationPoint point = column_point(p, slots, inputs);
  point.deck = kNoiseDeck;
  if (!p.array.transient()) {
    points.push_back(point);
    set_noise_band(point, p.array);
    points.push_back(std::move(point));
    return;
  }
  constexpr double kFewestFarads = 1e-15;
  const double coulombs = kProbeVolts * std::max(p.array.line_farads, kFewestFarads);
  const double gain = coulombs / NoiseProbes::kChargeSeconds, amperes = coulombs / p.deck.timing.sample;
  for (const Probe& probe : {Probe{}, Probe{gain, 0.0}, Probe{-gain, 0.0}, Probe{0.0, amperes}, Probe{0.0, -amperes}}) {
    points.push_back(point);
    points.back().slots.insert(points.back().slots.end(), {probe.charge, probe.current});
  }
}

}  // namespace

bool measures_column_noise(const DeckOptions& o) {
  const bool pair_over_time = !o.complement_pin.empty() && o.read != ReadMode::kCurrent;
  return o.periphery == Periphery::kErrata && !o.result && !pair_over_time;
}

bool measures_cell_noise(const DeckOptions& o) { return !o.whole_column && o.complement_pin.empty(); }

std::vector<std::string> silent_elements(const CircuitProject& p) {
  std::vector<std::string> all;
  const std::pair<const char*, const std::string&> parts[] = {
      {p.deck.whole_column ? "column" : "cell", p.deck.subcircuit},
      {"reset switch", p.deck.reset_switch},
      {"column switch", p.deck.column_switch}};
  for (const auto& [name, subcircuit] : parts) {
    if (subcircuit.empty()) continue;
    for (const auto& path : silent_elements(p.netlist, subcircuit)) all.push_back(fmt::format("{} {}", name, path));
  }
  if (p.array.transient() && !measures_cell_noise(p.deck))
    all.push_back(fmt::format("all devices of '{}', whose lines float", p.deck.subcircuit));
  else if (!measures_column_noise(p.deck) && !measures_cell_noise(p.deck))
    all.push_back(fmt::format("all devices of '{}', whose result is the netlist's own", p.deck.subcircuit));
  return all;
}

NoiseProbes noise_probes(const DeckOptions& o) {
  NoiseProbes probes;
  if (o.read == ReadMode::kCurrent) return probes;
  const ReadTiming& t = o.timing;
  // A reset switch opens between one and two edges; the charge comes before the word lines rise where there is time.
  probes.charge_from = o.reset_switch.empty() ? 0.0 : 2.0 * t.edge;
  const double width = std::min(t.edge, 0.5 * std::max(t.delay - probes.charge_from, 0.1 * t.edge));
  probes.charge_to = probes.charge_from + width;
  const double first = probes.charge_to + 0.25 * width;
  std::vector<double> events = word_line_events(o);
  events.insert(events.end(), {first, t.connect, t.connect + t.edge, t.sample});
  std::ranges::sort(events);
  probes.seconds = {first};
  constexpr double kFinest = 1e-3, kSteps = 24;  // of the time from the first to the last
  const double whole = t.sample - first;
  for (const double event : events) {
    const double last = probes.seconds.back();
    if (event > t.sample || event - last <= kFinest * whole) continue;
    const auto steps = std::max(2, static_cast<int>(std::ceil((event - last) / whole * kSteps)));
    for (int k = 1; k < steps; ++k) probes.seconds.push_back(last + (event - last) * k / steps);
    probes.seconds.push_back(event);
  }
  return probes;
}

void set_noise_band(SimulationPoint& point, const ArrayConstants& array) {
  constexpr double kDecades = 1e5;  // 1/f noise below bandwidth / 10^5 counts as static over a read
  point.analysis = Analysis::kNoise;
  point.noise_high_hertz = array.bandwidth_hertz;
  point.noise_low_hertz = array.bandwidth_hertz / kDecades;
}

NoisePlan plan_noise(const CircuitProject& p, std::uint64_t seed, const std::vector<Deck>& decks, Characterization& c,
                     std::vector<SimulationPoint>& points) {
  NoisePlan plan;
  plan.cell = measures_cell_noise(p.deck);
  if (plan.cell) {
    c.cell_noise.devices = decks[p.array.transient() ? kStaticCellDeck : kCellDeck].noise_groups;
    add_cell_points(p, c, points);
  }
  ColumnMeasurements& m = c.columns;
  m.noise_chips = m.noise_operands = 0;
  if (!measures_column_noise(p.deck)) return plan;
  const bool transient = p.array.transient();
  m.noise_chips = std::min<std::size_t>(2, m.chips);
  m.noise_operands = std::min<std::size_t>(transient ? 2 : 4, m.operands);
  plan.rows = measures_cell_noise(p.deck);
  plan.points_of_read = transient ? 5 : 2;
  plan.line_outputs = p.deck.lines * (1 + p.deck.outputs.size());
  plan.seconds = noise_probes(p.deck).seconds;
  plan.fixed_farads = p.array.line_farads;
  plan.sampling_farads = p.deck.column_switch.empty() ? 0.0 : p.deck.sense_farads;
  plan.sampling_apart = p.deck.timing.connect > 0.0;
  for (std::size_t chip = 0; chip < m.noise_chips; ++chip)
    for (std::size_t line = 0; line < m.branches * m.columns; ++line) {
      // Of lines that are simulated together the first one is probed, so each takes its turn there.
      const std::size_t first = line - line % p.deck.lines;
      std::vector<StoredLine> lines;
      for (std::size_t k = 0; k < p.deck.lines; ++k) {
        const std::size_t l = first + (line - first + k) % p.deck.lines;
        lines.push_back({{chips::kCharacterization + chip, l}, m.design(chip, l / m.branches).branch(l % m.branches)});
      }
      const ColumnSlots slots(p, seed, lines);
      for (std::size_t o = 0; o < m.noise_operands; ++o)
        add_column_points(p, slots, m.design(chip, first / m.branches).input(o), points);
    }
  return plan;
}

}  // namespace errata::circuit
