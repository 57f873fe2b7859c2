#include "circuit/characterize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "circuit/campaign.h"
#include "core/random_stream.h"

namespace errata::circuit {

namespace {

/// What the cell looks like from outside: its slots and how stored level and mismatch set them.
struct CellParameters {
  std::vector<CellSlot> slots;  ///< slot 0 stores the weight
  std::vector<double> nominal;  ///< of each slot; the weight's depends on the level
  std::vector<double> weight_levels;
  std::vector<std::size_t> terms;  ///< mismatch terms inside the cell
  std::vector<std::size_t> slot_of_term;

  /// Slot values of one cell, `draws` holding one unit draw per cell term.
  std::vector<double> values(const std::vector<MismatchTerm>& all, std::size_t level,
                             std::span<const double> draws) const {
    std::vector<double> normal(slots.size(), 0.0), lognormal(slots.size(), 0.0), out(slots.size());
    for (std::size_t t = 0; t < terms.size(); ++t) {
      const MismatchTerm& term = all[terms[t]];
      (term.lognormal ? lognormal : normal)[slot_of_term[t]] += term.sigma_at(level) * draws[t];
    }
    for (std::size_t s = 0; s < slots.size(); ++s)
      out[s] = moved_value(s == 0 ? weight_levels[level] : nominal[s], normal[s], lognormal[s]);
    return out;
  }
};

/// Nominal value of an instance parameter that mismatch moves; empty where only the netlist knows it.
std::optional<double> nominal_of(const std::string& parameter) {
  if (parameter == "delvto" || parameter == "dtemp") return 0.0;
  if (parameter == "mulu0" || parameter == "m") return 1.0;
  return std::nullopt;
}

struct Project {
  Netlist netlist;
  DeckOptions deck;
  CellParameters cell;
  std::vector<MismatchTerm> mismatch;
  std::vector<NoiseSource> noise;
  ArrayConstants array;
  CampaignOptions campaign;
};

std::vector<Diagnostic> check_mismatch_parameters(const Settings& settings, const std::vector<MismatchTerm>& terms,
                                                  const CellParameters& cell) {
  std::vector<Diagnostic> problems;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const auto& at = settings.value(fmt::format("circuit.mismatch[{}].parameter", i)).position;
    const auto report = [&](std::string message, std::string hint) {
      problems.push_back(
          Diagnostic{.code = "E208", .position = at, .message = std::move(message), .hint = std::move(hint)});
    };
    const std::string& p = terms[i].parameter;
    if (terms[i].device == "source_line") report("the source line has no mismatch parameter yet", "");
    if (terms[i].device == "clamp" && p != "voltage" && p != "resistance" && p != "offset_current")
      report(fmt::format("the clamp has no parameter '{}'", p), "it has: voltage, resistance, offset_current");
    if (terms[i].device == "clamp" && p == "offset_current" && terms[i].lognormal)
      report("the clamp's offset_current has nominal value 0, so a lognormal draw does nothing",
             "use distribution = \"normal\"");
    if (terms[i].in_periphery() || CellSlot{terms[i].device, p} == cell.slots[0]) continue;
    if (!nominal_of(p))
      report(fmt::format("the nominal value of {} of {} is not known to errata, so mismatch cannot move it", p,
                         terms[i].device),
             "movable are delvto, mulu0, m, dtemp and the parameter that stores the weight");
    else if (terms[i].lognormal && *nominal_of(p) == 0.0)
      report(fmt::format("{} of {} has nominal value 0, so a lognormal draw does nothing", p, terms[i].device),
             "use distribution = \"normal\", or move the parameter that stores the weight");
  }
  return problems;
}

/// A behavioural source has no noise in ngspice, so noise must be declared beside it.
void warn_of_silent_sources(const Settings& s, const Project& p, const RunContext& context) {
  const auto cell = p.netlist.subcircuits.find(p.deck.cell);
  if (cell == p.netlist.subcircuits.end() || s.count("circuit.noise_source") > 0) return;
  for (const auto& [name, text] : cell->second.devices)
    if (name.starts_with('b'))
      context.warn(Diagnostic{.severity = Diagnostic::Severity::kWarning,
                              .code = "W211",
                              .position = cell->second.position,
                              .message = fmt::format("ngspice gives the behavioural source '{}' no noise", name),
                              .hint = "declare its noise as a [[circuit.noise_source]]"});
}

Project read(const Settings& s, const RunContext& context) {
  Project p;
  p.netlist = read_netlist(s.folder() / s.text("circuit.netlist"), {});
  for (const auto& warning : p.netlist.warnings) context.warn(warning);
  p.deck = deck_options(s);
  warn_of_silent_sources(s, p, context);
  p.cell.weight_levels = s.numbers("circuit.weight.levels");
  p.mismatch = mismatch_terms(s, p.cell.weight_levels.size());
  p.noise = noise_sources(s);
  p.cell.slots = {{p.deck.weight_device, p.deck.weight_parameter}};
  p.cell.nominal = {0.0};
  for (std::size_t t = 0; t < p.mismatch.size(); ++t) {
    if (p.mismatch[t].in_periphery()) continue;
    const CellSlot slot{p.mismatch[t].device, p.mismatch[t].parameter};
    auto found = std::ranges::find(p.cell.slots, slot);
    if (found == p.cell.slots.end()) {
      p.cell.slots.push_back(slot);
      p.cell.nominal.push_back(nominal_of(slot.parameter).value_or(0.0));
      found = p.cell.slots.end() - 1;
    }
    p.cell.terms.push_back(t);
    p.cell.slot_of_term.push_back(static_cast<std::size_t>(found - p.cell.slots.begin()));
  }
  auto problems = check_against_netlist(p.netlist, p.deck, p.cell.slots, s);
  const auto more = check_mismatch_parameters(s, p.mismatch, p.cell);
  problems.insert(problems.end(), more.begin(), more.end());
  throw_if_errors(problems);
  p.array = {.rows = static_cast<std::size_t>(s.integer("array.rows")),
             .wire_ohms = p.deck.wire_ohms,
             .source_line_ohms = p.deck.source_line_pin.empty() ? 0.0 : p.deck.source_line_ohms,
             .clamp_ohms = p.deck.clamp_ohms,
             .clamp_volts = s.number("array.clamp_voltage"),
             .temperature_kelvin = p.deck.temperature_kelvin,
             .bandwidth_hertz = 0.5 / s.number("circuit.noise.integration_time")};
  p.campaign = {.deadline_seconds = s.number("circuit.deadline"),
                .retries = static_cast<int>(s.integer("circuit.retries")),
                .tolerated_failures = s.number("circuit.tolerated_failures")};
  return p;
}

void set_noise_band(SimulationPoint& point, const ArrayConstants& array) {
  constexpr double kDecades = 1e5;  // 1/f noise below bandwidth / 10^5 counts as static over a read
  point.analysis = Analysis::kNoise;
  point.noise_high_hertz = array.bandwidth_hertz;
  point.noise_low_hertz = array.bandwidth_hertz / kDecades;
}

std::vector<double> grid(double from, double to, std::size_t n) {
  std::vector<double> values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = n == 1 ? from : from + (to - from) * i / (n - 1);
  return values;
}

/// Unit draws at which the cell is simulated: nominal, both ends and middles of each axis, then random points that
/// cover the cross terms. The last ones of each kind are held out by the fit.
std::vector<double> mismatch_points(std::size_t terms, double range, std::uint64_t seed) {
  std::vector<double> points(terms, 0.0);
  for (std::size_t t = 0; t < terms; ++t)
    for (const double at : {-1.0, -0.5, -0.25, 0.25, 0.5, 1.0}) {
      points.resize(points.size() + terms, 0.0);
      points[points.size() - terms + t] = at * range;
    }
  const std::size_t random = 24 * terms;
  for (std::size_t i = 0; i < random; ++i) {
    RandomStream stream(seed, StreamPurpose::kCalibration, i);
    for (std::size_t t = 0; t < terms; ++t) points.push_back(std::clamp(1.5 * stream.normal(), -range, range));
  }
  return points;
}

CellSurface plan_cell(const Settings& s, const Project& p) {
  CellSurface c;
  c.input_levels_volts = s.numbers("circuit.input.levels");
  c.weight_levels = p.cell.weight_levels;
  // The bit line sags below the clamp voltage and may rise above it by the clamp's mismatch.
  const double volts = p.array.clamp_volts;
  c.bit_line_volts =
      grid(0.45 * volts, 1.15 * volts, static_cast<std::size_t>(s.integer("circuit.design.bit_line_points")));
  c.source_line_volts = p.array.source_line_ohms > 0 ? grid(0.0, 0.4 * volts, 4) : std::vector<double>{0.0};
  c.cell_terms = p.cell.terms;
  c.mismatch_points = mismatch_points(p.cell.terms.size(), s.number("circuit.design.mismatch_range"), s.seed());
  return c;
}

void add_cell_points(const CellSurface& c, const Project& p, std::vector<SimulationPoint>& points) {
  const std::size_t terms = c.cell_terms.size();
  for (std::size_t x = 0; x < c.input_levels_volts.size(); ++x)
    for (std::size_t level = 0; level < c.weight_levels.size(); ++level)
      for (std::size_t m = 0; m < c.mismatch_count(); ++m)
        for (const double source : c.source_line_volts)
          for (const double bit : c.bit_line_volts) {
            SimulationPoint point;
            point.slots = {c.input_levels_volts[x], bit, source};
            const auto values =
                p.cell.values(p.mismatch, level, std::span(c.mismatch_points).subspan(m * terms, terms));
            point.slots.insert(point.slots.end(), values.begin(), values.end());
            points.push_back(std::move(point));
          }
  for (std::size_t x = 0; x < c.input_levels_volts.size(); ++x)
    for (std::size_t level = 0; level < c.weight_levels.size(); ++level) {
      SimulationPoint point;
      point.slots = {c.input_levels_volts[x], p.array.clamp_volts, 0.0};
      const std::vector<double> none(terms, 0.0);
      const auto values = p.cell.values(p.mismatch, level, none);
      point.slots.insert(point.slots.end(), values.begin(), values.end());
      set_noise_band(point, p.array);
      points.push_back(std::move(point));
    }
}

/// Slots of a bit line: its periphery and every cell's word line, level and mismatch.
class LineSlots {
 public:
  LineSlots(const Project& p, const std::vector<double>& input_levels, std::uint64_t seed, LineId line,
            std::span<const std::uint8_t> stored)
      : input_levels_(input_levels) {
    const LinePeriphery periphery = line_periphery(p.array, p.mismatch, seed, line);
    slots_ = {periphery.clamp_volts, periphery.clamp_ohms, periphery.offset_amperes};
    std::vector<double> draws(p.cell.terms.size());
    for (std::size_t row = 0; row < stored.size(); ++row) {
      for (std::size_t t = 0; t < draws.size(); ++t)
        draws[t] = unit_draw(seed, p.mismatch[p.cell.terms[t]], p.cell.terms[t], line, row);
      word_lines_.push_back(slots_.size());
      slots_.push_back(0.0);
      const auto values = p.cell.values(p.mismatch, stored[row], draws);
      slots_.insert(slots_.end(), values.begin(), values.end());
    }
  }

