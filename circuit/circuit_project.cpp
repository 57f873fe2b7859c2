#include "circuit/circuit_project.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "circuit/deck/compose.h"
#include "circuit/deck/mismatch_reader.h"
#include "circuit/netlist/netlist_text.h"
#include "circuit/netlist/silent_elements.h"
#include "core/hardware_scheme.h"

namespace errata::circuit {

namespace {

/// An element without noise in ngspice needs its noise declared.
void warn_of_silent_elements(const Settings& s, const CircuitProject& p, const RunContext& context) {
  const auto cell = p.netlist.subcircuits.find(p.deck.subcircuit);
  if (cell == p.netlist.subcircuits.end() || s.count("circuit.noise_source") > 0) return;
  const std::vector<std::string> silent = silent_elements(p.netlist, cell->first);
  if (silent.empty()) return;
  constexpr std::size_t kNamed = 6;
  const auto named = std::span(silent).first(std::min(kNamed, silent.size()));
  context.warn(Diagnostic{
      .severity = Diagnostic::Severity::kWarning,
      .code = "W211",
      .position = cell->second.position,
      .message = fmt::format("ngspice gives {}{} no noise", fmt::join(named, ", "),
                             silent.size() > kNamed ? fmt::format(" and {} more", silent.size() - kNamed) : ""),
      .hint = "declare the noise as a [[circuit.noise_source]]"});
}

/// In HSPICE mode ngspice differentiates x^y as if x were positive: Newton steps and noise go wrong where it is not.
void warn_of_signed_powers(const CircuitProject& p, const RunContext& context) {
  const auto cell = p.netlist.subcircuits.find(p.deck.subcircuit);
  if (cell == p.netlist.subcircuits.end() || !dialect_of(p.deck.compatibility).hspice) return;
  for (const LeafDevice& leaf : leaf_devices(p.netlist, cell->first)) {
    const Device* device = leaf.type == 'b' ? find_device(p.netlist, cell->first, leaf.path) : nullptr;
    if (device == nullptr ||
        (device->text.find('^') == std::string::npos && device->text.find("**") == std::string::npos))
      continue;
    context.warn(Diagnostic{
        .severity = Diagnostic::Severity::kWarning,
        .code = "W213",
        .position = device->position,
        .message = fmt::format("in HSPICE mode ngspice differentiates the powers of '{}' wrongly where their "
                               "base is negative",
                               leaf.path),
        .hint = "write pow(x,y) or products; else its points may be suspect and its noise wrong"});
  }
}

/// Where rows carry direct current, what the neighbours draw decides a column's row voltages, so a single simulated
/// column would be wrong (methods.md §5.3).
void check_neighbours(const Settings& s, const CircuitProject& p, const RunContext& context) {
  constexpr std::size_t kEnough = 8;
  constexpr double kNegligible = 1e-3;
  if (p.array.transient() || !composable(p.deck) || p.deck.lines >= kEnough || p.deck.word_line.plain()) return;
  Deck deck = compose_cell(p.netlist, p.deck, p.cell.slots);
  deck.outputs.push_back({.vector = "vwl#branch"});
  const std::size_t top = p.cell.weight_levels.size() - 1;
  SimulationPoint point{.slots = {p.array.input.word_volts(p.array.input.count() - 1), p.array.clamp_volts, 0.0}};
  const auto values = p.cell.values(p.mismatch, top, std::vector<double>(p.cell.terms.size(), 0.0));
  point.slots.insert(point.slots.end(), values.begin(), values.end());
  const CampaignResult result = run_campaign({deck}, {point}, {.retries = 0, .tolerated_failures = 1.0}, {}, {},
                                             RunContext{.cancelled = context.cancelled});
  const auto& found = result.points.front().values;
  if (found.size() < 2 || !(std::fabs(found[1]) > kNegligible * std::fabs(found[0]))) return;
  throw_if_errors({Diagnostic{
      .code = "E212",
      .position = s.value("circuit.design.neighbours").given ? s.value("circuit.design.neighbours").position
                                                             : s.value("circuit.netlist").position,
      .message =
          fmt::format("the word line carries {:.3g} uA of direct current for each cell, so its neighbours move a "
                      "column's row voltages, and circuit.design.neighbours is {}",
                      std::fabs(found[1]) * 1e6, p.deck.lines),
      .hint =
          fmt::format("simulate at least {} bit lines together: circuit.design.neighbours = {}", kEnough, kEnough)}});
}

}  // namespace

CircuitProject read_circuit_project(const Settings& s, const RunContext& context) {
  CircuitProject p;
  p.deck = deck_options(s);
  NetlistOptions options{.trust = s.trusts_netlist(),
                         .corner = s.has("circuit.corner") ? s.text("circuit.corner") : std::string(),
                         .compatibility = p.deck.compatibility,
                         .roots = {p.deck.subcircuit}};
  for (const auto& part : {p.deck.reset_switch, p.deck.column_switch})
    if (!part.empty()) options.roots.push_back(part);
  p.netlist = read_netlist(s.folder() / s.text("circuit.netlist"), options);
  for (const auto& warning : p.netlist.warnings) context.warn(warning);
  warn_of_silent_elements(s, p, context);
  warn_of_signed_powers(p, context);
  p.cell.weight_levels = s.numbers("circuit.weight.levels");
  p.mismatch = mismatch_terms(s, p.cell.weight_levels.size());
  p.noise = noise_sources(s);
  p.branches = branches_of(signed_scheme(s.text("hardware.signed_scheme")));
  p.campaign = {
      .deadline_seconds = s.number("circuit.deadline"),
      .retries = static_cast<int>(s.integer("circuit.retries")),
      .tolerated_failures = s.number("circuit.tolerated_failures"),
      .isolation = s.text("circuit.strategy") == "forked_batches" ? Isolation::kForkedBatches : Isolation::kAutomatic};
  MismatchReader reader(s, p);
  reader.expand_patterns();
  reader.correlate();
  reader.collect_terms();
  throw_if_errors(reader.check());
  reader.find_gate_areas(context);
  reader.find_nominal_values(context);
  throw_if_errors(reader.check_lognormal());
  const auto rows = static_cast<std::size_t>(s.integer("array.rows"));
  const bool current = p.deck.read == ReadMode::kCurrent;
  const auto unselected = static_cast<std::size_t>(s.integer("array.unselected_rows"));
  const double longest = p.deck.input.active_seconds(p.deck.input.count() - 1, p.deck.timing.pulse);
  p.array = {.rows = rows,
             .unselected_rows = unselected,
             .dummy_rows = p.deck.idle_rows - unselected,
             .input = p.deck.input,
             .read = p.deck.read,
             .wire_ohms = p.deck.wire_ohms,
             .source_line_ohms = p.deck.source_line_pin.empty() ? 0.0 : p.deck.source_line_ohms,
             .clamp_ohms = p.deck.clamp_ohms,
             .clamp_volts = s.number("array.clamp_voltage"),
             .temperature_kelvin = p.deck.temperature_kelvin,
             .bandwidth_hertz = 0.5 / (current ? s.number("circuit.noise.integration_time") : longest),
             .precharge_volts = p.deck.precharge_volts,
             .line_farads = p.deck.line_farads + static_cast<double>(rows + p.deck.idle_rows) * p.deck.wire_farads,
             .pulse_seconds = longest,
             .unit = result_unit(p.deck),
             .complement = !p.deck.complement_pin.empty()};
  check_neighbours(s, p, context);
  return p;
}

}  // namespace errata::circuit
