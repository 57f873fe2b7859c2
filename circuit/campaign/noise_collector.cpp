#include "circuit/campaign/noise_collector.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "circuit/campaign/campaign_decks.h"
#include "circuit/campaign/collector.h"
#include "circuit/campaign/line_noise.h"
#include "core/quantity.h"

namespace errata::circuit {

namespace {

/// Sources and variances of one read.
using Budget = std::vector<NoiseShare>;

void add(Budget& budget, std::string name, double variance, bool declared = false) {
  budget.push_back({std::move(name), declared, {variance}});
}

class NoiseCollector {
 public:
  NoiseCollector(const CampaignPlan& plan, const CampaignResult& result, std::size_t first, Characterization& c)
      : plan_(plan), noise_(plan.noise), result_(result), at_(first), c_(c) {}

  std::size_t collect() {
    if (noise_.cell) collect_cell();
    c_.columns.noise_shares.clear();
    const ColumnMeasurements& m = c_.columns;
    for (std::size_t chip = 0; chip < m.noise_chips; ++chip)
      for (std::size_t line = 0; line < m.branches * m.columns; ++line)
        for (std::size_t o = 0; o < m.noise_operands; ++o, at_ += noise_.points_of_read)
          append(c_.array.transient() ? transient_read(chip, line, o) : static_read(chip, line, o));
    return at_;
  }

 private:
  double value(std::size_t point, std::size_t k) const { return value_or_nan(result_.points[at_ + point], k); }

  void collect_cell() {
    CellNoise& noise = c_.cell_noise;
    const std::size_t levels = c_.cell.input_levels_volts.size() * c_.cell.weight_levels.size();
    std::vector<double> totals;
    for (std::size_t k = 0; k < levels * noise.bit_line_volts.size(); ++k, ++at_) {
      totals.push_back(value(0, 0));
      for (std::size_t d = 0; d < noise.devices.size(); ++d) noise.square_amperes.push_back(value(0, 1 + d));
    }
    for (std::size_t d = 0; d < noise.devices.size(); ++d) note_silent(d);
    if (!c_.has_cell()) return;
    for (std::size_t k = 0; k < levels; ++k) c_.cell.noise_square_amperes.push_back(cell_total(totals, k));
  }

  /// A device that ngspice gave no noise anywhere, although the analysis ran.
  void note_silent(std::size_t d) {
    const CellNoise& noise = c_.cell_noise;
    const std::size_t devices = noise.devices.size();
    for (std::size_t k = d; k < noise.square_amperes.size(); k += devices)
      if (std::isfinite(noise.square_amperes[k])) return;
    c_.silent_elements.push_back(noise.devices[d]);
  }

  /// Of transient reads the mean of the voltage that the line starts from and half of it.
  double cell_total(const std::vector<double>& totals, std::size_t level) const {
    const auto& volts = c_.cell_noise.bit_line_volts;
    if (volts.size() == 1) return totals[level];
    const auto at = [&](double v) {
      const auto high = std::clamp<std::size_t>(
          static_cast<std::size_t>(std::ranges::lower_bound(volts, v) - volts.begin()), 1, volts.size() - 1);
      const double share = (v - volts[high - 1]) / (volts[high] - volts[high - 1]);
      const double* of_level = totals.data() + level * volts.size();
      return (1 - share) * of_level[high - 1] + share * of_level[high];
    };
    return 0.5 * (at(c_.array.precharge_volts) + at(0.5 * c_.array.precharge_volts));
  }

  /// By `.noise`: what each device contributes, and from the probes what each row's current does to the output.
  Budget static_read(std::size_t chip, std::size_t line, std::size_t operand) const {
    Budget budget;
    const Deck& deck = plan_.decks[kNoiseDeck];
    std::vector<double> gain_squares;
    const double probe =
        4 * kBoltzmannJoulesPerKelvin * c_.array.temperature_kelvin / NoiseProbes::kOhms * c_.array.bandwidth_hertz;
    for (std::size_t g = 0; g < deck.noise_groups.size(); ++g) {
      const double variance = value(1, 1 + g);
      if (deck.noise_groups[g].starts_with(NoiseProbes::kRow))
        gain_squares.push_back(variance / probe);
      else
        add(budget, deck.noise_groups[g], std::isnan(variance) && std::isfinite(value(1, 0)) ? 0.0 : variance);
    }
    std::vector<double> moved;  // a row's current as it reaches the output
    for (std::size_t j = 0; j < gain_squares.size(); ++j)
      moved.push_back(std::sqrt(gain_squares[j]) * value(0, noise_.line_outputs + j));
    add_declared(budget, chip, line, operand, moved);
    return budget;
  }

  /// What one row's current or the line did over time, [times]; `which` counts the vectors behind the line's voltage.
  std::vector<double> over_time(std::size_t point, std::size_t which) const {
    std::vector<double> values(noise_.seconds.size());
    for (std::size_t k = 0; k < values.size(); ++k)
      values[k] = value(point, noise_.line_outputs + which * values.size() + k);
    return values;
  }

  LineResponse response() const {
    enum { kCharged = 1, kDischarged, kDriven, kDrawn };
    const auto slots_of = [&](std::size_t point) { return plan_.points[at_ + point].slots.end(); };
    const double coulombs = 2 * *(slots_of(kCharged) - 2) * NoiseProbes::kChargeSeconds,
                 amperes = 2 * *(slots_of(kDriven) - 1);
    LineResponse r{.seconds = noise_.seconds,
                   .output_per_coulomb = (value(kCharged, 0) - value(kDischarged, 0)) / coulombs};
    const auto charged = over_time(kCharged, 0), discharged = over_time(kDischarged, 0), driven = over_time(kDriven, 0),
               drawn = over_time(kDrawn, 0);
    for (std::size_t k = 0; k < r.seconds.size(); ++k) {
      r.volts_per_coulomb.push_back((charged[k] - discharged[k]) / coulombs);
      r.volts_per_ampere.push_back((driven[k] - drawn[k]) / amperes);
    }
    return r;
  }

