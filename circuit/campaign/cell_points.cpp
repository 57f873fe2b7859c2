#include "circuit/campaign/cell_points.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "circuit/campaign/campaign_decks.h"
#include "core/random_stream.h"
#include "core/sobol.h"

namespace errata::circuit {

namespace {

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

}  // namespace

CellSurface plan_cell(const Settings& s, const CircuitProject& p) {
  CellSurface c;
  for (std::size_t x = 0; x < p.array.input.count(); ++x) c.input_levels_volts.push_back(p.array.input.word_volts(x));
  c.weight_levels = p.cell.weight_levels;
  if (!composable(p.deck)) return c;
  c.source_line_volts = {0.0};
  if (p.array.transient()) {
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

template <class Add>
void CellPoints::for_each(Add add) {
  for (std::size_t x = 0; x < c_.input_levels_volts.size(); ++x)
    for (std::size_t level = 0; level < c_.weight_levels.size(); ++level)
      for (std::size_t m = 0; m < c_.mismatch_count(); ++m) add(x, level, m);
}

void CellPoints::add_sweeps() {
  for (std::size_t level = 0; level < c_.weight_levels.size(); ++level)
    for (std::size_t m = 0; m < c_.mismatch_count(); ++m)
      points_.push_back({.deck = kSweepDeck, .slots = values(level, m), .analysis = Analysis::kSweep});
}

void CellPoints::add_currents() {
  for_each([&](std::size_t x, std::size_t level, std::size_t m) {
    for (const double source : c_.source_line_volts)
      for (const double bit : c_.bit_line_volts) add_static(kCellDeck, x, level, m, bit, source);
  });
}

void CellPoints::add_charges(std::size_t final_points) {
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

std::vector<double> CellPoints::values(std::size_t level, std::size_t m) const {
  const std::size_t terms = c_.cell_terms.size();
  return p_.cell.values(p_.mismatch, level, std::span(c_.mismatch_points).subspan(m * terms, terms));
}

void CellPoints::add_static(std::size_t deck, std::size_t x, std::size_t level, std::size_t m, double bit,
                            double source) {
  SimulationPoint point{.deck = deck, .slots = {c_.input_levels_volts[x], bit, source}};
  append(point.slots, values(level, m));
  points_.push_back(std::move(point));
}

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

}  // namespace errata::circuit
