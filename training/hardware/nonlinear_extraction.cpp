#include "training/hardware/nonlinear_extraction.h"

#include <fmt/format.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "behavioral/model.h"
#include "core/error.h"

namespace errata::training {

namespace {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;
using Index = Eigen::Index;

/// Residuals and derivatives by the searched parameters at θ.
class Problem {
 public:
  Problem(const ConversionSamples& samples, const ExtractionOptions& options) : samples_(samples), options_(options) {
    for (std::size_t k = 0; k < options.start.curve.parameter_count(); ++k)
      if (options.searched[k]) searched_.push_back(k);
  }

  Index samples() const { return static_cast<Index>(samples_.ideal.size()); }
  Index parameters() const { return static_cast<Index>(searched_.size()); }
  const std::vector<std::size_t>& searched() const { return searched_; }

  /// The quantiser at the searched parameters, inside the form's domain.
  NonlinearQuantizer at(const Vector& theta) const {
    NonlinearQuantizer q = options_.start;
    for (Index k = 0; k < theta.size(); ++k) q.curve.parameters[searched_[static_cast<std::size_t>(k)]] = theta(k);
    q.curve = q.curve.bounded();
    return q;
  }

  struct Point {
    Vector residual;
    Matrix derivatives;
  };
  Point evaluate(const Vector& theta) const {
    const NonlinearQuantizer q = at(theta);
    Point p{Vector(samples()), Matrix(samples(), parameters())};
    for (Index i = 0; i < samples(); ++i) {
      const double y = samples_.ideal[static_cast<std::size_t>(i)];
      const QuantizedPoint made =
          samples_.observed == Observed::kAnalog ? analog(q, y) : q.soft_at(y, options_.temperature);
      p.residual(i) = made.value - samples_.output[static_cast<std::size_t>(i)];
      for (Index k = 0; k < parameters(); ++k)
        p.derivatives(i, k) = made.by_parameter[searched_[static_cast<std::size_t>(k)]];
    }
    return p;
  }

 private:
  static QuantizedPoint analog(const NonlinearQuantizer& q, double y) {
    const CurvePoint f = q.curve.at(y / q.full_scale);
    QuantizedPoint made{q.full_scale * f.value, f.slope, f.by_parameter};
    for (double& d : made.by_parameter) d *= q.full_scale;
    return made;
  }