  std::vector<double> with_inputs(const std::uint8_t* inputs) const {
    std::vector<double> slots = slots_;
    for (std::size_t row = 0; row < word_lines_.size(); ++row) slots[word_lines_[row]] = input_levels_[inputs[row]];
    return slots;
  }

 private:
  const std::vector<double>& input_levels_;
  std::vector<double> slots_;
  std::vector<std::size_t> word_lines_;
};

void plan_columns(const Settings& s, const Project& p, Characterization& c, std::vector<SimulationPoint>& points) {
  ColumnMeasurements& m = c.columns;
  m.chips = static_cast<std::size_t>(s.integer("circuit.design.chips"));
  m.columns = static_cast<std::size_t>(s.integer("circuit.design.columns"));
  m.operands = static_cast<std::size_t>(s.integer("circuit.design.operands"));
  m.noise_operands = std::min<std::size_t>(4, m.operands);
  m.noise_chips = std::min<std::size_t>(2, m.chips);
  const OperandDesign design{.rows = p.array.rows, .levels = p.cell.weight_levels.size(), .operands = m.operands};
  for (std::size_t chip = 0; chip < m.chips; ++chip)
    for (std::size_t column = 0; column < m.columns; ++column) {
      m.designs.push_back(make_operands(design, s.seed(), chips::kCharacterization + chip, column));
      const ColumnOperands& operands = m.designs.back();
      for (std::size_t branch = 0; branch < 2; ++branch) {
        const LineSlots line(p, c.cell.input_levels_volts, s.seed(),
                             {chips::kCharacterization + chip, 2 * column + branch},
                             branch == 0 ? operands.plus : operands.minus);
        for (std::size_t o = 0; o < m.operands; ++o)
          points.push_back({.deck = 1, .slots = line.with_inputs(operands.input(o))});
        // Noise on the nominal device would be enough; on the frozen one it costs the same.
        for (std::size_t o = 0; o < m.noise_operands && chip < m.noise_chips; ++o) {
          points.push_back({.deck = 1, .slots = line.with_inputs(operands.input(o))});
          set_noise_band(points.back(), p.array);
        }
      }
    }
}

double value_or_nan(const PointResult& r) {
  return r.values.empty() ? std::numeric_limits<double>::quiet_NaN() : r.values[0];
}

}  // namespace

