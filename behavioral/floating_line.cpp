#include "behavioral/floating_line.h"

#include <fmt/format.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "behavioral/cell_model.h"
#include "core/quantity.h"
#include "core/statistics.h"

namespace errata::behavioral {

namespace {

using Real = std::span<const double>;
using Vector = float __attribute__((vector_size(64)));
constexpr std::size_t kLanes = sizeof(Vector) / sizeof(float);

/// Values of all monomials at scaled draws.
void monomials_at(const std::vector<std::uint8_t>& exponents, std::size_t terms, double range, Real draws,
                  std::vector<double>& out) {
  if (terms == 0) {
    out.assign(1, 1.0);
    return;
  }
  out.assign(exponents.size() / terms, 1.0);
  for (std::size_t k = 0; k < out.size(); ++k)
    for (std::size_t t = 0; t < terms; ++t) {
      const double z = std::clamp(draws[t], -range, range) / range;
      for (int e = 0; e < exponents[k * terms + t]; ++e) out[k] *= z;
    }
}

std::size_t monomial_count(const std::vector<std::uint8_t>& exponents, std::size_t terms) {
  return terms == 0 ? 1 : exponents.size() / terms;
}

class ReleasedLine final : public Line {
 public:
  ReleasedLine(const FloatingLine& family, const LineConditions& c)
      : end_(family.end_volts),
        derivative_(spline_derivatives(family.end_volts)),
        sources_(c.noise.size()),
        farads_(c.array.line_farads + family.switch_load_farads),
        precharge_(c.array.precharge_volts),
        shift_(c.periphery.precharge_volts - c.array.precharge_volts),
        offset_(c.periphery.offset_volts),
        rows_(c.levels.size()) {
    const std::size_t nodes = end_.size();
    idle_.assign(nodes, 0.0);
    added_.resize(rows_ * nodes);
    std::vector<double> off(nodes), on(nodes);
    for (std::size_t j = 0; j < rows_; ++j) {
      const Real z = c.draws.subspan(j * family.terms, family.terms);
      family.cell_charge(0, c.levels[j], z, off);
      family.cell_charge(1, c.levels[j], z, on);
      for (std::size_t f = 0; f < nodes; ++f) {
        idle_[f] += off[f];
        added_[j * nodes + f] = on[f] - off[f];
      }
      off_thermal_.push_back(family.thermal_square_coulombs[c.levels[j]]);
      on_thermal_.push_back(family.thermal_square_coulombs[family.stored_levels + c.levels[j]]);
      idle_thermal_ += off_thermal_.back();
      for (std::size_t n = 0; n < sources_; ++n)
        relative_sigma_.push_back(c.noise[n].cell_relative ? c.noise[n].sigma_at(c.levels[j]) : 0.0);
    }
    if (!family.switch_farads.empty()) {
      const double load = farads_ + std::max(0.0, slope(idle_, precharge_));
      injected_ = family.switch_charge(load, c.periphery.switch_draws);
    }
    for (const auto& source : c.noise) {
      declared_output_.push_back(source.cell_relative ? 0.0 : source.sigma_at(0) * source.sigma_at(0));
      output_variance_ += declared_output_.back();
    }
    // The reset freezes the thermal charge of everything that hangs on the line.
    idle_slope_ = slope(idle_, precharge_);
    reset_square_coulombs_ =
        kBoltzmannJoulesPerKelvin * c.array.temperature_kelvin * (farads_ + std::max(0.0, idle_slope_));
    middle_ = 0.5 * (end_.front() + end_.back());
    double charge = 0.0, slopes = 0.0;
    for (std::size_t j = 0; j < rows_; ++j) {
      const Real added = std::span(added_).subspan(j * nodes, nodes);
      middle_charge_.push_back(value(added, middle_));
      charge += middle_charge_.back();
      slopes += slope(added, middle_);
    }
    slope_per_charge_ = charge != 0.0 ? slopes / charge : 0.0;
  }

  std::size_t rows() const override { return rows_; }

  void read(std::span<const std::uint8_t> inputs, std::size_t stride, std::span<double> output) const override {
    read_blocks(inputs.data(), stride, output);
  }