  const ConversionSamples& samples_;
  const ExtractionOptions& options_;
  std::vector<std::size_t> searched_;
};

void check(const ConversionSamples& samples, const Problem& problem, const ExtractionOptions& options) {
  if (samples.ideal.size() != samples.output.size())
    throw Error(ExitStatus::kBug, "E700", "an extraction needs as many outputs as ideal values");
  const bool finite = std::ranges::all_of(samples.ideal, [](double v) { return std::isfinite(v); }) &&
                      std::ranges::all_of(samples.output, [](double v) { return std::isfinite(v); });
  if (!finite || problem.parameters() == 0 || problem.samples() <= problem.parameters())
    throw Error(ExitStatus::kComputation, "E504",
                fmt::format("{} conversions for {} parameters of a conversion's curve", problem.samples(),
                            problem.parameters()),
                "an extraction needs more conversions than parameters, all of them numbers");
  if (!(options.temperature > 0.0) || !(options.start.full_scale > 0.0))
    throw Error(ExitStatus::kBug, "E700", "an extraction needs a temperature and a full scale above 0");
}

/// Coordinates φ with θ = θ₀ + T φ in which the derivatives stand at right angles, each with a mean square of y_fs²; but
/// one unit of φ moves no parameter by more than 1: where a form hardly bends, far steps would leave it for good.
Matrix right_angles(const Matrix& derivatives, double full_scale) {
  const Eigen::JacobiSVD<Matrix> svd(derivatives, Eigen::ComputeThinU | Eigen::ComputeThinV);
  const auto& values = svd.singularValues();
  if (!(values(values.size() - 1) > 1e-9 * values(0)))
    throw Error(ExitStatus::kComputation, "E504", "the conversions do not determine the curve's parameters",
                "they must spread over the range of y");
  const double unit = std::sqrt(static_cast<double>(derivatives.rows())) * full_scale;
  Matrix turn = svd.matrixV() * (unit * values.cwiseInverse()).asDiagonal();
  for (Index k = 0; k < turn.cols(); ++k) turn.col(k) /= std::max(1.0, turn.col(k).cwiseAbs().maxCoeff());
  return turn;
}

/// θ that the optimiser ends at.
Vector search(const Problem& problem, const ExtractionOptions& options) {
  Vector start(problem.parameters());
  for (Index k = 0; k < start.size(); ++k)
    start(k) = options.start.curve.parameters[problem.searched()[static_cast<std::size_t>(k)]];
  const double full_scale = options.start.full_scale;
  const Matrix turn = right_angles(problem.evaluate(start).derivatives, full_scale);
  const auto count = static_cast<std::size_t>(problem.parameters());
  Parameter phi{
      .name = "curve", .shape = {count}, .value = std::vector<float>(count), .gradient = std::vector<float>(count)};
  Parameter* const all[] = {&phi};
  Optimizer optimizer(options.optimizer, all);
  const auto theta = [&] {
    Vector moved(problem.parameters());
    for (Index k = 0; k < moved.size(); ++k) moved(k) = static_cast<double>(phi.value[static_cast<std::size_t>(k)]);
    return Vector(start + turn * moved);
  };
  for (std::uint64_t step = 0; step < options.steps; ++step) {
    const auto p = problem.evaluate(theta());
    const Vector gradient = turn.transpose() * (p.derivatives.transpose() * p.residual) /
                            (static_cast<double>(problem.samples()) * full_scale * full_scale);
    for (std::size_t k = 0; k < count; ++k) phi.gradient[k] = static_cast<float>(gradient(static_cast<Index>(k)));
    optimizer.step(learning_rate_at(options.schedule, step, options.steps, options.steps));
  }
  return theta();
}

}  // namespace

ConversionSamples analog_samples(const behavioral::BehavioralModel& model) {
  ConversionSamples samples{Observed::kAnalog, model.validation.mac, model.validation.circuit_error};
  for (std::size_t k = 0; k < samples.ideal.size(); ++k) samples.output[k] += samples.ideal[k];
  return samples;
}

ConversionSamples coded(const ConversionSamples& analog, const NonlinearQuantizer& adc) {
  NonlinearQuantizer ideal = adc;
  ideal.curve = {};
  ConversionSamples codes{Observed::kCodes, analog.ideal, analog.output};
  for (double& v : codes.output) v = ideal.at(v).value;
  return codes;
}

NonlinearExtraction extract_nonlinearity(const ConversionSamples& samples, const ExtractionOptions& options) {
  const Problem problem(samples, options);
  check(samples, problem, options);
  check_schedule(options.schedule);
  const Vector theta = search(problem, options);
  const auto p = problem.evaluate(theta);
  NonlinearExtraction found;
  found.quantizer = problem.at(theta);
  const double n = static_cast<double>(problem.samples()), freedom = n - static_cast<double>(problem.parameters());
  found.rms = p.residual.norm() / std::sqrt(n);
  const Vector lengths = p.derivatives.colwise().norm();
  const Eigen::JacobiSVD<Matrix> svd(p.derivatives * lengths.cwiseInverse().asDiagonal(),
                                     Eigen::ComputeThinU | Eigen::ComputeThinV);
  const auto& values = svd.singularValues();
  found.condition_number = values(0) / values(values.size() - 1);
  const Vector along = svd.matrixU().transpose() * p.residual;
  const double rest = std::max(0.0, p.residual.squaredNorm() - along.squaredNorm());
  found.relative_offset =
      std::sqrt(along.squaredNorm() / static_cast<double>(problem.parameters()) / std::max(rest / freedom, 1e-300));
  const double sigma = std::sqrt(p.residual.squaredNorm() / freedom);
  const double factor = student_t_quantile(0.5 + options.confidence / 2, freedom) * sigma;
  const Matrix spread = lengths.cwiseInverse().asDiagonal() * svd.matrixV() * values.cwiseInverse().asDiagonal();
  for (std::size_t k = 0; k < found.quantizer.curve.parameter_count(); ++k) {
    const double value = found.quantizer.curve.parameters[k];
    const auto at = std::ranges::find(problem.searched(), k);
    const double half =
        at == problem.searched().end() ? 0.0 : factor * spread.row(at - problem.searched().begin()).norm();
    found.parameters.push_back({value, value - half, value + half});
  }
  return found;
}

std::string NonlinearExtraction::brief() const {
  std::string text = fmt::format("{} curve, rms {:.3g}, condition {:.2g}{}:", form_name(quantizer.curve.form), rms,
                                 condition_number, converged() ? "" : ", did NOT converge");
  const auto names = curve_parameter_names(quantizer.curve.form);
  for (std::size_t k = 0; k < parameters.size(); ++k)
    text += fmt::format(" {} = {:+.4f} [{:+.4f}, {:+.4f}]", names[k], parameters[k].estimate, parameters[k].low,
                        parameters[k].high);
  return text;
}

}  // namespace errata::training