CampaignPlan plan_campaign(const Settings& s, const RunContext& context) {
  const Project p = read(s, context);
  CampaignPlan plan;
  plan.decks = {compose_cell(p.netlist, p.deck, p.cell.slots),
                compose_column(p.netlist, p.deck, p.cell.slots, p.array.rows)};
  Characterization& c = plan.skeleton;
  c.array = p.array;
  c.mismatch = p.mismatch;
  c.noise = p.noise;
  c.cell = plan_cell(s, p);
  add_cell_points(c.cell, p, plan.points);
  plan_columns(s, p, c, plan.points);
  c.provenance = {.format = Characterization::kFormat,
                  .major_version = Characterization::kMajor,
                  .minor_version = Characterization::kMinor,
                  .inputs = {{"netlist", p.netlist.sha256}},
                  .config = s.canonical(sections_of_stage("characterize")),
                  .seed = s.seed()};
  return plan;
}

Characterization characterize(const Settings& s, const std::filesystem::path& artifacts, const RunContext& context) {
  CampaignPlan plan = plan_campaign(s, context);
  Characterization& c = plan.skeleton;
  const Project p = read(s, RunContext{});
  c.simulator = ngspice_version(context);
  const auto shard = artifacts / "shards" / "characterization.journal";
  const CampaignResult result =
      run_campaign(plan.decks, plan.points, p.campaign, shard, c.provenance.fingerprint(), context);
  c.suspect_points = static_cast<std::int64_t>(result.suspects());
  c.failed_points = static_cast<std::int64_t>(result.failures());
  std::size_t at = 0;
  const std::size_t x = c.cell.input_levels_volts.size(), l = c.cell.weight_levels.size();
  const std::size_t surface =
      x * l * c.cell.mismatch_count() * c.cell.source_line_volts.size() * c.cell.bit_line_volts.size();
  for (std::size_t i = 0; i < surface; ++i) c.cell.current_amperes.push_back(value_or_nan(result.points[at++]));
  for (std::size_t i = 0; i < x * l; ++i) c.cell.noise_square_amperes.push_back(value_or_nan(result.points[at++]));
  ColumnMeasurements& m = c.columns;
  for (std::size_t chip = 0; chip < m.chips; ++chip)
    for (std::size_t line = 0; line < 2 * m.columns; ++line) {
      for (std::size_t o = 0; o < m.operands; ++o, ++at) {
        m.current_amperes.push_back(value_or_nan(result.points[at]));
        m.status.push_back(static_cast<std::uint8_t>(result.points[at].status));
      }
      for (std::size_t o = 0; o < m.noise_operands && chip < m.noise_chips; ++o)
        m.noise_square_amperes.push_back(value_or_nan(result.points[at++]));
    }
  c.save(artifacts / "characterization.h5");
  std::error_code ignored;
  std::filesystem::remove(shard, ignored);
  return c;
}

