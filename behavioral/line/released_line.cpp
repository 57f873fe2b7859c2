#include "behavioral/line/released_line.h"

#include <algorithm>
#include <cmath>

#include "behavioral/fitting/draw_monomials.h"
#include "behavioral/line/exact_row_sums.h"
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

namespace {

/// Charges of a cell at every input level and node, [inputs][nodes], as polynomials in its draws.
DrawPolynomials charges_of(const FloatingLine& family) {
  const std::size_t nodes = family.end_volts.size(), inputs = family.stored_inputs, levels = family.stored_levels;
  DrawPolynomials charges(family.exponents, family.terms, family.mismatch_range, levels, inputs * nodes);
  const std::size_t monomials = monomial_count(family.exponents, family.terms);
  for (std::size_t level = 0; level < levels; ++level)
    for (std::size_t k = 0; k < monomials; ++k) {
      const auto to = charges.coefficients(level, k);
      for (std::size_t x = 0; x < inputs; ++x)
        for (std::size_t f = 0; f < nodes; ++f)
          to[x * nodes + f] = family.charge_coulombs[((x * levels + level) * nodes + f) * monomials + k];
    }
  return charges;
}

}  // namespace

void ReleasedLine::add_cells(const FloatingLine& family, const LineConditions& c) {
  idle_.assign(nodes_, 0.0);
  added_.resize((inputs_ - 1) * rows_ * nodes_);
  const DrawPolynomials charges = charges_of(family);
  const std::vector<double> charge = charges.evaluate(c.levels, c.draws);
  relative_sigma_.reserve(all_rows_ * sources_);
  for (std::size_t j = 0; j < all_rows_; ++j) {
    const double* off = charge.data() + j * charges.width();
    for (std::size_t f = 0; f < nodes_; ++f) idle_[f] += off[f];
    for (std::size_t x = 1; x < inputs_ && j < rows_; ++x) {
      double* to = added_.data() + ((x - 1) * rows_ + j) * nodes_;
      for (std::size_t f = 0; f < nodes_; ++f) to[f] = off[x * nodes_ + f] - off[f];
    }
    for (const auto& source : c.noise)
      relative_sigma_.push_back(source.cell_relative ? source.sigma_at(c.levels[j]) : 0.0);
  }
  std::vector<float> single(added_.size());
  std::ranges::transform(added_, single.begin(), [](double q) { return static_cast<float>(q / kScale); });
  sums_ = RowSums(std::move(single), nodes_);
  thermal_.reserve(inputs_ * all_rows_);
  for (std::size_t x = 0; x < inputs_; ++x)
    for (std::size_t j = 0; j < all_rows_; ++j)
      thermal_.push_back(family.thermal_square_coulombs[x * family.stored_levels + c.levels[j]]);
}