  std::vector<double> noise_variances(const std::uint8_t* inputs) const override {
    const std::size_t nodes = end_.size();
    std::vector<double> drawn = idle_;
    for (std::size_t j = 0; j < rows_; ++j)
      for (std::size_t f = 0; inputs[j] != 0 && f < nodes; ++f) drawn[f] += added_[j * nodes + f];
    const double end = balance(drawn);
    const double total = farads_ + slope(drawn, end), square = total * total;
    std::vector<double> variances(1 + sources_, 0.0);
    variances[0] = reset_square_coulombs_ / square;
    for (std::size_t n = 0; n < sources_; ++n) variances[1 + n] = declared_output_[n];
    for (std::size_t j = 0; j < rows_; ++j) {
      variances[0] += (inputs[j] != 0 ? on_thermal_[j] : off_thermal_[j]) / square;
      if (inputs[j] == 0) continue;
      const double charge = value(std::span(added_).subspan(j * nodes, nodes), end);
      for (std::size_t n = 0; n < sources_; ++n) {
        const double sigma = relative_sigma_[j * sources_ + n] * charge;
        variances[1 + n] += sigma * sigma / square;
      }
    }
    return variances;
  }

  /// Charge half way, thermal variance and variance of the relative sources that the active row adds.
  NoiseSums row_noise(std::size_t j) const override {
    double relative = 0.0;
    for (std::size_t n = 0; n < sources_; ++n)
      relative += std::pow(relative_sigma_[j * sources_ + n] * middle_charge_[j], 2);
    return {middle_charge_[j] / kScale, (on_thermal_[j] - off_thermal_[j]) / (kScale * kScale),
            relative / (kScale * kScale)};
  }

  /// The charge that the output tells of, over the charge half way, scales every row alike.
  double read_variance(double output, const NoiseSums& sums) const override {
    const double end = output - offset_ - shift_;
    const double middle = sums[0] * kScale;
    const double drawn = injected_ - farads_ * (end - precharge_) - value(idle_, end);
    const double ratio = middle != 0.0 ? drawn / middle : 1.0;
    const double total = farads_ + idle_slope_ + slope_per_charge_ * middle, square = total * total;
    return output_variance_ + (reset_square_coulombs_ + idle_thermal_ + kScale * kScale * sums[1] +
                               ratio * ratio * kScale * kScale * sums[2]) /
                                  square;
  }

 private:
  static constexpr double kScale = 1e-15;  ///< coulomb

  /// Node below `x`, so that x lies between it and the next; the first or last interval outside.
  std::size_t interval(double x) const {
    const auto at = static_cast<std::size_t>(std::upper_bound(end_.begin(), end_.end(), x) - end_.begin());
    return std::clamp<std::size_t>(at, 1, end_.size() - 1) - 1;
  }
  double node_slope(Real values, std::size_t f) const {
    const double* row = derivative_.data() + f * end_.size();
    double sum = 0.0;
    for (std::size_t k = 0; k < end_.size(); ++k) sum += row[k] * values[k];
    return sum;
  }

  /// One Hermite cubic of the spline, or its tangent outside the nodes.
  struct Piece {
    double x0, h, y0, y1, d0, d1;
    double value(double x) const {
      if (x < x0) return y0 + d0 * (x - x0);
      if (x > x0 + h) return y1 + d1 * (x - x0 - h);
      const double t = (x - x0) / h;
      return y0 + t * (h * d0 + t * ((3 * (y1 - y0) - h * (2 * d0 + d1)) + t * (2 * (y0 - y1) + h * (d0 + d1))));
    }
    double slope(double x) const {
      if (x < x0) return d0;
      if (x > x0 + h) return d1;
      const double t = (x - x0) / h;
      return d0 + t * (2 * (3 * (y1 - y0) / h - (2 * d0 + d1)) + t * 3 * (2 * (y0 - y1) / h + (d0 + d1)));
    }
  };
  Piece piece(Real values, std::size_t k) const {
    return {end_[k], end_[k + 1] - end_[k], values[k], values[k + 1], node_slope(values, k), node_slope(values, k + 1)};
  }
  double value(Real values, double x) const { return piece(values, interval(x)).value(x); }
  double slope(Real values, double x) const { return piece(values, interval(x)).slope(x); }

