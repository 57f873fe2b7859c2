#include "behavioral/fitting/cell_fit.h"

#include <fmt/format.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <memory>

#include "behavioral/fitting/fitted_parameters.h"
#include "core/error.h"
#include "core/statistics.h"

namespace errata::behavioral {

namespace {

/// One (input, stored) level's points as design matrix and target.
struct Samples {
  Eigen::MatrixXd basis;      ///< [points][monomials]
  Eigen::VectorXd log_ratio;  ///< ln(I / (V_bl − V_sl))
};

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// exp(B·c − target), the fitted over the measured current.
Eigen::VectorXd ratio(const Samples& samples, std::span<const double> coefficients) {
  const Eigen::Map<const Eigen::VectorXd> c(coefficients.data(), samples.basis.cols());
  return (samples.basis * c - samples.log_ratio).array().exp();
}

/// Relative errors of the current and their derivatives by the coefficients.
LeastSquaresProblem relative_current(std::shared_ptr<const Samples> samples) {
  LeastSquaresProblem problem{.parameters = static_cast<std::size_t>(samples->basis.cols())};
  problem.residuals = [samples](std::span<const double> c) {
    const Eigen::VectorXd r = ratio(*samples, c).array() - 1.0;
    return std::vector<double>(r.data(), r.data() + r.size());
  };
  problem.jacobian = [samples](std::span<const double> c) {
    const RowMajor j = ratio(*samples, c).asDiagonal() * samples->basis;
    return std::vector<double>(j.data(), j.data() + j.size());
  };
  return problem;
}

constexpr std::size_t kHoldOutEvery = 4;

bool held_out(std::size_t m) { return m > 0 && m % kHoldOutEvery == 0; }

/// Points of one (input, stored) level that are not held out.
std::size_t fitted_points(const circuit::CellSurface& surface) {
  std::size_t samples = 0;
  for (std::size_t m = 0; m < surface.mismatch_count(); ++m) samples += held_out(m) ? 0 : 1;
  return samples * surface.source_line_volts.size() * surface.bit_line_volts.size();
}

/// Points of the shorter voltage axis: a polynomial of that degree is not determined between them.
int shortest_axis(const circuit::CellSurface& surface) {
  const std::size_t bit = surface.bit_line_volts.size(), source = surface.source_line_volts.size();
  return static_cast<int>(source > 1 ? std::min(bit, source) : bit);
}

class Fitter {
 public:
  Fitter(const circuit::CellSurface& surface, CellModel model, std::vector<std::string> variables = {})
      : surface_(surface), model_(std::move(model)), variables_(std::move(variables)) {
    for (const double i : surface.current_amperes)
      if (std::isfinite(i)) largest_ = std::max(largest_, i);
  }

  struct Result {
    CellModel model;
    CellFitQuality quality;
    std::vector<FittedParameter> parameters;
  };
  Result run() {
    quality_.degree = model_.degree;
    quality_.converged = true;
    for (std::size_t x = 0; x < model_.inputs; ++x)
      for (std::size_t level = 0; level < model_.levels; ++level) fit_level(x, level);
    quality_.rms = root_mean_square(fitted_errors_);
    quality_.held_out_rms = held_out_errors_.empty() ? quality_.rms : root_mean_square(held_out_errors_);
    for (const double e : fitted_errors_) quality_.maximum = std::max(quality_.maximum, std::fabs(e));
    for (const double e : held_out_errors_)
      quality_.held_out_maximum = std::max(quality_.held_out_maximum, std::fabs(e));
    return {model_, quality_, std::move(parameters_)};
  }

  LeastSquaresProblem problem(std::size_t x, std::size_t level) const {
    return relative_current(std::make_shared<const Samples>(collect(x, level, false)));
  }

