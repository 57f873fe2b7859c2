#include <fmt/format.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "behavioral/cell_model.h"
#include "behavioral/fitting/draw_monomials.h"
#include "behavioral/fitting/fitted_parameters.h"
#include "behavioral/line/floating_line.h"
#include "core/statistics.h"

namespace errata::behavioral {

namespace {

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr std::size_t kHoldOutEvery = 4;
bool held_out(std::size_t m) { return m > 0 && m % kHoldOutEvery == 0; }

/// Names of monomials of these mismatch terms' draws.
std::vector<std::string> term_monomials(const circuit::Characterization& data,
                                        const std::vector<std::uint8_t>& exponents,
                                        const std::vector<std::size_t>& terms) {
  std::vector<std::string> variables, all;
  for (const std::size_t t : terms) variables.push_back(data.mismatch[t].name);
  for (std::size_t k = 0; k < monomial_count(exponents, terms.size()); ++k)
    all.push_back(monomial_name(std::span(exponents).subspan(k * terms.size(), terms.size()), variables));
  return all;
}

/// Least squares of the measured charges on the monomials of one degree.
class ChargeFitter {
 public:
  ChargeFitter(const circuit::Characterization& data, const std::vector<std::size_t>& nodes, FloatingLine& family)
      : data_(data), nodes_(nodes), family_(family) {
    for (const double q : data.charge.charge_coulombs)
      if (std::isfinite(q)) scale_ = std::max(scale_, std::fabs(q));
  }

  std::vector<FittedParameter> parameters() const { return parameters_; }

