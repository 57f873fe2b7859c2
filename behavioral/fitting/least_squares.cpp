#include "behavioral/fitting/least_squares.h"

#include <ceres/ceres.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "behavioral/fitting/least_squares_statistics.h"
#include "core/error.h"

namespace errata::behavioral {

namespace {

[[noreturn]] void refuse(const std::string& message) { throw Error(ExitStatus::kComputation, "E522", message); }

bool usable(const std::vector<double>& values, std::size_t count) {
  return values.size() == count && std::ranges::all_of(values, [](double v) { return std::isfinite(v); });
}

void check(const LeastSquaresProblem& p, std::span<const std::vector<double>> starts, const LeastSquaresOptions& o) {
  if (p.parameters == 0 || !p.residuals) refuse("a fit needs parameters and residuals");
  if (starts.empty() && o.further_starts == 0) refuse("a fit needs a start");
  for (const auto* bounds : {&p.lower, &p.upper})
    if (!bounds->empty() && bounds->size() != p.parameters)
      refuse(fmt::format("{} bounds for {} parameters", bounds->size(), p.parameters));
  for (std::size_t j = 0; j < p.parameters; ++j) {
    if (!(lower_bound(p, j) <= upper_bound(p, j)))
      refuse(fmt::format("parameter {} lies between {} and {}", j, lower_bound(p, j), upper_bound(p, j)));
    if (o.further_starts > 0 && !(std::isfinite(lower_bound(p, j)) && std::isfinite(upper_bound(p, j))))
      refuse(fmt::format("further starts need bounds, and parameter {} has none", j));
  }
  for (const auto& start : starts)
    for (std::size_t j = 0; j < std::max(p.parameters, start.size()); ++j)
      if (start.size() != p.parameters || !(start[j] >= lower_bound(p, j) && start[j] <= upper_bound(p, j)))
        refuse(fmt::format("a start of {} values for {} parameters, or outside of the bounds", start.size(),
                           p.parameters));
  if (!(o.confidence > 0 && o.confidence < 1)) refuse(fmt::format("a confidence of {}", o.confidence));
  if (o.loss != RobustLoss::kNone && !(o.loss_scale > 0)) refuse(fmt::format("a loss scale of {}", o.loss_scale));
}

/// Point k of the Halton sequence in this dimension, in (0, 1).
double halton(std::size_t k, std::size_t dimension) {
  std::size_t base = 2;
  for (std::size_t found = 0;; ++base) {
    bool prime = true;
    for (std::size_t d = 2; d * d <= base; ++d) prime = prime && base % d != 0;
    if (prime && found++ == dimension) break;
  }
  double value = 0, digit = 1;
  for (std::size_t i = k + 1; i > 0; i /= base)
    value += (digit /= static_cast<double>(base)) * static_cast<double>(i % base);
  return value;
}

/// Derivatives by central differences for the search, [residuals][parameters]; steps end at the bounds. Empty when the
/// model has no values around the parameters.
std::vector<double> central_differences(const LeastSquaresProblem& problem, std::span<const double> parameters,
                                        std::span<const double> scales, std::size_t count) {
  const double relative_step = std::cbrt(std::numeric_limits<double>::epsilon());
  std::vector<double> x(parameters.begin(), parameters.end()), jacobian(count * x.size());
  const std::vector<double> middle = problem.residuals(x);
  for (std::size_t j = 0; j < x.size(); ++j) {
    const double step = relative_step * std::max(std::fabs(parameters[j]), scales[j]);
    double high = std::min(parameters[j] + step, upper_bound(problem, j));
    double low = std::max(parameters[j] - step, lower_bound(problem, j));
    x[j] = high;
    std::vector<double> up = problem.residuals(x);
    x[j] = low;
    std::vector<double> down = problem.residuals(x);
    x[j] = parameters[j];
    if (!usable(up, count)) {
      up = middle;
      high = x[j];
    }
    if (!usable(down, count)) {
      down = middle;
      low = x[j];
    }
    if (!usable(middle, count)) return {};
    const double distance = high - low;  // 0 where both bounds are one
    for (std::size_t i = 0; i < count; ++i)
      jacobian[i * x.size() + j] = distance > 0 ? (up[i] - down[i]) / distance : 0;
  }
  return jacobian;
}

/// Typical sizes of the parameters for numeric steps.
std::vector<double> typical_sizes(const std::vector<double>& start) {
  std::vector<double> sizes;
  for (const double x : start) sizes.push_back(x != 0 ? std::fabs(x) : 1.0);
  return sizes;
}

std::vector<double> jacobian(const LeastSquaresProblem& problem, const LeastSquaresOptions& options,
                             const std::vector<double>& parameters, const std::vector<double>& scales,
                             std::size_t count) {
  if (options.derivatives == Derivatives::kAnalytic && problem.jacobian) return problem.jacobian(parameters);
  return central_differences(problem, parameters, scales, count);
}

/// The problem as Ceres takes it: one block of residuals with the loss worked in, scaled at the start so that the unit
/// of the residuals does not matter; parameters that are held left out.
class Cost final : public ceres::CostFunction {
 public:
  Cost(const LeastSquaresProblem& problem, const LeastSquaresOptions& options, std::vector<double> parameters,
       std::vector<std::size_t> free, std::size_t count, double factor)
      : problem_(problem),
        options_(options),
        parameters_(std::move(parameters)),
        scales_(typical_sizes(parameters_)),
        free_(std::move(free)),
        count_(count),
        factor_(factor) {
    set_num_residuals(static_cast<int>(count));
    mutable_parameter_block_sizes()->push_back(static_cast<int>(free_.size()));
  }

