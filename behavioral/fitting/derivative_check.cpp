#include "behavioral/fitting/derivative_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"

namespace errata::behavioral {

namespace {

[[noreturn]] void refuse(const std::string& message) { throw Error(ExitStatus::kComputation, "E522", message); }

bool all_finite(const std::vector<double>& values) {
  return std::ranges::all_of(values, [](double v) { return std::isfinite(v); });
}

double scale_of(std::span<const double> scales, std::span<const double> parameters, std::size_t j) {
  if (!scales.empty()) return scales[j];
  return parameters[j] != 0 ? std::fabs(parameters[j]) : 1.0;
}

/// Derivative of every output by one parameter, by Ridders' tables of extrapolations.
class Ridders {
 public:
  Ridders(const VectorFunction& function, std::span<const double> parameters, std::size_t parameter,
          std::size_t outputs)
      : function_(function),
        parameters_(parameters.begin(), parameters.end()),
        parameter_(parameter),
        best_(outputs, 0.0),
        error_(outputs, INFINITY) {}

  void run(double scale) {
    double step = kFirstStep * scale;
    std::vector<double> difference = central(step);
    constexpr int kShrinkings = 60;
    for (int i = 0; i < kShrinkings && difference.empty(); ++i) difference = central(step /= kShrink);
    if (difference.empty())
      refuse(fmt::format("the function has no values on both sides of parameter {} = {}", parameter_,
                         parameters_[parameter_]));
    std::vector<std::vector<double>> previous{std::move(difference)};
    for (int row = 1; row < kRows; ++row) {
      std::vector<std::vector<double>> current{central(step /= kShrink)};
      if (current[0].empty()) return;  // a hole in the domain: what there is counts
      extrapolate(previous, current);
      previous = std::move(current);
    }
  }

  double derivative(std::size_t output) const { return best_[output]; }
  double error(std::size_t output) const { return error_[output]; }

 private:
  static constexpr int kRows = 15;
  static constexpr double kFirstStep = 1e-2, kShrink = 2;  // down to 6e-7 of the scale

  /// Fills a row of the tables (order 0 is there) from the row with the larger step. An estimate's error is its
  /// distance to all it was made from and to the same order one row before, so that one chance agreement says nothing.
  void extrapolate(const std::vector<std::vector<double>>& previous, std::vector<std::vector<double>>& current) {
    double factor = 1;
    for (std::size_t k = 1; k <= previous.size(); ++k) {
      factor *= kShrink * kShrink;
      const std::vector<double>&fine = current[k - 1], &coarse = previous[k - 1];
      std::vector<double> estimate(best_.size());
      for (std::size_t i = 0; i < best_.size(); ++i) {
        estimate[i] = (factor * fine[i] - coarse[i]) / (factor - 1);
        double error = std::max(std::fabs(estimate[i] - fine[i]), std::fabs(estimate[i] - coarse[i]));
        if (k < previous.size()) error = std::max(error, std::fabs(estimate[i] - previous[k][i]));
        error += noise_;
        if (error > error_[i]) continue;
        error_[i] = error;
        best_[i] = estimate[i];
      }
      current.push_back(std::move(estimate));
    }
  }

  /// (f(x + h) − f(x − h)) / 2h with the h that the rounded parameters really are apart; empty outside of the domain.
  std::vector<double> central(double step) {
    const double x = parameters_[parameter_];
    const double high = x + step, low = x - step;
    parameters_[parameter_] = high;
    std::vector<double> up = function_(parameters_);
    parameters_[parameter_] = low;
    const std::vector<double> down = function_(parameters_);
    parameters_[parameter_] = x;
    if (up.size() != best_.size() || down.size() != best_.size() || !all_finite(up) || !all_finite(down) || high == low)
      return {};
    double largest = 0;
    for (std::size_t i = 0; i < up.size(); ++i) {
      largest = std::max({largest, std::fabs(up[i]), std::fabs(down[i])});
      up[i] = (up[i] - down[i]) / (high - low);
    }
    noise_ = 2 * std::numeric_limits<double>::epsilon() * largest / (high - low);
    return up;
  }