void ReleasedLine::add_noise(const LineConditions& c) {
  for (const auto& source : c.noise) {
    declared_output_.push_back(source.cell_relative ? 0.0 : source.sigma_at(0) * source.sigma_at(0));
    output_variance_ += declared_output_.back();
    has_relative_ = has_relative_ || source.cell_relative;
  }
  for (std::size_t j = 0; j < all_rows_; ++j) idle_thermal_ += thermal_[j];
  // The reset freezes the thermal charge of everything that hangs on the line.
  reset_square_coulombs_ =
      kBoltzmannJoulesPerKelvin * c.array.temperature_kelvin * (balance_.farads() + std::max(0.0, idle_slope_));
  double charge = 0.0, slopes = 0.0;
  const auto weights = balance_.weights(middle_);
  middle_charge_.resize((inputs_ - 1) * rows_);
  for (std::size_t k = 0; k < middle_charge_.size(); ++k) {
    const double* drawn = added_.data() + k * nodes_;
    double value = 0.0, slope = 0.0;
    for (std::size_t f = 0; f < nodes_; ++f) value += weights.value[f] * drawn[f], slope += weights.slope[f] * drawn[f];
    middle_charge_[k] = value;
    charge += value;
    slopes += slope;
  }
  idle_curve_ = ChargeCurve(balance_, idle_);
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

/// Sums over the rows and the ends for many inputs at once; the ends in fp32 as read() has them, then one step in fp64.
std::vector<double> ReleasedLine::all_noise_variances(const PackedInputs& inputs) const {
  constexpr std::size_t kTogether = PackedInputs::kFewLanes;
  const std::size_t count = inputs.count(), terms = nodes_ + 1;
  const std::vector<double> added = charges_and_thermal();
  std::vector<double> variances((1 + sources_) * count), output(count), sums(terms * kTogether), drawn(nodes_),
      declared(sources_);
  read(inputs, output);
  for (std::size_t first = 0; first < count; first += kTogether) {
    for (std::size_t t = 0; t < terms; ++t)
      std::fill_n(sums.data() + t * kTogether, kTogether, t < nodes_ ? idle_[t] : idle_thermal_);
    add_rows_exactly(inputs, first, added, terms, sums);
    for (std::size_t p = first; p < std::min(count, first + kTogether); ++p) {
      for (std::size_t f = 0; f < nodes_; ++f) drawn[f] = sums[f * kTogether + p - first];
      const double end = balance_.refine(drawn, output[p] - shift_ - offset_);
      const double total = balance_.farads() + balance_.slope(drawn, end), square = total * total;
      variances[p] = (reset_square_coulombs_ + sums[nodes_ * kTogether + p - first]) / square;
      std::ranges::copy(declared_output_, declared.begin());
      if (has_relative_) add_relative_variances(inputs.vector(p), end, square, declared);
      for (std::size_t n = 0; n < sources_; ++n) variances[(1 + n) * count + p] = declared[n];
    }
  }
  return variances;
}

/// What an active row adds to the charges at the nodes and to the thermal variance, [inputs − 1][rows][nodes + 1].
std::vector<double> ReleasedLine::charges_and_thermal() const {
  std::vector<double> added;
  added.reserve((inputs_ - 1) * rows_ * (nodes_ + 1));
  for (std::size_t x = 1; x < inputs_; ++x)
    for (std::size_t j = 0; j < rows_; ++j) {
      const auto charges = this->added(x, j);
      added.insert(added.end(), charges.begin(), charges.end());
      added.push_back(thermal_[x * all_rows_ + j] - thermal_[j]);
    }
  return added;
}

/// What the relative sources of the active rows add when the line ends there.
void ReleasedLine::add_relative_variances(const std::uint8_t* inputs, double end, double square,
                                          std::span<double> by_source) const {
  const auto weights = balance_.weights(end);
  for (std::size_t j = 0; j < rows_; ++j) {
    if (inputs[j] == 0) continue;
    const auto drawn = added(inputs[j], j);
    double charge = 0.0;
    for (std::size_t f = 0; f < nodes_; ++f) charge += weights.value[f] * drawn[f];
    for (std::size_t n = 0; n < sources_; ++n) {
      const double sigma = relative_sigma_[j * sources_ + n] * charge;
      by_source[n] += sigma * sigma / square;
    }
  }
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
double ReleasedLine::variance(double end, double idle_charge, const NoiseSums& sums) const {
  const double middle = sums[0] * kScale;
  const double drawn =
      balance_.injected_coulombs() - balance_.farads() * (end - balance_.released_volts()) - idle_charge;
  const double ratio = middle != 0.0 ? drawn / middle : 1.0;
  const double total = balance_.farads() + idle_slope_ + slope_per_charge_ * middle, square = total * total;
  return output_variance_ + (reset_square_coulombs_ + idle_thermal_ + kScale * kScale * sums[1] +
                             ratio * ratio * kScale * kScale * sums[2]) /
                                square;
}

double ReleasedLine::read_variance(double output, const NoiseSums& sums) const {
  const double end = output - offset_ - shift_;
  return variance(end, balance_.value(idle_, end), sums);
}

void ReleasedLine::add_read_variances(std::span<const double> output, std::span<const float> sums, std::size_t stride,
                                      std::span<double> variances) const {
  constexpr std::size_t kTogether = PackedInputs::kLanes;
  double end[kTogether], idle[kTogether];
  for (std::size_t first = 0; first < output.size(); first += kTogether) {
    const std::size_t count = std::min(kTogether, output.size() - first);
    for (std::size_t i = 0; i < count; ++i) end[i] = output[first + i] - offset_ - shift_;
    idle_curve_.evaluate({end, count}, {idle, count});
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = first + i;
      variances[at] += variance(end[i], idle[i], {sums[at], sums[stride + at], sums[2 * stride + at]});
    }
  }
}

void ReleasedLine::read(const PackedInputs& inputs, std::span<double> output) const {
  const std::size_t lanes = inputs.lanes();
  std::vector<float> drawn(nodes_ * lanes);
  float volts[PackedInputs::kLanes];
  for (std::size_t block = 0; block < inputs.blocks(); ++block) {
    for (std::size_t f = 0; f < nodes_; ++f)
      std::fill_n(drawn.begin() + static_cast<std::ptrdiff_t>(f * lanes), lanes, static_cast<float>(idle_[f] / kScale));
    sums_.add(inputs, block, drawn);
    const std::size_t filled = inputs.filled(block);
    balance_.solve(drawn, kScale, lanes, filled, volts);
    for (std::size_t l = 0; l < filled; ++l)
      output[block * lanes + l] = static_cast<double>(volts[l]) + shift_ + offset_;
  }
}

}  // namespace errata::behavioral