  Budget transient_read(std::size_t chip, std::size_t line, std::size_t operand) const {
    Budget budget;
    const LineResponse r = response();
    const double kelvin = c_.array.temperature_kelvin;
    const std::vector<double> gains = charge_gains(r);
    if (c_.array.read == ReadMode::kCharge && noise_.cell)
      add(budget, "cell switches kT/C", cell_switch_variance(r, noise_.fixed_farads, kelvin));
    else if (noise_.cell)
      add_cells(budget, chip, line, operand, gains);
    add(budget, "reset kT/C", reset_variance(r, kelvin));
    if (noise_.sampling_farads > 0.0) {
      const double all = 1.0 / r.volts_per_coulomb.front();
      const double own = noise_.sampling_apart ? all : std::max(0.0, all - noise_.sampling_farads);
      add(budget, "sampling capacitor kT/C", sampling_variance(own, noise_.sampling_farads, kelvin));
      // What the capacitor held before, shared with the line.
      if (noise_.sampling_apart)
        add(budget, "sampling capacitor's reset kT/C",
            kBoltzmannJoulesPerKelvin * kelvin * noise_.sampling_farads / std::pow(own + noise_.sampling_farads, 2));
    }
    std::vector<double> moved;
    for (std::size_t j = 0; noise_.rows && j < c_.array.rows; ++j) {
      const auto amperes = over_time(0, 1 + 2 * j);
      moved.push_back(0.0);
      for (std::size_t k = 0; k < gains.size(); ++k)
        moved.back() += 0.5 * (amperes[k] + amperes[k + 1]) * gains[k] * (r.seconds[k + 1] - r.seconds[k]);
    }
    add_declared(budget, chip, line, operand, moved);
    return budget;
  }

  void add_cells(Budget& budget, std::size_t chip, std::size_t line, std::size_t operand,
                 const std::vector<double>& gains) const {
    const CellNoiseDensity density(c_.cell_noise, c_.cell, c_.array.bandwidth_hertz);
    const ColumnOperands& design = c_.columns.design(chip, line / c_.columns.branches);
    const auto levels = whole_line(c_.array, c_.cell.weight_levels.size(), c_.provenance.seed,
                                   {chips::kCharacterization + chip, line}, design.branch(line % c_.columns.branches));
    const std::size_t devices = c_.cell_noise.devices.size(), times = noise_.seconds.size();
    const auto volts = over_time(0, 0);
    std::vector<double> densities(times * devices, 0.0);
    for (std::size_t j = 0; j < levels.size(); ++j) {
      const std::size_t x = j < c_.array.rows ? design.input(operand)[j] : 0;
      const auto word = x > 0 ? over_time(0, 2 + 2 * j) : std::vector<double>(times, c_.cell.input_levels_volts[0]);
      for (std::size_t k = 0; k < times; ++k)
        density.add(x, levels[j], word[k], volts[k], std::span(densities).subspan(k * devices, devices));
    }
    for (std::size_t d = 0; d < devices; ++d) {
      std::vector<double> own(times);
      for (std::size_t k = 0; k < times; ++k) own[k] = densities[k * devices + d];
      if (std::ranges::find(c_.silent_elements, c_.cell_noise.devices[d]) != c_.silent_elements.end()) continue;
      add(budget, c_.cell_noise.devices[d], integrated_variance(noise_.seconds, gains, own));
    }
  }

  /// Sources of the project: relative ones through what each active row moves the output by.
  void add_declared(Budget& budget, std::size_t chip, std::size_t line, std::size_t operand,
                    const std::vector<double>& moved) const {
    const ColumnOperands& design = c_.columns.design(chip, line / c_.columns.branches);
    const auto& stored = design.branch(line % c_.columns.branches);
    for (const NoiseSource& source : c_.noise) {
      if (!source.cell_relative) {
        add(budget, source.name, source.sigma_at(0) * source.sigma_at(0), true);
        continue;
      }
      double variance = moved.empty() ? std::nan("") : 0.0;
      for (std::size_t j = 0; j < moved.size(); ++j)
        if (design.input(operand)[j] != 0) variance += std::pow(source.sigma_at(stored[j]) * moved[j], 2);
      add(budget, source.name, variance, true);
    }
  }

  void append(const Budget& read) {
    ColumnMeasurements& m = c_.columns;
    if (m.noise_shares.empty()) m.noise_shares.resize(read.size());
    double simulated = 0.0;
    for (std::size_t n = 0; n < read.size(); ++n) {
      m.noise_shares[n].name = read[n].name;
      m.noise_shares[n].declared = read[n].declared;
      m.noise_shares[n].variance.push_back(read[n].variance[0]);
      if (!read[n].declared) simulated += read[n].variance[0];
    }
    m.noise_square.push_back(simulated);
  }

  const CampaignPlan& plan_;
  const NoisePlan& noise_;
  const CampaignResult& result_;
  std::size_t at_;
  Characterization& c_;
};

}  // namespace

std::size_t collect_noise(const CampaignPlan& plan, const CampaignResult& result, std::size_t first,
                          Characterization& c) {
  return NoiseCollector(plan, result, first, c).collect();
}

}  // namespace errata::circuit