  /// End voltage (relative to the nominal precharge) at which the charges balance: Newton, kept inside a bracket.
  double balance(Real drawn) const {
    const auto missing = [&](std::size_t f) { return farads_ * (end_[f] - precharge_) - injected_ + drawn[f]; };
    std::size_t k = 0;  // missing() grows with the voltage
    while (k + 2 < end_.size() && missing(k + 1) < 0.0) ++k;
    const Piece p = piece(drawn, k);
    double low = end_[k], high = end_[k + 1];
    const double at_low = missing(k), at_high = missing(k + 1);
    if (at_low >= 0.0) return low - at_low / (farads_ + p.d0);  // outside the nodes everything is straight
    if (at_high <= 0.0) return high - at_high / (farads_ + p.d1);
    double x = low - at_low * (high - low) / (at_high - at_low);
    constexpr int kMostSteps = 40;
    for (int step = 0; step < kMostSteps; ++step) {
      const double left = farads_ * (x - precharge_) - injected_ + p.value(x);
      (left > 0.0 ? high : low) = x;
      double next = x - left / (farads_ + p.slope(x));
      if (!(next > low && next < high)) next = 0.5 * (low + high);
      const double change = std::fabs(next - x);
      x = next;
      constexpr double kSmallStepVolts = 1e-9;
      if (change < kSmallStepVolts) break;
    }
    return x;
  }

  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"))) void read_blocks(
      const std::uint8_t* inputs, std::size_t stride, std::span<double> output) const {
    const std::size_t nodes = end_.size();
    std::vector<float> added(added_.size());
    for (std::size_t i = 0; i < added.size(); ++i) added[i] = static_cast<float>(added_[i] / kScale);
    std::vector<double> drawn(nodes);
    for (std::size_t first = 0; first < output.size(); first += kLanes) {
      const std::size_t filled = std::min(kLanes, output.size() - first);
      Vector sum[FloatingLine::kMostNodes] = {};
      for (std::size_t j = 0; j < rows_; ++j) {
        Vector x;
        for (std::size_t l = 0; l < kLanes; ++l) x[l] = inputs[(first + std::min(l, filled - 1)) * stride + j];
        const float* a = added.data() + j * nodes;
        for (std::size_t f = 0; f < nodes; ++f) sum[f] += x * a[f];
      }
      for (std::size_t l = 0; l < filled; ++l) {
        for (std::size_t f = 0; f < nodes; ++f) drawn[f] = idle_[f] + kScale * static_cast<double>(sum[f][l]);
        output[first + l] = balance(drawn) + shift_ + offset_;
      }
    }
  }

  std::vector<double> end_, derivative_;
  std::size_t sources_;
  double farads_, precharge_, shift_, offset_;
  std::size_t rows_;
  std::vector<double> idle_;   ///< [F] charge drawn with no row active
  std::vector<double> added_;  ///< [rows][F] what an active row adds
  std::vector<double> off_thermal_, on_thermal_, relative_sigma_, declared_output_, middle_charge_;
  double injected_ = 0.0, idle_thermal_ = 0.0, output_variance_ = 0.0, reset_square_coulombs_ = 0.0;
  double idle_slope_ = 0.0, middle_ = 0.0, slope_per_charge_ = 0.0;
};

constexpr std::size_t kHoldOutEvery = 4;
bool held_out(std::size_t m) { return m > 0 && m % kHoldOutEvery == 0; }

/// Least squares of the measured charges on the monomials of one degree.
class ChargeFitter {
 public:
  ChargeFitter(const circuit::Characterization& data, const std::vector<std::size_t>& nodes, FloatingLine& family)
      : data_(data), nodes_(nodes), family_(family) {
    for (const double q : data.charge.charge_coulombs)
      if (std::isfinite(q)) scale_ = std::max(scale_, std::fabs(q));
  }