  const VectorFunction& function_;
  std::vector<double> parameters_;
  std::size_t parameter_;
  std::vector<double> best_, error_;
  double noise_ = 0.0;  ///< rounding errors of the largest output in the latest difference
};

}  // namespace

NumericJacobian numeric_jacobian(const VectorFunction& function, std::span<const double> parameters,
                                 std::span<const double> scales) {
  if (!scales.empty() && scales.size() != parameters.size())
    refuse(fmt::format("{} scales for {} parameters", scales.size(), parameters.size()));
  const std::vector<double> values = function(parameters);
  if (values.empty() || !all_finite(values)) refuse("the function has no values at the parameters");
  NumericJacobian jacobian{.outputs = values.size(), .parameters = parameters.size()};
  jacobian.values.resize(values.size() * parameters.size());
  jacobian.errors.resize(jacobian.values.size());
  for (std::size_t j = 0; j < parameters.size(); ++j) {
    Ridders ridders(function, parameters, j, values.size());
    ridders.run(scale_of(scales, parameters, j));
    for (std::size_t i = 0; i < values.size(); ++i) {
      jacobian.values[i * parameters.size() + j] = ridders.derivative(i);
      jacobian.errors[i * parameters.size() + j] = ridders.error(i);
    }
  }
  return jacobian;
}

std::string DerivativeCheck::brief() const {
  return fmt::format(
      "{} of {} derivatives differ, {} unresolved; worst: output {} by parameter {}, analytic {:.10g}, numeric {:.10g} "
      "± {:.1g}, {:.3g} times the allowed difference",
      failed, checked, unresolved, worst.output, worst.parameter, worst.analytic, worst.numeric, worst.numeric_error,
      worst.deviation);
}

DerivativeCheck check_derivatives(const VectorFunction& function, std::span<const double> analytic,
                                  std::span<const double> parameters, const DerivativeCheckOptions& options) {
  const NumericJacobian numeric = numeric_jacobian(function, parameters, options.scales);
  if (analytic.size() != numeric.values.size())
    refuse(fmt::format("{} analytic derivatives for {} outputs and {} parameters", analytic.size(), numeric.outputs,
                       numeric.parameters));
  DerivativeCheck check;
  check.worst.deviation = -1;
  for (std::size_t j = 0; j < numeric.parameters; ++j) {
    double largest = 0;
    for (std::size_t i = 0; i < numeric.outputs; ++i)
      largest = std::max(largest, std::fabs(numeric.values[i * numeric.parameters + j]));
    for (std::size_t i = 0; i < numeric.outputs; ++i) {
      const std::size_t k = i * numeric.parameters + j;
      const double size =
          std::max({std::fabs(analytic[k]), std::fabs(numeric.values[k]), options.negligible * largest});
      const double tolerance = options.relative_tolerance * size;
      const double difference = std::fabs(analytic[k] - numeric.values[k]);
      const double allowed = tolerance + 3 * numeric.errors[k];
      // A derivative that is 0 everywhere leaves nothing to allow and nothing to differ.
      double deviation = allowed > 0 ? difference / allowed : (difference > 0 ? INFINITY : 0.0);
      if (std::isnan(analytic[k])) deviation = INFINITY;
      ++check.checked;
      check.failed += deviation > 1 ? 1 : 0;
      check.unresolved += numeric.errors[k] > tolerance ? 1 : 0;
      if (deviation > check.worst.deviation)
        check.worst = {i, j, analytic[k], numeric.values[k], numeric.errors[k], deviation};
    }
  }
  check.passed = check.failed == 0 && check.unresolved == 0;
  return check;
}

}  // namespace errata::behavioral