 private:
  Samples collect(std::size_t x, std::size_t level, bool want_held_out) const {
    std::vector<double> rows, target;
    const std::size_t terms = model_.terms, count = model_.monomials();
    for (std::size_t m = 0; m < surface_.mismatch_count(); ++m) {
      if (held_out(m) != want_held_out) continue;
      const std::span<const double> draws(surface_.mismatch_points.data() + m * terms, terms);
      for (std::size_t s = 0; s < surface_.source_line_volts.size(); ++s)
        for (std::size_t b = 0; b < surface_.bit_line_volts.size(); ++b) {
          const double bit = surface_.bit_line_volts[b], source = surface_.source_line_volts[s];
          const double measured = surface_.current(x, level, m, s, b);
          if (!std::isfinite(measured)) continue;  // a tolerated failure of the campaign
          // A leakage below a millionth of the largest current is as good as none, and its sign may be gmin's.
          const double current = std::max(measured, kNegligible * largest_);
          if (measured < -kTolerated * largest_ || bit <= source)
            throw Error(
                ExitStatus::kComputation, "E502",
                fmt::format("the cell's current at V_bl = {} V, V_sl = {} V is {} A; the current-mode family "
                            "needs a positive one",
                            bit, source, measured),
                "check the clamp voltage and the pins; circuit.design.bit_line_low leaves out bit-line voltages "
                "that the line never sags to");
          append_monomials(rows, bit, source, draws);
          target.push_back(std::log(current / (bit - source)));
        }
    }
    Samples samples;
    samples.basis = Eigen::Map<Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>(
        rows.data(), static_cast<Eigen::Index>(target.size()), static_cast<Eigen::Index>(count));
    samples.log_ratio = Eigen::Map<Eigen::VectorXd>(target.data(), static_cast<Eigen::Index>(target.size()));
    return samples;
  }

  void append_monomials(std::vector<double>& out, double bit, double source, std::span<const double> draws) const {
    std::vector<double> u{(bit - model_.center_volts) / model_.scale_volts};
    if (model_.source_axis) u.push_back(source / model_.scale_volts);
    for (const double z : draws) u.push_back(z / model_.mismatch_range);
    for (std::size_t k = 0; k < model_.monomials(); ++k) {
      double product = 1.0;
      for (std::size_t v = 0; v < u.size(); ++v)
        for (int e = 0; e < model_.exponents[k * u.size() + v]; ++e) product *= u[v];
      out.push_back(product);
    }
  }

  void fit_level(std::size_t x, std::size_t level) {
    const auto shared = std::make_shared<const Samples>(collect(x, level, false));
    const Samples &samples = *shared, check = collect(x, level, true);
    if (samples.basis.rows() <= samples.basis.cols())
      throw Error(ExitStatus::kComputation, "E504",
                  fmt::format("{} points for {} coefficients of the cell's surface", samples.basis.rows(),
                              samples.basis.cols()),
                  "raise circuit.design.bit_line_points");
    Eigen::VectorXd c = samples.basis.colPivHouseholderQr().solve(samples.log_ratio);  // start: exact in the logarithm
    const LeastSquaresFit fit =
        fit_least_squares(relative_current(shared), std::vector<double>(c.data(), c.data() + c.size()));
    quality_.converged = quality_.converged && fit.converged;
    quality_.condition_number = std::max(quality_.condition_number, fit.condition_number);
    for (const ParameterEstimate& p : fit.parameters)
      quality_.widest_parameter_half_width =
          std::max(quality_.widest_parameter_half_width, p.interval.high - p.interval.estimate);
    note_parameters(fit, fmt::format("input {}, level {}", x, level));
    const std::vector<double> values = fit.values();
    c = Eigen::Map<const Eigen::VectorXd>(values.data(), c.size());
    std::copy(
        c.data(), c.data() + c.size(),
        model_.coefficients.begin() + static_cast<std::ptrdiff_t>((x * model_.levels + level) * model_.monomials()));
    const auto errors = [&](const Samples& s, std::vector<double>& into) {
      const Eigen::VectorXd e = (s.basis * c - s.log_ratio).array().exp() - 1.0;
      into.insert(into.end(), e.data(), e.data() + e.size());
    };
    errors(samples, fitted_errors_);
    errors(check, held_out_errors_);
  }