  CellFitQuality run() {
    CellFitQuality quality;
    quality.degree = family_.degree;
    quality.converged = true;
    const std::size_t count = monomial_count(family_.exponents, family_.terms);
    family_.charge_coulombs.clear();
    std::vector<double> errors, checks;
    for (std::size_t level = 0; level < 2 * family_.stored_levels; ++level)
      for (const std::size_t f : nodes_) {
        const auto [basis, charge] = collect(level, f, false);
        const auto [check_basis, check] = collect(level, f, true);
        if (basis.rows() < static_cast<Eigen::Index>(count))
          throw Error(ExitStatus::kComputation, "E504",
                      fmt::format("{} points for {} coefficients of a cell's charge", basis.rows(), count),
                      "too many simulations of the cell failed; run characterize again");
        const Eigen::VectorXd c = basis.colPivHouseholderQr().solve(charge);
        const Eigen::VectorXd e = basis * c - charge, h = check_basis * c - check;
        errors.insert(errors.end(), e.data(), e.data() + e.size());
        checks.insert(checks.end(), h.data(), h.data() + h.size());
        for (Eigen::Index k = 0; k < c.size(); ++k) family_.charge_coulombs.push_back(c(k) * scale_);
        note_identifiability(basis, e, quality);
      }
    quality.rms = root_mean_square(errors);
    quality.held_out_rms = checks.empty() ? quality.rms : root_mean_square(checks);
    for (const double e : errors) quality.maximum = std::max(quality.maximum, std::fabs(e));
    for (const double e : checks) quality.held_out_maximum = std::max(quality.held_out_maximum, std::fabs(e));
    return quality;
  }

 private:
  std::pair<Eigen::MatrixXd, Eigen::VectorXd> collect(std::size_t level, std::size_t f, bool want_held_out) const {
    const std::size_t terms = family_.terms, samples = data_.cell.mismatch_count(),
                      all = data_.charge.final_volts.size();
    std::vector<double> rows, charges, monomials;
    for (std::size_t m = 0; m < samples; ++m) {
      const double q = data_.charge.charge_coulombs[(level * samples + m) * all + f];
      if (held_out(m) != want_held_out || !std::isfinite(q)) continue;
      monomials_at(family_.exponents, terms, family_.mismatch_range,
                   std::span(data_.cell.mismatch_points).subspan(m * terms, terms), monomials);
      rows.insert(rows.end(), monomials.begin(), monomials.end());
      charges.push_back(q / scale_);
    }
    const auto count = static_cast<Eigen::Index>(monomial_count(family_.exponents, terms));
    using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const auto n = static_cast<Eigen::Index>(charges.size());
    return {Eigen::Map<const RowMajor>(rows.data(), n, count), Eigen::Map<const Eigen::VectorXd>(charges.data(), n)};
  }

  static void note_identifiability(const Eigen::MatrixXd& basis, const Eigen::VectorXd& errors,
                                   CellFitQuality& quality) {
    const Eigen::BDCSVD<Eigen::MatrixXd> svd(basis, Eigen::ComputeThinU | Eigen::ComputeThinV);
    const auto& values = svd.singularValues();
    quality.condition_number = std::max(quality.condition_number, values(0) / values(values.size() - 1));
    const auto freedom = std::max<Eigen::Index>(1, basis.rows() - basis.cols());
    const Eigen::MatrixXd scaled = svd.matrixV() * values.cwiseInverse().asDiagonal();
    const double variance = errors.squaredNorm() / static_cast<double>(freedom);
    quality.widest_parameter_half_width = std::max(
        quality.widest_parameter_half_width, 1.96 * std::sqrt(variance * scaled.rowwise().squaredNorm().maxCoeff()));
  }