std::vector<double> simulate_columns(const Settings& s, std::uint64_t seed, const std::vector<ColumnRequest>& requests,
                                     const RunContext& context) {
  const Project p = read(s, RunContext{});
  const std::vector<Deck> decks = {compose_column(p.netlist, p.deck, p.cell.slots, p.array.rows)};
  const std::vector<double> input_levels = s.numbers("circuit.input.levels");
  std::vector<SimulationPoint> points;
  for (const auto& r : requests) {
    const LineSlots line(p, input_levels, seed, r.line, r.stored_levels);
    points.push_back({.slots = line.with_inputs(r.input_levels.data())});
  }
  const CampaignResult result = run_campaign(decks, points, p.campaign, {}, {}, context);
  std::vector<double> currents;
  for (const auto& point : result.points) currents.push_back(value_or_nan(point));
  return currents;
}

std::vector<double> simulate_nominal(const Settings& s, const RunContext& context) {
  const CampaignPlan plan = plan_campaign(s, RunContext{});
  Project p = read(s, context);
  p.campaign.retries = 0;
  p.campaign.tolerated_failures = 0.0;
  const std::size_t column = static_cast<std::size_t>(
      std::ranges::find_if(plan.points, [](const SimulationPoint& q) { return q.deck == 1; }) - plan.points.begin());
  const CampaignResult result =
      run_campaign(plan.decks, {plan.points.front(), plan.points[column]}, p.campaign, {}, {}, context);
  return {value_or_nan(result.points[0]), value_or_nan(result.points[1])};
}

}  // namespace errata::circuit