  CellFitQuality run() {
    CellFitQuality quality;
    quality.degree = family_.degree;
    quality.converged = true;
    const std::size_t count = monomial_count(family_.exponents, family_.terms);
    family_.charge_coulombs.clear();
    std::vector<double> errors, checks;
    for (std::size_t level = 0; level < family_.stored_inputs * family_.stored_levels; ++level)
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
        note_parameters(basis, e, c, level, f);
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
    std::vector<double> rows, charges;
    for (std::size_t m = 0; m < samples; ++m) {
      const double q = data_.charge.charge_coulombs[(level * samples + m) * all + f];
      if (held_out(m) != want_held_out || !std::isfinite(q)) continue;
      const auto monomials = family_.monomials(std::span(data_.cell.mismatch_points).subspan(m * terms, terms));
      rows.insert(rows.end(), monomials.begin(), monomials.end());
      charges.push_back(q / scale_);
    }
    const auto count = static_cast<Eigen::Index>(monomial_count(family_.exponents, terms));
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

  void note_parameters(const RowMajor& basis, const Eigen::VectorXd& errors, const Eigen::VectorXd& coefficients,
                       std::size_t level, std::size_t f) {
    const auto whole = [](const auto& m) {
      return std::span<const double>(m.data(), static_cast<std::size_t>(m.size()));
    };
    const auto more =
        fitted_parameters(linear_fit(whole(coefficients), whole(errors), whole(basis)),
                          fmt::format("input {}, level {}, end at {:.4g} V, fC", level / family_.stored_levels,
                                      level % family_.stored_levels, data_.charge.final_volts[f]),
                          term_monomials(data_, family_.exponents, data_.cell.cell_terms), scale_ * 1e15);
    parameters_.insert(parameters_.end(), more.begin(), more.end());
  }

  const circuit::Characterization& data_;
  const std::vector<std::size_t>& nodes_;
  FloatingLine& family_;
  double scale_ = 0.0;
  std::vector<FittedParameter> parameters_;
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

/// Returns the parameters of the reset switch's own regressions.
std::vector<FittedParameter> fit_switch(const circuit::Characterization& data, FloatingLine& family) {
  const auto& c = data.charge;
  if (c.switch_farads.empty()) return {};
  std::vector<FittedParameter> parameters;
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
  for (std::size_t s = 0; s < c.switch_farads.size(); ++s) {
    std::vector<double> rows, charges;
    for (std::size_t m = 0; m < samples; ++m) {
      const double volts = c.switch_volts[s * samples + m];
      if (!std::isfinite(volts)) continue;
      const auto monomials =
          draw_monomials(family.switch_exponents, family.switch_terms, family.mismatch_range,
                         std::span(c.switch_points).subspan(m * family.switch_terms, family.switch_terms));
      rows.insert(rows.end(), monomials.begin(), monomials.end());
      charges.push_back((volts - data.array.precharge_volts) * (c.switch_farads[s] + family.switch_load_farads) * 1e15);
    }
    const auto n = static_cast<Eigen::Index>(charges.size());
    if (n < static_cast<Eigen::Index>(count))
      throw Error(ExitStatus::kComputation, "E504", "too few simulations of the reset switch gave a number");
    const Eigen::Map<const RowMajor> basis(rows.data(), n, static_cast<Eigen::Index>(count));
    const Eigen::Map<const Eigen::VectorXd> charge(charges.data(), n);
    const Eigen::VectorXd fit = Eigen::MatrixXd(basis).colPivHouseholderQr().solve(charge),
                          error = basis * fit - charge;
    for (Eigen::Index k = 0; k < fit.size(); ++k) family.switch_coulombs.push_back(fit(k) * 1e-15);
    const auto more =
        fitted_parameters(linear_fit({fit.data(), count}, {error.data(), static_cast<std::size_t>(n)}, rows),
                          fmt::format("reset switch, load {:.4g} fF, fC", c.switch_farads[s] * 1e15),
                          term_monomials(data, family.switch_exponents, c.switch_terms));
    parameters.insert(parameters.end(), more.begin(), more.end());
  }
  return parameters;
}

}  // namespace

FamilyFit fit_floating_line(const circuit::Characterization& data) {
  FloatingLine base;
  base.stored_inputs = data.cell.input_levels_volts.size();
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
  // White noise of the cell's current over its pulse: Var(Q) = S T / 2, and v = S / (2 T_longest).
  const std::vector<double>& v = data.cell.noise_square_amperes;
  for (std::size_t k = 0; k < v.size(); ++k) {
    const double longest = data.array.pulse_seconds;
    const std::size_t x = k / base.stored_levels;
    const double share = x > 0 ? data.array.active_share(x) : 1.0;
    base.thermal_square_coulombs.push_back(v[k] * longest * longest * share);
  }
  const std::vector<FittedParameter> of_switch = fit_switch(data, base);
  std::size_t fitted = 0;
  for (std::size_t m = 0; m < data.cell.mismatch_count(); ++m) fitted += held_out(m) ? 0 : 1;
  FamilyFit fit;
  for (const int degree : {1, 2, 3, 4}) {
    FloatingLine candidate = base;
    candidate.degree = candidate.terms == 0 ? 0 : degree;
    if (candidate.terms > 0) candidate.exponents = CellModel::full_basis(candidate.terms, degree);
    if (degree > 1 && (candidate.terms == 0 || 2 * monomial_count(candidate.exponents, candidate.terms) > fitted))
      break;
    ChargeFitter fitter(data, nodes, candidate);
    const CellFitQuality quality = fitter.run();
    fit.tried.push_back(quality);
    constexpr double kWorthwhile = 0.8;  // a higher degree must lower the held-out error by a fifth
    if (fit.tried.size() == 1 || quality.held_out_rms < kWorthwhile * fit.tried[fit.chosen].held_out_rms) {
      fit.chosen = fit.tried.size() - 1;
      fit.family = std::make_shared<FloatingLine>(std::move(candidate));
      fit.parameters = fitter.parameters();
    }
  }
  fit.parameters.insert(fit.parameters.end(), of_switch.begin(), of_switch.end());
  return fit;
}

}  // namespace errata::behavioral