  const circuit::Characterization& data_;
  const std::vector<std::size_t>& nodes_;
  FloatingLine& family_;
  double scale_ = 0.0;
};

/// Measurements whose end voltages tell different things, ordered by voltage.
std::vector<std::size_t> useful_nodes(const std::vector<double>& volts) {
  std::vector<std::size_t> order;
  for (std::size_t f = 0; f < volts.size(); ++f)
    if (std::isfinite(volts[f])) order.push_back(f);
  std::ranges::sort(order, {}, [&](std::size_t f) { return volts[f]; });
  if (order.empty()) return order;
  constexpr double kApart = 2e-3;  // of the whole span
  const double span = volts[order.back()] - volts[order.front()];
  std::vector<std::size_t> nodes;
  for (const std::size_t f : order)
    if (nodes.empty() || volts[f] - volts[nodes.back()] > kApart * span) nodes.push_back(f);
  return nodes;
}

void fit_switch(const circuit::Characterization& data, FloatingLine& family) {
  const auto& c = data.charge;
  if (c.switch_farads.empty()) return;
  family.switch_terms = c.switch_terms.size();
  family.switch_farads = c.switch_farads;
  family.switch_exponents =
      family.switch_terms == 0 ? std::vector<std::uint8_t>{} : CellModel::full_basis(family.switch_terms, 2);
  const std::size_t count = monomial_count(family.switch_exponents, family.switch_terms), samples = c.switch_count();
  // A step U behind share p of a load C moves the line by U p C / (C + C_switch).
  double load = 0.0, loads = 0.0;
  for (std::size_t s = 0; s < c.switch_farads.size(); ++s) {
    const double moved = c.switch_probe_volts[s] - c.switch_volts[s * samples];
    constexpr double kStep = circuit::CellCharge::kProbeVolts * circuit::CellCharge::kProbeShare;
    if (!std::isfinite(moved) || moved <= 0.0) continue;
    load += c.switch_farads[s] * (kStep / moved - 1.0);
    loads += 1.0;
  }
  if (loads > 0.0) family.switch_load_farads = std::max(0.0, load / loads);
  std::vector<double> monomials;
  for (std::size_t s = 0; s < c.switch_farads.size(); ++s) {
    std::vector<double> rows, charges;
    for (std::size_t m = 0; m < samples; ++m) {
      const double volts = c.switch_volts[s * samples + m];
      if (!std::isfinite(volts)) continue;
      monomials_at(family.switch_exponents, family.switch_terms, family.mismatch_range,
                   std::span(c.switch_points).subspan(m * family.switch_terms, family.switch_terms), monomials);
      rows.insert(rows.end(), monomials.begin(), monomials.end());
      charges.push_back((volts - data.array.precharge_volts) * (c.switch_farads[s] + family.switch_load_farads) * 1e15);
    }
    using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const auto n = static_cast<Eigen::Index>(charges.size());
    if (n < static_cast<Eigen::Index>(count))
      throw Error(ExitStatus::kComputation, "E504", "too few simulations of the reset switch gave a number");
    const Eigen::MatrixXd basis = Eigen::Map<const RowMajor>(rows.data(), n, static_cast<Eigen::Index>(count));
    const Eigen::VectorXd fit = basis.colPivHouseholderQr().solve(Eigen::Map<const Eigen::VectorXd>(charges.data(), n));
    for (Eigen::Index k = 0; k < fit.size(); ++k) family.switch_coulombs.push_back(fit(k) * 1e-15);
  }
}

[[noreturn]] void damaged(const Hdf5Reader& f, const char* what) {
  throw Error(ExitStatus::kArtifact, "E403", f.path().string() + ": " + what);
}

bool ascending(const std::vector<double>& x) {
  for (std::size_t i = 0; i < x.size(); ++i)
    if (!std::isfinite(x[i]) || (i > 0 && !(x[i] > x[i - 1]))) return false;
  return true;
}

}  // namespace

std::vector<double> spline_derivatives(std::span<const double> x) {
  const auto n = static_cast<Eigen::Index>(x.size());
  Eigen::MatrixXd a = Eigen::MatrixXd::Zero(n, n), b = Eigen::MatrixXd::Zero(n, n);
  const auto h = [&](Eigen::Index i) { return x[static_cast<std::size_t>(i) + 1] - x[static_cast<std::size_t>(i)]; };
  for (Eigen::Index i = 1; i + 1 < n; ++i) {  // second derivatives agree at the inner nodes
    const double l = h(i - 1), r = h(i);
    a(i, i - 1) = r;
    a(i, i) = 2 * (l + r);
    a(i, i + 1) = l;
    b(i, i - 1) = -3 * r / l;
    b(i, i) = 3 * (r / l - l / r);
    b(i, i + 1) = 3 * l / r;
  }
  // Third derivatives agree at the second node from each end:
  // (d0 + d1 − 2 s0) / h0² = (d1 + d2 − 2 s1) / h1², s the secant slopes.
  const auto not_a_knot = [&](Eigen::Index row, Eigen::Index i) {
    const double l = h(i), r = h(i + 1), wl = 1 / (l * l), wr = 1 / (r * r);
    a(row, i) = wl;
    a(row, i + 1) = wl - wr;
    a(row, i + 2) = -wr;
    b(row, i) = -2 * wl / l;
    b(row, i + 1) = 2 * wl / l + 2 * wr / r;
    b(row, i + 2) = -2 * wr / r;
  };
  not_a_knot(0, 0);
  not_a_knot(n - 1, n - 3);
  const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> m = a.fullPivLu().solve(b);
  return {m.data(), m.data() + m.size()};
}

