#include "circuit/characterize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "circuit/campaign.h"
#include "circuit/circuit_project.h"
#include "circuit/compose.h"
#include "circuit/reproduce.h"
#include "core/operand_set.h"
#include "core/random_stream.h"
#include "core/sobol.h"

namespace errata::circuit {

namespace {

/// Numbers of the decks of a campaign. The third is the column with half the step and tolerances. Current reads have a
/// cell that is swept besides; transient reads take a static cell for its noise, and the last where there is a reset
/// switch.
enum DeckNumber : std::size_t {
  kCellDeck = 0,
  kColumnDeck = 1,
  kCheckDeck = 2,
  kSweepDeck = 3,
  kStaticCellDeck = 3,
  kSwitchDeck = 4
};

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

/// Standard normal draws [count][terms] in the way that circuit.design.sampling names.
std::vector<double> normal_points(std::size_t count, std::size_t terms, const std::string& sampling,
                                  std::uint64_t seed) {
  std::vector<double> points(count * terms);
  if (sampling == "sobol") {
    const SobolSequence sequence(terms, seed, terms);
    for (std::size_t i = 0; i < count; ++i) {
      const auto x = sequence.point(static_cast<std::uint32_t>(i));
      for (std::size_t t = 0; t < terms; ++t) points[i * terms + t] = inverse_normal(x[t]);
    }
  } else if (sampling == "latin_hypercube") {
    for (std::size_t t = 0; t < terms; ++t) {
      RandomStream stream(seed, StreamPurpose::kCalibration, t, 1, 2);
      std::vector<std::uint32_t> stratum(count);
      std::iota(stratum.begin(), stratum.end(), 0u);
      stream.shuffle(stratum);
      for (std::size_t i = 0; i < count; ++i)
        points[i * terms + t] = inverse_normal((stratum[i] + stream.uniform()) / static_cast<double>(count));
    }
  } else {
    for (std::size_t i = 0; i < count; ++i) {
      RandomStream stream(seed, StreamPurpose::kCalibration, i);
      for (std::size_t t = 0; t < terms; ++t) points[i * terms + t] = stream.normal();
    }
  }
  return points;
}

/// Unit draws at which the cell is simulated: nominal, both ends and middles of each axis, then random points that
/// cover the cross terms. The last ones of each kind are held out by the fit.
std::vector<double> mismatch_points(std::size_t terms, const Settings& s) {
  const double range = s.number("circuit.design.mismatch_range");
  std::vector<double> points(terms, 0.0);
  for (std::size_t t = 0; t < terms; ++t)
    for (const double at : {-1.0, -0.5, -0.25, 0.25, 0.5, 1.0}) {
      points.resize(points.size() + terms, 0.0);
      points[points.size() - terms + t] = at * range;
    }
  constexpr double kWiden = 1.5;  // corners matter more to the fit than their probability
  for (const double z : normal_points(24 * terms, terms, s.text("circuit.design.sampling"), s.seed()))
    points.push_back(std::clamp(kWiden * z, -range, range));
  return points;
}

void append(std::vector<double>& to, const std::vector<double>& values) {
  to.insert(to.end(), values.begin(), values.end());
}

/// Whether the cell's surface is taken by sweeps. A latch would carry its state from bias to bias, and a deck that has
/// to be expanded anew for each device gains nothing.
bool sweeps(const CircuitProject& p, const Settings& s) {
  const auto kind = p.deck.storage.kind;
  const bool possible =
      !p.array.transient() && kind != Storage::Kind::kNodeVoltage && kind != Storage::Kind::kSubcircuitParameter;
  return possible && s.text("circuit.strategy") != "point_by_point";
}

/// Biases of the cell's surface in the order of its axes: input level, source line, bit line.
std::vector<double> surface_biases(const CellSurface& c) {
  std::vector<double> values;
  for (const double word : c.input_levels_volts)
    for (const double source : c.source_line_volts)
      for (const double bit : c.bit_line_volts) values.insert(values.end(), {word, bit, source});
  return values;
}

std::vector<Deck> decks_of(const CircuitProject& p, const CellSurface& surface) {
  DeckOptions halved = p.deck;
  halved.step_factor = 0.5;
  const auto column = [&](const DeckOptions& options) {
    return compose_column(p.netlist, options, p.cell.slots, p.reset_switch.slots, p.array.rows);
  };
  const auto cell = compose_cell(p.netlist, p.deck, p.cell.slots);
  std::vector<Deck> decks;
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

/// Axes of the cell's measurements; the currents or charges come later.
CellSurface plan_cell(const Settings& s, const CircuitProject& p) {
  CellSurface c;
  for (std::size_t x = 0; x < p.array.input.count(); ++x) c.input_levels_volts.push_back(p.array.input.word_volts(x));
  c.weight_levels = p.cell.weight_levels;
  c.source_line_volts = {0.0};
  if (p.array.transient()) {
    // Thermal noise is taken where the line starts and half way down.
    c.bit_line_volts = {p.array.precharge_volts, 0.5 * p.array.precharge_volts};
  } else {
    // The bit line sags below the clamp voltage and may rise above it by the clamp's mismatch.
    const double volts = p.array.clamp_volts;
    c.bit_line_volts = grid(s.number("circuit.design.bit_line_low") * volts, 1.15 * volts,
                            static_cast<std::size_t>(s.integer("circuit.design.bit_line_points")));
    if (p.array.source_line_ohms > 0) c.source_line_volts = grid(0.0, 0.4 * volts, 4);
  }
  c.cell_terms = p.cell.terms;
  c.mismatch_points = mismatch_points(p.cell.terms.size(), s);
  return c;
}

class CellPoints {
 public:
  CellPoints(const CircuitProject& p, const CellSurface& c, std::vector<SimulationPoint>& points)
      : p_(p), c_(c), points_(points) {}

  /// One sweep over all biases for each device: stored level and mismatch.
  void add_sweeps() {
    for (std::size_t level = 0; level < c_.weight_levels.size(); ++level)
      for (std::size_t m = 0; m < c_.mismatch_count(); ++m)
        points_.push_back({.deck = kSweepDeck, .slots = values(level, m), .analysis = Analysis::kSweep});
  }

  void add_currents() {
    for_each([&](std::size_t x, std::size_t level, std::size_t m) {
      for (const double source : c_.source_line_volts)
        for (const double bit : c_.bit_line_volts) add_static(kCellDeck, x, level, m, bit, source);
    });
  }

  /// The nominal cell's noise, at the clamp voltage or, for transient reads, at each bit-line voltage.
  void add_noise() {
    const bool transient = p_.array.transient();
    const std::vector<double> volts = transient ? c_.bit_line_volts : std::vector<double>{p_.array.clamp_volts};
    for (std::size_t x = 0; x < c_.input_levels_volts.size(); ++x)
      for (std::size_t level = 0; level < c_.weight_levels.size(); ++level)
        for (const double v : volts) {
          add_static(transient ? kStaticCellDeck : kCellDeck, x, level, 0, v, 0.0);
          set_noise_band(points_.back(), p_.array);
        }
  }

  /// Transient reads: the cell behind a reference whose line ends at `final_points` voltages. N identical cells on a
  /// line of capacitance C behave as one on C / N, so the reference's loads run through N up to all rows.
  void add_charges(std::size_t final_points) {
    constexpr double kBeyond = 1.15;  // loads above all rows: mismatch makes columns that fall further
    const std::size_t top = c_.weight_levels.size() - 1;
    const auto& input = p_.array.input;
    const double most = kBeyond * static_cast<double>(p_.array.rows);
    for_each([&](std::size_t x, std::size_t level, std::size_t m) {
      for (const double share : grid(0.0, 1.0, final_points)) {
        const double n = most * share * std::sqrt(share);  // denser where few rows move the line most
        SimulationPoint point{.deck = kCellDeck, .analysis = Analysis::kTransient};
        constexpr double kStiff = 1.0;  // farad: the line stays where it was precharged
        point.slots = {n > 0 ? p_.array.line_farads / n : kStiff, input.transient_value(input.count() - 1),
                       p_.cell.weight_levels[top], input.transient_value(x)};
        append(point.slots, values(level, m));
        points_.push_back(std::move(point));
      }
    });
  }

 private:
  template <class Add>
  void for_each(Add add) {
    for (std::size_t x = 0; x < c_.input_levels_volts.size(); ++x)
      for (std::size_t level = 0; level < c_.weight_levels.size(); ++level)
        for (std::size_t m = 0; m < c_.mismatch_count(); ++m) add(x, level, m);
  }

  std::vector<double> values(std::size_t level, std::size_t m) const {
    const std::size_t terms = c_.cell_terms.size();
    return p_.cell.values(p_.mismatch, level, std::span(c_.mismatch_points).subspan(m * terms, terms));
  }

  void add_static(std::size_t deck, std::size_t x, std::size_t level, std::size_t m, double bit, double source) {
    SimulationPoint point{.deck = deck, .slots = {c_.input_levels_volts[x], bit, source}};
    append(point.slots, values(level, m));
    points_.push_back(std::move(point));
  }

  const CircuitProject& p_;
  const CellSurface& c_;
  std::vector<SimulationPoint>& points_;
};

/// The reset switch on loads about the line's capacitance, which the cells raise.
void add_switch_points(const Settings& s, const CircuitProject& p, CellCharge& c,
                       std::vector<SimulationPoint>& points) {
  if (p.deck.reset_switch.empty()) return;
  for (const double factor : {1.0, 2.0, 4.0, 8.0}) c.switch_farads.push_back(factor * p.array.line_farads);
  c.switch_terms = p.reset_switch.terms;
  const std::size_t terms = c.switch_terms.size();
  c.switch_points = mismatch_points(terms, s);
  const auto add = [&](double farads, double step, std::size_t m) {
    constexpr double kProbe = CellCharge::kProbeShare;
    SimulationPoint point{.deck = kSwitchDeck,
                          .slots = {(1 - kProbe) * farads, kProbe * farads, step, p.array.precharge_volts},
                          .analysis = Analysis::kTransient};
    append(point.slots, p.reset_switch.values(p.mismatch, 0, std::span(c.switch_points).subspan(m * terms, terms)));
    points.push_back(std::move(point));
  };
  for (const double farads : c.switch_farads)
    for (std::size_t m = 0; m < c.switch_count(); ++m) add(farads, 0.0, m);
  for (const double farads : c.switch_farads) add(farads, CellCharge::kProbeVolts, 0);
}

/// A bit line of a chip with its stored levels, the selectable rows' alone.
struct StoredLine {
  LineId line;
  std::span<const std::uint8_t> levels;
};

/// Slots of a column deck: its lines' periphery, then per row the word line and each line's level and mismatch.
class ColumnSlots {
 public:
  ColumnSlots(const CircuitProject& p, std::uint64_t seed, std::span<const StoredLine> lines) : p_(p) {
    for (const auto& [line, levels] : lines) add_periphery(line_periphery(p.array, p.mismatch, seed, line));
    std::vector<std::vector<std::uint8_t>> stored;
    for (const auto& [line, levels] : lines)
      stored.push_back(whole_line(p.array, p.cell.weight_levels.size(), seed, line, levels));
    std::vector<double> draws(p.cell.terms.size());
    for (std::size_t row = 0; row < p.array.all_rows(); ++row) {
      if (row < p.array.rows) {
        word_lines_.push_back(slots_.size());
        slots_.push_back(0.0);
      }
      for (std::size_t l = 0; l < lines.size(); ++l) {
        for (std::size_t t = 0; t < draws.size(); ++t)
          draws[t] = unit_draw(seed, p.mismatch[p.cell.terms[t]], p.cell.terms[t], lines[l].line, row);
        append(slots_, p.cell.values(p.mismatch, stored[l][row], draws));
      }
    }
  }

  /// Transient reads set what the pulse carries, current reads the word line's voltage.
  std::vector<double> with_inputs(const std::uint8_t* inputs) const {
    std::vector<double> slots = slots_;
    const auto& input = p_.array.input;
    for (std::size_t row = 0; row < word_lines_.size(); ++row)
      slots[word_lines_[row]] =
          p_.array.transient() ? input.transient_value(inputs[row]) : input.word_volts(inputs[row]);
    return slots;
  }

 private:
  void add_periphery(const LinePeriphery& periphery) {
    if (!p_.array.transient()) {
      append(slots_, {periphery.clamp_volts, periphery.clamp_ohms, periphery.offset_amperes});
      return;
    }
    append(slots_, {periphery.precharge_volts, periphery.offset_volts});
    append(slots_, p_.reset_switch.values(p_.mismatch, 0, periphery.switch_draws));
  }

  const CircuitProject& p_;
  std::vector<double> slots_;
  std::vector<std::size_t> word_lines_;
};

SimulationPoint column_point(const CircuitProject& p, const ColumnSlots& lines, const std::uint8_t* inputs) {
  return {.deck = kColumnDeck,
          .slots = lines.with_inputs(inputs),
          .analysis = p.array.transient() ? Analysis::kTransient : Analysis::kOperatingPoint};
}

OperandDesign operand_design(const Settings& s, const CircuitProject& p, std::size_t operands) {
  const std::string& pattern = s.text("circuit.design.pattern");
  return {.rows = p.array.rows,
          .levels = p.cell.weight_levels.size(),
          .operands = operands,
          .input_levels = p.array.input.count(),
          .differential = p.branches == 2,
          .pattern = pattern == "sobol"     ? OperandPattern::kSobol
                     : pattern == "corners" ? OperandPattern::kCorners
                                            : OperandPattern::kStratified};
}

/// Columns of one chip. Lines that are simulated together share their word lines, so the columns on them see the
/// inputs of the first.
std::vector<ColumnOperands> chip_columns(const Settings& s, const CircuitProject& p, std::uint64_t chip,
                                         std::size_t columns, std::size_t operands) {
  const OperandDesign design = operand_design(s, p, operands);
  const std::size_t together = std::max<std::size_t>(1, p.deck.lines / p.branches);
  std::optional<OperandSet> replayed;
  if (s.has("circuit.operands"))
    replayed = project_operands(s, "circuit.operands", design.rows, design.levels, design.input_levels);
  std::vector<ColumnOperands> all;
  for (std::size_t column = 0; column < columns; ++column) {
    all.push_back(replayed ? replayed->column(chip * columns + column, design.rows, operands, s.seed(), chip)
                           : make_operands(design, s.seed(), chip, column));
    if (column % together != 0) all.back().inputs = all[column - column % together].inputs;
  }
  return all;
}

void plan_columns(const Settings& s, const CircuitProject& p, Characterization& c,
                  std::vector<SimulationPoint>& points) {
  ColumnMeasurements& m = c.columns;
  m.chips = static_cast<std::size_t>(s.integer("circuit.design.chips"));
  m.columns = static_cast<std::size_t>(s.integer("circuit.design.columns"));
  m.operands = static_cast<std::size_t>(s.integer("circuit.design.operands"));
  m.branches = p.branches;
  // `.noise` at the operating point of a floating line means nothing, and it sees the first of several lines only.
  const bool noise = !p.array.transient() && p.deck.lines == 1;
  m.noise_operands = noise ? std::min<std::size_t>(4, m.operands) : 0;
  m.noise_chips = noise ? std::min<std::size_t>(2, m.chips) : 0;
  for (std::size_t chip = 0; chip < m.chips; ++chip) {
    const std::uint64_t number = chips::kCharacterization + chip;
    const auto columns = chip_columns(s, p, number, m.columns, m.operands);
    for (std::size_t first = 0; first < m.branches * m.columns; first += p.deck.lines) {
      std::vector<StoredLine> lines;
      for (std::size_t l = first; l < first + p.deck.lines; ++l)
        lines.push_back({{number, l}, columns[l / m.branches].branch(l % m.branches)});
      const ColumnSlots slots(p, s.seed(), lines);
      const ColumnOperands& operands = columns[first / m.branches];
      for (std::size_t o = 0; o < operands.count(); ++o) points.push_back(column_point(p, slots, operands.input(o)));
      // Noise on the nominal device would be enough; on the frozen one it costs the same.
      for (std::size_t o = 0; o < m.noise_operands && chip < m.noise_chips; ++o) {
        points.push_back(column_point(p, slots, operands.input(o)));
        set_noise_band(points.back(), p.array);
      }
    }
    m.operands = columns.front().count();  // a file may have fewer than were asked for
    m.designs.insert(m.designs.end(), columns.begin(), columns.end());
  }
}

/// Columns spread over the campaign once more with half the step and half the tolerances.
void plan_self_check(const CircuitProject& p, Characterization& c, std::vector<SimulationPoint>& points) {
  std::vector<std::size_t> columns;
  for (std::size_t i = 0; i < points.size(); ++i)
    if (points[i].deck == kColumnDeck && points[i].analysis != Analysis::kNoise) columns.push_back(i);
  constexpr std::size_t kMost = 12;
  const std::size_t count = std::min(kMost, columns.size());
  c.self_check.points = count * p.deck.lines;
  for (std::size_t k = 0; k < count; ++k) {
    SimulationPoint again = points[columns[k * columns.size() / count]];
    again.deck = kCheckDeck;
    points.push_back(std::move(again));
  }
}

double value_or_nan(const PointResult& r, std::size_t output = 0) {
  return output < r.values.size() ? r.values[output] : std::numeric_limits<double>::quiet_NaN();
}

/// Takes the numbers of a finished campaign, in the order in which plan_campaign laid its points out.
class Collector {
 public:
  Collector(const CampaignPlan& plan, const CampaignResult& result, std::size_t lines, Characterization& c)
      : plan_(plan), result_(result), lines_(lines), c_(c) {}

  void collect() {
    const std::size_t levels = c_.cell.input_levels_volts.size() * c_.cell.weight_levels.size();
    const std::size_t samples = levels * c_.cell.mismatch_count();
    if (c_.array.transient())
      collect_charges(samples);
    else if (plan_.points.front().analysis == Analysis::kSweep)
      collect_sweeps();
    else
      for (std::size_t i = 0; i < samples * c_.cell.source_line_volts.size() * c_.cell.bit_line_volts.size(); ++i)
        c_.cell.current_amperes.push_back(next());
    const std::size_t repeats = c_.array.transient() ? c_.cell.bit_line_volts.size() : 1;
    for (std::size_t i = 0; i < levels; ++i) {
      double sum = 0.0;
      for (std::size_t k = 0; k < repeats; ++k) sum += next();
      c_.cell.noise_square_amperes.push_back(sum / static_cast<double>(repeats));
    }
    for (std::size_t i = 0; i < c_.charge.switch_farads.size() * c_.charge.switch_count(); ++i)
      c_.charge.switch_volts.push_back(next());
    for (std::size_t i = 0; i < c_.charge.switch_farads.size(); ++i) c_.charge.switch_probe_volts.push_back(next());
    collect_columns();
    collect_self_check();
    collect_trouble();
  }

 private:
  /// Sweeps run over [L][M], each over [X][S][B]; the surface is [X][L][M][S][B].
  void collect_sweeps() {
    const CellSurface& s = c_.cell;
    const std::size_t levels = s.weight_levels.size(), samples = s.mismatch_count(),
                      biases = s.source_line_volts.size() * s.bit_line_volts.size();
    c_.cell.current_amperes.resize(s.input_levels_volts.size() * levels * samples * biases);
    for (std::size_t device = 0; device < levels * samples; ++device, ++at_)
      for (std::size_t x = 0; x < s.input_levels_volts.size(); ++x)
        for (std::size_t b = 0; b < biases; ++b)
          c_.cell.current_amperes[(x * levels * samples + device) * biases + b] =
              value_or_nan(result_.points[at_], x * biases + b);
  }

  /// Largest and rms change of the columns that were simulated twice.
  void collect_self_check() {
    std::vector<std::size_t> columns;
    for (std::size_t i = 0; i < plan_.points.size(); ++i)
      if (plan_.points[i].deck == kColumnDeck && plan_.points[i].analysis != Analysis::kNoise) columns.push_back(i);
    const std::size_t count = c_.self_check.points / lines_;
    double squares = 0.0, n = 0.0;
    for (std::size_t k = 0; k < count; ++k, ++at_)
      for (std::size_t l = 0; l < lines_; ++l) {
        const double before = value_or_nan(result_.points[columns[k * columns.size() / count]], l);
        const double change = std::fabs(value_or_nan(result_.points[at_], l) - before);
        if (!std::isfinite(change)) continue;
        c_.self_check.maximum = std::max(c_.self_check.maximum, change);
        squares += change * change;
        n += 1.0;
      }
    c_.self_check.rms = n > 0.0 ? std::sqrt(squares / n) : std::numeric_limits<double>::quiet_NaN();
  }

  /// Points that gave no number, or not in the usual way.
  void collect_trouble() {
    constexpr std::size_t kMost = 1000;
    for (std::size_t i = 0; i < result_.points.size() && c_.trouble.size() < kMost; ++i) {
      const PointResult& r = result_.points[i];
      if (r.status == PointStatus::kOk) continue;
      c_.trouble.push_back(
          fmt::format("point {}: {}; {}{}{}", i, to_string(r.status), describe_point(plan_, i),
                      r.remedy != Remedy::kNone ? fmt::format("; helped by {}", to_string(r.remedy)) : "",
                      r.log.empty() ? "" : "; " + r.log.substr(0, r.log.find('\n'))));
    }
  }

  double next() { return value_or_nan(result_.points[at_++]); }

  void collect_charges(std::size_t samples) {
    const std::size_t loads = c_.charge.final_volts.size();
    for (std::size_t k = 0; k < samples; ++k)
      for (std::size_t f = 0; f < loads; ++f, ++at_) {
        // The reference is the same everywhere; a failed point must not lose its voltage.
        if (!std::isfinite(c_.charge.final_volts[f])) c_.charge.final_volts[f] = value_or_nan(result_.points[at_], 0);
        c_.charge.charge_coulombs.push_back(value_or_nan(result_.points[at_], 1));
      }
  }

  void collect_columns() {
    ColumnMeasurements& m = c_.columns;
    const std::size_t all = m.chips * m.columns * m.branches;
    m.output.assign(all * m.operands, 0.0);
    m.status.assign(all * m.operands, 0);
    for (std::size_t first = 0; first < all; first += lines_) {
      for (std::size_t o = 0; o < m.operands; ++o, ++at_)
        for (std::size_t l = 0; l < lines_; ++l) {
          m.output[(first + l) * m.operands + o] = value_or_nan(result_.points[at_], l);
          m.status[(first + l) * m.operands + o] = static_cast<std::uint8_t>(result_.points[at_].status);
        }
      const std::size_t chip = first / (m.columns * m.branches);
      for (std::size_t o = 0; o < m.noise_operands && chip < m.noise_chips; ++o) m.noise_square.push_back(next());
    }
  }

  const CampaignPlan& plan_;
  const CampaignResult& result_;
  std::size_t lines_;
  Characterization& c_;
  std::size_t at_ = 0;
};

CampaignPlan plan_of(const Settings& s, const CircuitProject& p) {
  CampaignPlan plan;
  Characterization& c = plan.skeleton;
  c.array = p.array;
  c.mismatch = p.mismatch;
  c.noise = p.noise;
  c.cell = plan_cell(s, p);
  plan.decks = decks_of(p, c.cell);
  CellPoints cell(p, c.cell, plan.points);
  if (p.array.transient()) {
    const auto finals = static_cast<std::size_t>(s.integer("circuit.design.bit_line_points"));
    c.charge.final_volts.assign(finals, std::nan(""));
    cell.add_charges(finals);
  } else if (sweeps(p, s)) {
    cell.add_sweeps();
  } else {
    cell.add_currents();
  }
  c.strategy = p.array.transient() ? "a transient for each point"
               : sweeps(p, s)      ? "one dc analysis with external sources for each device of the cell; an operating "
                                     "point for each column"
                                   : "an operating point for each point";
  c.strategy += std::ranges::any_of(plan.decks[kColumnDeck].slots,
                                    [](const Slot& slot) { return slot.kind == SlotKind::kParameter; })
                    ? "; parameters by reset and alter"
                    : "; values altered in place";
  cell.add_noise();
  add_switch_points(s, p, c.charge, plan.points);
  plan_columns(s, p, c, plan.points);
  plan_self_check(p, c, plan.points);
  std::vector<ArtifactInput> inputs = operand_input(s, "circuit.operands");
  inputs.insert(inputs.begin(), {"netlist", p.netlist.sha256});
  c.provenance = {.format = Characterization::kFormat,
                  .major_version = Characterization::kMajor,
                  .minor_version = Characterization::kMinor,
                  .inputs = std::move(inputs),
                  .config = s.canonical(sections_of_stage("characterize")),
                  .seed = s.seed()};
  return plan;
}

}  // namespace

CampaignPlan plan_campaign(const Settings& s, const RunContext& context) {
  return plan_of(s, read_circuit_project(s, context));
}

Characterization characterize(const Settings& s, const std::filesystem::path& artifacts, const RunContext& context) {
  const CircuitProject p = read_circuit_project(s, context);
  CampaignPlan plan = plan_of(s, p);
  Characterization& c = plan.skeleton;
  c.simulator = ngspice_version(context);
  const auto shard = artifacts / "shards" / "characterization.journal";
  const CampaignResult result =
      run_campaign(plan.decks, plan.points, p.campaign, shard, c.provenance.fingerprint(), context);
  c.suspect_points = static_cast<std::int64_t>(result.suspects());
  c.failed_points = static_cast<std::int64_t>(result.failures());
  c.remedied_points = static_cast<std::int64_t>(result.remedied());
  Collector(plan, result, p.deck.lines, c).collect();
  c.save(artifacts / "characterization.h5");
  std::error_code ignored;
  std::filesystem::remove(shard, ignored);
  return c;
}

std::vector<double> simulate_columns(const Settings& s, std::uint64_t seed, const std::vector<ColumnRequest>& requests,
                                     const RunContext& context) {
  const CircuitProject p = read_circuit_project(s, RunContext{});
  const std::vector<Deck> decks = decks_of(p, plan_cell(s, p));
  std::vector<SimulationPoint> points;
  for (const auto& r : requests) {
    // Where several lines are simulated together, the one asked for stands first and its copies beside it.
    const std::vector<StoredLine> lines(p.deck.lines, StoredLine{r.line, r.stored_levels});
    points.push_back(column_point(p, ColumnSlots(p, seed, lines), r.input_levels.data()));
  }
  const CampaignResult result = run_campaign(decks, points, p.campaign, {}, {}, context);
  std::vector<double> outputs;
  for (const auto& point : result.points) outputs.push_back(value_or_nan(point));
  return outputs;
}

NominalPoint simulate_nominal(const Settings& s, const RunContext& context) {
  CircuitProject p = read_circuit_project(s, context);
  const CampaignPlan plan = plan_of(s, p);
  p.campaign.retries = 0;
  p.campaign.tolerated_failures = 0.0;
  const std::size_t column = static_cast<std::size_t>(
      std::ranges::find_if(plan.points, [](const SimulationPoint& q) { return q.deck == kColumnDeck; }) -
      plan.points.begin());
  const CampaignResult result =
      run_campaign(plan.decks, {plan.points.front(), plan.points[column]}, p.campaign, {}, {}, context);
  return {p.array.read, result.points[0].values.back(), value_or_nan(result.points[1])};
}

}  // namespace errata::circuit
