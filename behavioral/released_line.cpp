#include "behavioral/released_line.h"

#include <algorithm>
#include <cmath>

#include "core/quantity.h"

namespace errata::behavioral {

namespace {
using Real = std::span<const double>;
}

ReleasedLine::ReleasedLine(const FloatingLine& family, const LineConditions& c)
    : balance_(family.end_volts, c.array.line_farads + family.switch_load_farads, c.array.precharge_volts, 0.0),
      sources_(c.noise.size()),
      rows_(c.array.rows),
      all_rows_(c.levels.size()),
      inputs_(family.stored_inputs),
      nodes_(family.end_volts.size()),
      shift_(c.periphery.precharge_volts - c.array.precharge_volts),
      offset_(c.periphery.offset_volts) {
  add_cells(family, c);
  middle_ = 0.5 * (family.end_volts.front() + family.end_volts.back());
  idle_slope_ = balance_.slope(idle_, balance_.released_volts());
  if (!family.switch_farads.empty())
    balance_.inject(family.switch_charge(balance_.farads() + std::max(0.0, idle_slope_), c.periphery.switch_draws));
  add_noise(c);
}

void ReleasedLine::add_cells(const FloatingLine& family, const LineConditions& c) {
  idle_.assign(nodes_, 0.0);
  added_.resize((inputs_ - 1) * rows_ * nodes_);
  std::vector<double> off(nodes_), on(nodes_);
  for (std::size_t j = 0; j < all_rows_; ++j) {
    const auto monomials = family.monomials(c.draws.subspan(j * family.terms, family.terms));
    family.cell_charge(0, c.levels[j], monomials, off);
    for (std::size_t f = 0; f < nodes_; ++f) idle_[f] += off[f];
    for (std::size_t x = 1; x < inputs_ && j < rows_; ++x) {
      family.cell_charge(x, c.levels[j], monomials, on);
      double* to = added_.data() + ((x - 1) * rows_ + j) * nodes_;
      for (std::size_t f = 0; f < nodes_; ++f) to[f] = on[f] - off[f];
    }
    for (const auto& source : c.noise)
      relative_sigma_.push_back(source.cell_relative ? source.sigma_at(c.levels[j]) : 0.0);
  }
  for (const double q : added_) added_single_.push_back(static_cast<float>(q / kScale));
  for (std::size_t x = 0; x < inputs_; ++x)
    for (std::size_t j = 0; j < all_rows_; ++j)
      thermal_.push_back(family.thermal_square_coulombs[x * family.stored_levels + c.levels[j]]);
}

void ReleasedLine::add_noise(const LineConditions& c) {
  for (const auto& source : c.noise) {
    declared_output_.push_back(source.cell_relative ? 0.0 : source.sigma_at(0) * source.sigma_at(0));
    output_variance_ += declared_output_.back();
  }
  for (std::size_t j = 0; j < all_rows_; ++j) idle_thermal_ += thermal_[j];
  // The reset freezes the thermal charge of everything that hangs on the line.
  reset_square_coulombs_ =
      kBoltzmannJoulesPerKelvin * c.array.temperature_kelvin * (balance_.farads() + std::max(0.0, idle_slope_));
  double charge = 0.0, slopes = 0.0;
  for (std::size_t x = 1; x < inputs_; ++x)
    for (std::size_t j = 0; j < rows_; ++j) {
      middle_charge_.push_back(balance_.value(added(x, j), middle_));
      charge += middle_charge_.back();
      slopes += balance_.slope(added(x, j), middle_);
    }
  slope_per_charge_ = charge != 0.0 ? slopes / charge : 0.0;
}

std::vector<double> ReleasedLine::noise_variances(const std::uint8_t* inputs) const {
  std::vector<double> drawn = idle_;
  for (std::size_t j = 0; j < rows_; ++j)
    for (std::size_t f = 0; inputs[j] != 0 && f < nodes_; ++f) drawn[f] += added(inputs[j], j)[f];
  const double end = balance_.solve(drawn);
  const double total = balance_.farads() + balance_.slope(drawn, end), square = total * total;
  std::vector<double> variances(1 + sources_, 0.0);
  variances[0] = reset_square_coulombs_ / square;
  for (std::size_t n = 0; n < sources_; ++n) variances[1 + n] = declared_output_[n];
  for (std::size_t j = 0; j < all_rows_; ++j) {
    const std::size_t x = j < rows_ ? inputs[j] : 0;
    variances[0] += thermal_[x * all_rows_ + j] / square;
    if (x == 0) continue;
    const double charge = balance_.value(added(x, j), end);
    for (std::size_t n = 0; n < sources_; ++n) {
      const double sigma = relative_sigma_[j * sources_ + n] * charge;
      variances[1 + n] += sigma * sigma / square;
    }
  }
  return variances;
}

/// Charge half way, thermal variance and variance of the relative sources that the active row adds.
NoiseSums ReleasedLine::row_noise(std::size_t j, std::size_t x) const {
  const double charge = middle_charge_[(x - 1) * rows_ + j];
  double relative = 0.0;
  for (std::size_t n = 0; n < sources_; ++n) relative += std::pow(relative_sigma_[j * sources_ + n] * charge, 2);
  return {charge / kScale, (thermal_[x * all_rows_ + j] - thermal_[j]) / (kScale * kScale),
          relative / (kScale * kScale)};
}

/// The charge that the output tells of, over the charge half way, scales every row alike.
double ReleasedLine::read_variance(double output, const NoiseSums& sums) const {
  const double end = output - offset_ - shift_;
  const double middle = sums[0] * kScale;
  const double drawn =
      balance_.injected_coulombs() - balance_.farads() * (end - balance_.released_volts()) - balance_.value(idle_, end);
  const double ratio = middle != 0.0 ? drawn / middle : 1.0;
  const double total = balance_.farads() + idle_slope_ + slope_per_charge_ * middle, square = total * total;
  return output_variance_ + (reset_square_coulombs_ + idle_thermal_ + kScale * kScale * sums[1] +
                             ratio * ratio * kScale * kScale * sums[2]) /
                                square;
}

namespace {

constexpr std::size_t kLanes = PackedInputs::kLanes;

/// drawn [nodes][kLanes] += Σ over levels and rows of mask · added.
__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"))) void add_charges(
    const float* masks, const float* added, std::size_t count, std::size_t nodes, float* drawn) {
  for (std::size_t k = 0; k < count; ++k) {
    const float *mask = masks + k * kLanes, *add = added + k * nodes;
    for (std::size_t f = 0; f < nodes; ++f) {
      const float charge = add[f];
      float* to = drawn + f * kLanes;
      for (std::size_t l = 0; l < kLanes; ++l) to[l] += mask[l] * charge;
    }
  }
}

}  // namespace

void ReleasedLine::read(const PackedInputs& inputs, std::span<double> output) const {
  std::vector<float> drawn(nodes_ * kLanes);
  float volts[kLanes];
  for (std::size_t block = 0; block < inputs.blocks(); ++block) {
    for (std::size_t f = 0; f < nodes_; ++f)
      std::fill_n(drawn.begin() + static_cast<std::ptrdiff_t>(f * kLanes), kLanes,
                  static_cast<float>(idle_[f] / kScale));
    add_charges(inputs.masks(block), added_single_.data(), (inputs_ - 1) * rows_, nodes_, drawn.data());
    balance_.solve(drawn.data(), kScale, volts);
    for (std::size_t l = 0; l < inputs.filled(block); ++l)
      output[block * kLanes + l] = static_cast<double>(volts[l]) + shift_ + offset_;
  }
}

}  // namespace errata::behavioral