void FloatingLine::cell_charge(std::size_t input, std::size_t level, Real draws, std::span<double> charge) const {
  thread_local std::vector<double> monomials;
  monomials_at(exponents, terms, mismatch_range, draws, monomials);
  const double* c = charge_coulombs.data() + (input * stored_levels + level) * end_volts.size() * monomials.size();
  for (std::size_t f = 0; f < end_volts.size(); ++f, c += monomials.size()) {
    charge[f] = 0.0;
    for (std::size_t k = 0; k < monomials.size(); ++k) charge[f] += c[k] * monomials[k];
  }
}

double FloatingLine::switch_charge(double farads, Real draws) const {
  std::vector<double> monomials;
  monomials_at(switch_exponents, switch_terms, mismatch_range, draws, monomials);
  const auto at = [&](std::size_t s) {
    double sum = 0.0;
    for (std::size_t k = 0; k < monomials.size(); ++k) sum += switch_coulombs[s * monomials.size() + k] * monomials[k];
    return sum;
  };
  // Linear in 1 / C between the loads: the slower the line follows, the less the split depends on it.
  std::size_t k = 0;
  while (k + 2 < switch_farads.size() && switch_farads[k + 1] < farads) ++k;
  const double u = 1 / farads, a = 1 / switch_farads[k], b = 1 / switch_farads[k + 1];
  const double share = std::clamp((u - a) / (b - a), 0.0, 1.0);
  return at(k) + share * (at(k + 1) - at(k));
}

std::unique_ptr<Line> FloatingLine::line(const LineConditions& c) const {
  return std::make_unique<ReleasedLine>(*this, c);
}

void FloatingLine::save(Hdf5Writer& f) const {
  const std::size_t count = monomial_count(exponents, terms), nodes = end_volts.size();
  f.attribute("/cell", "levels", static_cast<std::int64_t>(stored_levels));
  f.attribute("/cell", "degree", static_cast<std::int64_t>(degree));
  f.attribute("/cell", "mismatch_range", mismatch_range);
  f.write("/cell/end_voltage", Real(end_volts), {nodes}, "V");
  f.write("/cell/exponents", std::span<const std::uint8_t>(exponents), {terms == 0 ? 0 : count, terms}, "1");
  f.write("/cell/charge", Real(charge_coulombs), {2, stored_levels, nodes, count}, "C");
  f.write("/cell/thermal_variance", Real(thermal_square_coulombs), {2, stored_levels}, "C^2");
  if (switch_farads.empty()) return;
  const std::size_t switch_count = monomial_count(switch_exponents, switch_terms);
  f.attribute("/switch", "load_farads", switch_load_farads);
  f.attribute("/switch", "terms", static_cast<std::int64_t>(switch_terms));
  f.write("/switch/load", Real(switch_farads), {switch_farads.size()}, "F");
  f.write("/switch/exponents", std::span<const std::uint8_t>(switch_exponents),
          {switch_terms == 0 ? 0 : switch_count, switch_terms}, "1");
  f.write("/switch/charge", Real(switch_coulombs), {switch_farads.size(), switch_count}, "C");
}