  void note_parameters(const LeastSquaresFit& fit, const std::string& regression) {
    std::vector<std::string> names;
    const std::size_t variables = model_.variables();
    for (std::size_t k = 0; k < model_.monomials(); ++k)
      names.push_back(monomial_name(std::span(model_.exponents).subspan(k * variables, variables), variables_));
    const auto more = fitted_parameters(fit, regression, names);
    parameters_.insert(parameters_.end(), more.begin(), more.end());
  }

  static constexpr double kNegligible = 1e-6, kTolerated = 1e-4;  ///< of the largest current

  const circuit::CellSurface& surface_;
  double largest_ = 0.0;
  CellModel model_;
  std::vector<std::string> variables_;
  CellFitQuality quality_;
  std::vector<FittedParameter> parameters_;
  std::vector<double> fitted_errors_, held_out_errors_;
};

}  // namespace

LeastSquaresProblem cell_fit_problem(const circuit::CellSurface& surface, const CellModel& model, std::size_t input,
                                     std::size_t level) {
  return Fitter(surface, model).problem(input, level);
}

CellFit fit_cell(const circuit::CellSurface& surface, double mismatch_range, std::span<const std::string> term_names) {
  CellModel base;
  base.inputs = surface.input_levels_volts.size();
  base.levels = surface.weight_levels.size();
  base.terms = surface.cell_terms.size();
  base.source_axis = surface.source_line_volts.size() > 1;
  base.lowest_volts = surface.bit_line_volts.front();
  base.highest_volts = surface.bit_line_volts.back();
  base.center_volts = 0.5 * (base.lowest_volts + base.highest_volts);
  base.scale_volts = 0.5 * (base.highest_volts - base.lowest_volts);
  base.mismatch_range = mismatch_range;
  if (base.variables() > CellModel::kMostVariables)
    throw Error(ExitStatus::kComputation, "E502",
                fmt::format("{} mismatch terms act inside the cell; the current-mode family takes {}", base.terms,
                            CellModel::kMostVariables - (base.variables() - base.terms)),
                "join terms that move the same parameter");
  std::vector<std::string> variables{"bit"};
  if (base.source_axis) variables.emplace_back("source");
  for (std::size_t t = 0; t < base.terms; ++t)
    variables.push_back(t < term_names.size() ? term_names[t] : fmt::format("z{}", t));
  CellFit fit;
  const std::size_t fitted = fitted_points(surface);
  for (const int degree : {1, 2, 3, 4}) {
    CellModel candidate = base;
    candidate.degree = degree;
    candidate.exponents = CellModel::full_basis(base.variables(), degree);
    // The data carry no more: too few points, or a power that vanishes on all points of a voltage axis.
    if (degree > 1 && (candidate.monomials() >= fitted || degree >= shortest_axis(surface))) break;
    candidate.coefficients.assign(base.inputs * base.levels * candidate.monomials(), 0.0);
    auto [model, quality, parameters] = Fitter(surface, candidate, variables).run();
    fit.tried.push_back(quality);
    constexpr double kWorthwhile = 0.8;  // a higher degree must lower the held-out error by a fifth
    constexpr double kExact = 1e-9;      // below this it only fits the simulator's rounding
    const bool better =
        fit.tried.size() == 1 || (fit.tried[fit.chosen].held_out_rms > kExact &&
                                  quality.held_out_rms < kWorthwhile * fit.tried[fit.chosen].held_out_rms);
    if (better) {
      fit.chosen = fit.tried.size() - 1;
      fit.model = std::move(model);
      fit.parameters = std::move(parameters);
    }
  }
  return fit;
}

}  // namespace errata::behavioral