  bool Evaluate(double const* const* free_values, double* residuals, double** jacobians) const override {
    std::vector<double> x = parameters_;
    for (std::size_t k = 0; k < free_.size(); ++k) x[free_[k]] = free_values[0][k];
    const std::vector<double> r = problem_.residuals(x);
    if (!usable(r, count_)) return false;
    for (std::size_t i = 0; i < count_; ++i) residuals[i] = factor_ * lossy(options_, r[i]).value;
    if (jacobians == nullptr || jacobians[0] == nullptr) return true;
    const std::vector<double> j = jacobian(problem_, options_, x, scales_, count_);
    if (!usable(j, count_ * problem_.parameters)) return false;
    for (std::size_t i = 0; i < count_; ++i) {
      const double slope = factor_ * lossy(options_, r[i]).slope;
      for (std::size_t k = 0; k < free_.size(); ++k)
        jacobians[0][i * free_.size() + k] = slope * j[i * problem_.parameters + free_[k]];
    }
    return true;
  }

 private:
  const LeastSquaresProblem& problem_;
  const LeastSquaresOptions& options_;
  std::vector<double> parameters_, scales_;
  std::vector<std::size_t> free_;
  std::size_t count_;
  double factor_;
};

/// A search from one start with everything that is known of its end.
struct Attempt {
  LeastSquaresFit fit;
  double cost = INFINITY;  ///< with the loss; infinite where the model has no values at the start
  bool convincing() const { return fit.converged && fit.identifiable(); }
};

/// What is known of the fit where a search ended.
void finish(const LeastSquaresProblem& problem, const LeastSquaresOptions& options,
            const std::vector<double>& parameters, Attempt& attempt) {
  LeastSquaresFit& fit = attempt.fit;
  for (const double value : parameters) fit.parameters.push_back({.value = value});
  if (!std::isfinite(attempt.cost)) return;
  fit.residuals = problem.residuals(parameters);
  const auto slopes = jacobian(problem, options, parameters, typical_sizes(parameters), fit.residuals.size());
  if (!usable(slopes, fit.residuals.size() * problem.parameters)) {
    fit.converged = false;
    fit.message += "; the model has no derivatives where the search ended";
    return;
  }
  add_statistics(problem, options, slopes, fit);
}

ceres::Solver::Options ceres_options(const LeastSquaresOptions& options) {
  ceres::Solver::Options o;
  o.linear_solver_type = ceres::DENSE_QR;
  o.logging_type = ceres::SILENT;
  o.max_num_iterations = static_cast<int>(options.most_steps);
  o.function_tolerance = options.tolerance;
  o.parameter_tolerance = options.tolerance;
  o.gradient_tolerance = 0;  // absolute, so it would depend on the parameters' units
  o.max_num_consecutive_invalid_steps = 50;
  return o;
}

/// Searches over the parameters that are not held. `rms` is what the residuals at the start are scaled to: Ceres damps
/// a parameter's steps by the curvature along it, but by no less than 1; large residuals make that irrelevant, small
/// ones let it hold back flat directions.
Attempt search_free(const LeastSquaresProblem& problem, const LeastSquaresOptions& options,
                    std::vector<double> parameters, const std::vector<bool>& held, double rms) {
  Attempt attempt;
  const std::vector<double> first = problem.residuals(parameters);
  if (first.empty() || !usable(first, first.size())) {
    attempt.fit.message = "the model has no values at the start";
    finish(problem, options, parameters, attempt);
    return attempt;
  }
  double square = 0;
  for (const double r : first) square += std::pow(lossy(options, r).value, 2);
  const double factor = square > 0 ? rms * std::sqrt(static_cast<double>(first.size()) / square) : 1.0;

  std::vector<std::size_t> free;
  std::vector<double> x;
  for (std::size_t j = 0; j < problem.parameters; ++j)
    if (!held[j]) {
      free.push_back(j);
      x.push_back(parameters[j]);
    }
  ceres::Problem ceres_problem;
  ceres_problem.AddResidualBlock(new Cost(problem, options, parameters, free, first.size(), factor), nullptr, x.data());
  for (std::size_t k = 0; k < free.size(); ++k) {
    const double low = lower_bound(problem, free[k]), high = upper_bound(problem, free[k]);
    if (std::isfinite(low)) ceres_problem.SetParameterLowerBound(x.data(), static_cast<int>(k), low);
    if (std::isfinite(high)) ceres_problem.SetParameterUpperBound(x.data(), static_cast<int>(k), high);
  }
  ceres::Solver::Summary summary;
  ceres::Solve(ceres_options(options), &ceres_problem, &summary);
  for (std::size_t k = 0; k < free.size(); ++k) parameters[free[k]] = x[k];
  attempt.fit.converged = summary.termination_type == ceres::CONVERGENCE;
  attempt.fit.steps = static_cast<std::size_t>(summary.num_successful_steps + summary.num_unsuccessful_steps);
  attempt.fit.message = summary.message;
  attempt.cost = 2 * summary.final_cost / (factor * factor);
  finish(problem, options, parameters, attempt);
  return attempt;
}

/// Ceres projects its steps on the bounds and stalls once one is active. So parameters that end at a bound are held
/// there and the others searched on, until none wants to leave its bound and no other arrives at one.
Attempt search(const LeastSquaresProblem& problem, const LeastSquaresOptions& options, const std::vector<double>& start,
               double rms) {
  std::vector<bool> held(problem.parameters, false);
  Attempt attempt = search_free(problem, options, start, held, rms);
  for (std::size_t round = 0; round < 2 * problem.parameters; ++round) {
    std::vector<bool> at_bound;
    for (const ParameterEstimate& p : attempt.fit.parameters) at_bound.push_back(p.at_bound);
    const bool all = std::ranges::all_of(at_bound, [](bool b) { return b; });
    if (at_bound == held || all) break;
    held = at_bound;
    const std::size_t steps = attempt.fit.steps;
    attempt = search_free(problem, options, attempt.fit.values(), held, rms);
    attempt.fit.steps += steps;
  }
  return attempt;
}

/// A second way of damping where the first one ends nowhere.
Attempt fit_from(const LeastSquaresProblem& problem, const LeastSquaresOptions& options,
                 const std::vector<double>& start) {
  Attempt first = search(problem, options, start, 1e6);
  if (first.convincing() || !std::isfinite(first.cost)) return first;
  Attempt second = search(problem, options, start, 1.0);
  if (second.convincing() || second.cost < first.cost) return second;
  return first;
}

/// A loss has little to hold on to far from the data: it starts where the plain fit ends.
Attempt fit_with_loss(const LeastSquaresProblem& problem, const LeastSquaresOptions& options,
                      const std::vector<double>& start) {
  if (options.loss == RobustLoss::kNone) return fit_from(problem, options, start);
  LeastSquaresOptions plain_options = options;
  plain_options.loss = RobustLoss::kNone;
  const Attempt plain = fit_from(problem, plain_options, start);
  return fit_from(problem, options, plain.convincing() ? plain.fit.values() : start);
}

bool same_cost(double a, double b) { return std::fabs(a - b) <= 1e-6 * std::max(a, b); }

}  // namespace

LeastSquaresFit fit_least_squares(const LeastSquaresProblem& problem, std::span<const std::vector<double>> starts,
                                  const LeastSquaresOptions& options) {
  check(problem, starts, options);
  std::vector<Attempt> attempts;
  for (const auto& start : starts) attempts.push_back(fit_with_loss(problem, options, start));
  for (std::size_t k = 0; k < options.further_starts; ++k) {
    std::vector<double> start;
    for (std::size_t j = 0; j < problem.parameters; ++j)
      start.push_back(lower_bound(problem, j) + halton(k, j) * (upper_bound(problem, j) - lower_bound(problem, j)));
    attempts.push_back(fit_with_loss(problem, options, start));
  }
  std::size_t best = 0;
  for (std::size_t k = 1; k < attempts.size(); ++k) {
    const bool same = same_cost(attempts[k].cost, attempts[best].cost);
    if (same ? attempts[k].fit.converged && !attempts[best].fit.converged : attempts[k].cost < attempts[best].cost)
      best = k;
  }
  LeastSquaresFit fit = attempts[best].fit;
  fit.best_start = best;
  for (const Attempt& a : attempts)
    fit.agreeing_starts += a.fit.converged && same_cost(a.cost, attempts[best].cost) ? 1 : 0;
  return fit;
}

LeastSquaresFit fit_least_squares(const LeastSquaresProblem& problem, const std::vector<double>& start,
                                  const LeastSquaresOptions& options) {
  return fit_least_squares(problem, std::span(&start, 1), options);
}

}  // namespace errata::behavioral