std::shared_ptr<const ColumnFamily> FloatingLine::load(const Hdf5Reader& f, TermCounts counts) {
  auto m = std::make_shared<FloatingLine>();
  const std::int64_t levels = f.integer("/cell", "levels");
  if (levels < 2 || levels > 256) damaged(f, "/cell has an impossible number of levels");
  m->stored_levels = static_cast<std::size_t>(levels);
  m->terms = counts.cell;
  m->degree = static_cast<int>(f.integer("/cell", "degree"));
  m->mismatch_range = f.real("/cell", "mismatch_range");
  m->end_volts = f.doubles("/cell/end_voltage");
  if (m->end_volts.size() < 4 || m->end_volts.size() > kMostNodes || !ascending(m->end_volts) ||
      !(m->mismatch_range > 0) || m->degree < 0 || m->degree > 8)
    damaged(f, "the cell model's description contradicts itself");
  m->exponents = f.bytes("/cell/exponents");
  if (counts.cell > 0 && (m->exponents.empty() || m->exponents.size() % counts.cell != 0))
    damaged(f, "/cell/exponents is damaged");
  for (const auto e : m->exponents)
    if (e > m->degree) damaged(f, "/cell/exponents is damaged");
  m->charge_coulombs =
      f.doubles("/cell/charge", {2, m->stored_levels, m->end_volts.size(), monomial_count(m->exponents, counts.cell)});
  m->thermal_square_coulombs = f.doubles("/cell/thermal_variance", {2, m->stored_levels});
  if (!f.has("/switch/load")) return m;
  const std::int64_t terms = f.integer("/switch", "terms");
  m->switch_load_farads = f.real("/switch", "load_farads");
  m->switch_farads = f.doubles("/switch/load");
  m->switch_exponents = f.bytes("/switch/exponents");
  if (terms < 0 || static_cast<std::size_t>(terms) != counts.reset_switch || !(m->switch_load_farads >= 0) || m->switch_farads.size() < 2 ||
      !ascending(m->switch_farads) ||
      (terms > 0 && (m->switch_exponents.empty() || m->switch_exponents.size() % static_cast<std::size_t>(terms) != 0)))
    damaged(f, "/switch contradicts itself");
  m->switch_terms = static_cast<std::size_t>(terms);
  m->switch_coulombs =
      f.doubles("/switch/charge", {m->switch_farads.size(), monomial_count(m->switch_exponents, m->switch_terms)});
  return m;
}

FamilyFit fit_floating_line(const circuit::Characterization& data) {
  FloatingLine base;
  base.stored_levels = data.cell.weight_levels.size();
  base.terms = data.cell.cell_terms.size();
  for (const auto* points : {&data.cell.mismatch_points, &data.charge.switch_points})
    for (const double z : *points) base.mismatch_range = std::max(base.mismatch_range, std::fabs(z));
  const auto nodes = useful_nodes(data.charge.final_volts);
  constexpr std::size_t kFewestNodes = 4;
  if (nodes.size() < kFewestNodes)
    throw Error(ExitStatus::kComputation, "E502",
                fmt::format("the bit line of the reference cell ends at {} different voltages only", nodes.size()),
                "an active cell of the top stored level must move the line; see circuit.input.levels, circuit.timing "
                "and circuit.design.bit_line_points");
  if (nodes.size() > FloatingLine::kMostNodes)
    throw Error(ExitStatus::kComputation, "E502",
                fmt::format("{} end voltages; the family takes {}", nodes.size(), FloatingLine::kMostNodes),
                "lower circuit.design.bit_line_points");
  for (const std::size_t f : nodes) base.end_volts.push_back(data.charge.final_volts[f]);
  // White noise of the cell's current over the pulse: Var(Q) = S T / 2 = (S / 2T)·T².
  for (const double v : data.cell.noise_square_amperes)
    base.thermal_square_coulombs.push_back(v * data.array.pulse_seconds * data.array.pulse_seconds);
  fit_switch(data, base);
  std::size_t fitted = 0;
  for (std::size_t m = 0; m < data.cell.mismatch_count(); ++m) fitted += held_out(m) ? 0 : 1;
  FamilyFit fit;
  for (const int degree : {1, 2, 3, 4}) {
    FloatingLine candidate = base;
    candidate.degree = candidate.terms == 0 ? 0 : degree;
    if (candidate.terms > 0) candidate.exponents = CellModel::full_basis(candidate.terms, degree);
    if (degree > 1 && (candidate.terms == 0 || 2 * monomial_count(candidate.exponents, candidate.terms) > fitted))
      break;
    const CellFitQuality quality = ChargeFitter(data, nodes, candidate).run();
    fit.tried.push_back(quality);
    constexpr double kWorthwhile = 0.8;  // a higher degree must lower the held-out error by a fifth
    if (fit.tried.size() == 1 || quality.held_out_rms < kWorthwhile * fit.tried[fit.chosen].held_out_rms) {
      fit.chosen = fit.tried.size() - 1;
      fit.family = std::make_shared<FloatingLine>(std::move(candidate));
    }
  }
  return fit;
}

}  // namespace errata::behavioral
