#pragma once

#include <fmt/format.h>

#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "circuit/campaign/campaign_decks.h"
#include "circuit/campaign/line_noise.h"
#include "circuit/characterize.h"
#include "core/quantity.h"
#include "core/random_stream.h"
#include "core/statistics.h"

namespace errata::testing {

/// A column's read as errata's formulas have it and as many noisy transients of ngspice have it.
struct NoiseTrial {
  double predicted = 0.0;  ///< variance
  double measured = 0.0;
  std::size_t reads = 0;
  double undamped = 0.0;  ///< what would be predicted if nothing that happens to a line later changed its noise

  double ratio() const { return measured / predicted; }
  /// Of the ratio, for independent normal values.
  double standard_error() const { return std::sqrt(2.0 / static_cast<double>(reads - 1)); }
};

/// White noise for a transient: ngspice draws normal values every `step` and joins them by straight lines, so that
/// values of rms 1 have the one-sided density 2·step at low frequencies.
struct WhiteNoise {
  double step = 0.0;

  std::string source(const std::string& name, const std::string& from, const std::string& to, double density) const {
    return fmt::format("{} {} {} trnoise({:.9e} {:.9e} 0 0)", name, from, to, std::sqrt(density / (2 * step)), step);
  }
};

/// One worker: two would begin with different seeds, and ngspice's own cannot be chosen (docs/design/ngspice.md).
inline RunContext one_worker() {
  RunContext context;
  context.jobs = 1;
  return context;
}

inline double sum_of_simulated(const circuit::Characterization& c, std::size_t read) {
  return c.columns.noise_square[read];
}

/// Adds lines in front of ".end".
inline void insert_lines(circuit::Deck& deck, const std::vector<std::string>& lines) {
  deck.lines.insert(deck.lines.end() - 1, lines.begin(), lines.end());
  deck.positions.resize(deck.lines.size());
}

/// The first column's operand whose cells make most of the noise, of a plan and its characterisation.
struct ChosenRead {
  std::size_t operand = 0;  ///< which is the number of the read among those with noise, too
  circuit::SimulationPoint point;
};

inline ChosenRead strongest_read(const circuit::CampaignPlan& plan, const circuit::Characterization& c) {
  ChosenRead chosen;
  const auto cells = [&](std::size_t o) {
    double sum = 0.0;
    for (const auto& share : c.columns.noise_shares)
      if (share.name.starts_with("cell")) sum += share.variance[o];
    return sum / sum_of_simulated(c, o);
  };
  for (std::size_t o = 1; o < c.columns.noise_operands; ++o)
    if (cells(o) > cells(chosen.operand)) chosen.operand = o;
  std::size_t first = 0;
  while (plan.points[first].deck != circuit::kColumnDeck) ++first;
  chosen.point = plan.points[first + chosen.operand];
  return chosen;
}

/// A clamped column: its current's mean over `windows` integration times in a row, with a noise current beside each
/// cell and the clamp's resistance. Cells have to be nominal, since the densities are the nominal cell's.
inline NoiseTrial clamped_trial(const Settings& s, const std::filesystem::path& folder, std::size_t windows,
                                std::size_t samples) {
  const auto c = circuit::characterize(s, folder, one_worker());
  const auto plan = circuit::plan_campaign(s, RunContext{});
  ChosenRead read = strongest_read(plan, c);
  circuit::Deck deck = plan.decks[circuit::kColumnDeck];
  const double integration = 0.5 / c.array.bandwidth_hertz;
  const WhiteNoise white{integration / static_cast<double>(samples)};
  const auto& design = c.columns.design(0, 0);
  const std::size_t levels = c.cell.weight_levels.size();
  std::vector<std::string> lines = {white.source(
      "inoise0", "clamp", "b1", 4 * kBoltzmannJoulesPerKelvin * c.array.temperature_kelvin / c.array.clamp_ohms)};
  for (std::size_t j = 0; j < design.rows; ++j) {
    const std::size_t at = design.input(read.operand)[j] * levels + design.plus[j];
    lines.push_back(white.source(fmt::format("inoise{}", j + 1),
                                 c.array.wire_ohms > 0 ? fmt::format("b{}", j + 1) : "b1", "0",
                                 c.cell.noise_square_amperes[at] / c.array.bandwidth_hertz));
  }
  insert_lines(deck, lines);
  const double stop = (static_cast<double>(windows) + 1) * integration;  // the first window starts at rest
  deck.transient = fmt::format("tran {0:.9e} {1:.9e} 0 {0:.9e}", white.step, stop);
  deck.stop_seconds = stop;
  const circuit::Output whole = deck.outputs.front();
  deck.outputs.clear();
  for (std::size_t w = 1; w <= windows; ++w) {
    circuit::Output mean = whole;
    mean.measure = circuit::Output::Measure::kAverage;
    mean.from_seconds = static_cast<double>(w) * integration;
    mean.to_seconds = static_cast<double>(w + 1) * integration;
    deck.outputs.push_back(mean);
  }
  insert_lines(deck, {".save " + whole.vector});
  read.point.deck = 0;
  read.point.analysis = circuit::Analysis::kTransient;
  const auto result =
      circuit::run_campaign({deck}, {read.point}, {.deadline_seconds = 600, .retries = 0}, {}, {}, one_worker());
  // The mean of straight lines between n + 1 values counts the outer two half: 1 - 1/(2n) of white noise.
  const double lost = 1 - 0.5 / static_cast<double>(samples);
  return {lost * sum_of_simulated(c, read.operand), variance(result.points[0].values), windows};
}

/// A discharged column, read after read: the reset's charge is drawn, a noise current of the density that belongs to
/// the line's voltage of the moment flows while the word lines are up.
inline NoiseTrial discharge_trial(const Settings& s, const std::filesystem::path& folder, std::size_t reads,
                                  std::size_t samples) {
  const auto c = circuit::characterize(s, folder, one_worker());
  const auto plan = circuit::plan_campaign(s, RunContext{});
  ChosenRead read = strongest_read(plan, c);
  circuit::Deck deck = plan.decks[circuit::kNoiseDeck];
  const WhiteNoise white{c.array.pulse_seconds / static_cast<double>(samples)};
  const auto& design = c.columns.design(0, 0);
  const circuit::CellNoiseDensity density(c.cell_noise, c.cell, c.array.bandwidth_hertz);
  const std::size_t devices = c.cell_noise.devices.size(), top = c.array.input.count() - 1;
  std::string idle, active;
  const double full = c.cell.input_levels_volts[top], rest = c.cell.input_levels_volts[0];
  for (const double v : c.cell_noise.bit_line_volts) {
    std::vector<double> off(devices, 0.0), on(devices, 0.0);
    for (std::size_t j = 0; j < design.rows; ++j) {
      density.add(0, design.plus[j], rest, v, off);
      density.add(design.input(read.operand)[j], design.plus[j], full, v, on);
    }
    const auto sum = [&](const std::vector<double>& part) {
      return std::accumulate(part.begin(), part.end(), 0.0) / (2 * white.step);
    };
    idle += fmt::format(",{:.9e},{:.9e}", v, 1e18 * sum(off));  // in nA²: ngspice's pwl() has trouble with tiny slopes
    active += fmt::format(",{:.9e},{:.9e}", v, 1e18 * sum(on));
  }
  const std::string line = deck.outputs[deck.bit_lines * 1].vector;  // the first probe: the line
  insert_lines(
      deck,
      {white.source("vwhite", "white", "0", 2 * white.step),
       fmt::format("bwhite 0 {0} i = 1e-9*v(white)*sqrt(abs(pwl(v({0}){1})*(1-v(pulse))+pwl(v({0}){2})*v(pulse)))",
                   line, idle, active)});
  deck.outputs.resize(1);
  read.point.deck = 0;
  read.point.analysis = circuit::Analysis::kTransient;
  std::vector<circuit::SimulationPoint> points;
  const double kelvin = c.array.temperature_kelvin;
  const double farads = c.array.line_farads;  // that the reset leaves a charge on
  const double coulombs = std::sqrt(kBoltzmannJoulesPerKelvin * kelvin * farads);
  for (std::size_t n = 0; n < reads; ++n) {
    points.push_back(read.point);
    RandomStream stream(s.seed(), StreamPurpose::kCalibration, n);
    points.back().slots.insert(points.back().slots.end(),
                               {coulombs * stream.normal() / circuit::NoiseProbes::kChargeSeconds, 0.0});
  }
  const auto result =
      circuit::run_campaign({deck}, points, {.deadline_seconds = 600, .retries = 0}, {}, {}, one_worker());
  std::vector<double> volts;
  for (const auto& p : result.points) volts.push_back(p.values.empty() ? std::nan("") : p.values[0]);
  std::vector<double> start(devices, 0.0);
  for (std::size_t j = 0; j < design.rows; ++j)
    density.add(design.input(read.operand)[j], design.plus[j], full, c.array.precharge_volts, start);
  const double undamped =
      kBoltzmannJoulesPerKelvin * kelvin / farads +
      std::accumulate(start.begin(), start.end(), 0.0) * c.array.pulse_seconds / (2 * farads * farads);
  return {sum_of_simulated(c, read.operand), variance(volts), reads, undamped};
}

}  // namespace errata::testing
