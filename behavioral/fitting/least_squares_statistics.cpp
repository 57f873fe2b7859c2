#include "behavioral/fitting/least_squares_statistics.h"

#include <fmt/format.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>

namespace errata::behavioral {

namespace {

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// First and second derivative of the loss by the residual, over 2: what the residual weighs in the normal equations
/// and how fast that changes. r and 1 without a loss.
struct Influence {
  double psi = 0.0, slope = 1.0;
};

Influence influence(const LeastSquaresOptions& o, double r) {
  const double a = o.loss_scale, q = r / a;
  switch (o.loss) {
    case RobustLoss::kNone:
      return {r, 1};
    case RobustLoss::kHuber:
      return std::fabs(q) <= 1 ? Influence{r, 1} : Influence{std::copysign(a, r), 0};
    case RobustLoss::kSoftL1:
      return {r / std::sqrt(1 + q * q), std::pow(1 + q * q, -1.5)};
    case RobustLoss::kCauchy:
      return {r / (1 + q * q), (1 - q * q) / ((1 + q * q) * (1 + q * q))};
  }
  return {r, 1};
}

double loss(const LeastSquaresOptions& o, double r) {
  const double a = o.loss_scale, q = r / a;
  switch (o.loss) {
    case RobustLoss::kNone:
      return r * r;
    case RobustLoss::kHuber:
      return std::fabs(q) <= 1 ? r * r : a * (2 * std::fabs(r) - a);
    case RobustLoss::kSoftL1:
      return 2 * r * r / (std::sqrt(1 + q * q) + 1);
    case RobustLoss::kCauchy:
      return a * a * std::log1p(q * q);
  }
  return r * r;
}

void add_residual_figures(const LeastSquaresProblem& problem, LeastSquaresFit& fit) {
  for (const double r : fit.residuals) {
    fit.sum_of_squares += r * r;
    fit.maximum = std::max(fit.maximum, std::fabs(r));
  }
  fit.rms = root_mean_square(fit.residuals);
  fit.bias = mean(fit.residuals);
  if (problem.measured.size() != fit.residuals.size() || fit.residuals.size() < 2) return;
  const double total = variance(problem.measured) * static_cast<double>(problem.measured.size() - 1);
  if (total > 0) fit.r_squared = 1 - fit.sum_of_squares / total;
}

/// Everything that rests on the Jacobian. Parameters that the cost pushes against a bound are left out of it.
class Geometry {
 public:
  Geometry(const LeastSquaresProblem& problem, const LeastSquaresOptions& options, std::span<const double> jacobian,
           LeastSquaresFit& fit)
      : options_(options),
        fit_(fit),
        all_(Eigen::Map<const RowMajor>(jacobian.data(), static_cast<Eigen::Index>(fit.residuals.size()),
                                        static_cast<Eigen::Index>(problem.parameters))) {
    const Eigen::Index count = all_.rows();
    cost_residuals_.resize(count);
    cost_jacobian_ = all_;
    for (Eigen::Index i = 0; i < count; ++i) {
      const LossyResidual r = lossy(options, fit.residuals[static_cast<std::size_t>(i)]);
      cost_residuals_(i) = r.value;
      cost_jacobian_.row(i) *= r.slope;
    }
    find_free(problem);
    decompose();
  }

  void run() {
    fit_.degrees_of_freedom = fit_.residuals.size() > free_.size() ? fit_.residuals.size() - free_.size() : 0;
    if (fit_.degrees_of_freedom > 0)
      fit_.residual_sigma = std::sqrt(fit_.sum_of_squares / static_cast<double>(fit_.degrees_of_freedom));
    judge_stationarity();
    add_covariance();
    add_intervals();
  }

 private:
  void find_free(const LeastSquaresProblem& problem) {
    const Eigen::VectorXd gradient = cost_jacobian_.transpose() * cost_residuals_;
    for (std::size_t j = 0; j < problem.parameters; ++j) {
      const double value = fit_.parameters[j].value, slope = gradient(static_cast<Eigen::Index>(j));
      const bool low = value <= lower_bound(problem, j) && slope >= 0,
                 high = value >= upper_bound(problem, j) && slope <= 0;
      fit_.parameters[j].at_bound = low || high;
      if (!low && !high) free_.push_back(j);
    }
  }

  /// The free columns of a Jacobian, each scaled to length 1, and their lengths (1 where it is 0).
  struct Columns {
    Eigen::MatrixXd scaled;
    Eigen::VectorXd length;
  };

  Columns free_columns(const Eigen::MatrixXd& jacobian) const {
    const auto free = static_cast<Eigen::Index>(free_.size());
    Columns columns{Eigen::MatrixXd(jacobian.rows(), free), Eigen::VectorXd::Ones(free)};
    for (Eigen::Index k = 0; k < free; ++k) {
      columns.scaled.col(k) = jacobian.col(static_cast<Eigen::Index>(free_[static_cast<std::size_t>(k)]));
      const double length = columns.scaled.col(k).norm();
      if (length > 0) columns.length(k) = length;
      columns.scaled.col(k) /= columns.length(k);
    }
    return columns;
  }

  void decompose() {
    fit_.rank = fit_.parameters.size() - free_.size();
    if (free_.empty()) return;
    const Columns columns = free_columns(cost_jacobian_);
    length_ = columns.length;
    const Eigen::JacobiSVD<Eigen::MatrixXd> svd(columns.scaled, Eigen::ComputeThinU | Eigen::ComputeThinV);
    u_ = svd.matrixU();
    v_ = svd.matrixV();
    singular_ = svd.singularValues();
    // Numeric derivatives carry about 1e-10 of noise, which would pass for a direction of its own.
    const double noise =
        options_.derivatives == Derivatives::kNumeric ? 1e-9 : 1e-14 * static_cast<double>(all_.rows());
    while (rank_ < singular_.size() && singular_(rank_) > noise * singular_(0)) ++rank_;
    fit_.rank += static_cast<std::size_t>(rank_);
    const bool enough = all_.rows() >= static_cast<Eigen::Index>(free_.size());
    const double least = singular_(singular_.size() - 1);
    fit_.condition_number = enough && least > 0 ? singular_(0) / least : std::numeric_limits<double>::infinity();
  }

  /// Bates and Watts: the part of the residuals that the parameters could still remove, against what they cannot.
  void judge_stationarity() {
    if (rank_ == 0) return;
    const Eigen::VectorXd along = u_.leftCols(rank_).transpose() * cost_residuals_;
    const double removable = along.squaredNorm() / static_cast<double>(rank_);
    const double rest = std::max(0.0, cost_residuals_.squaredNorm() - along.squaredNorm());
    const double noise = fit_.degrees_of_freedom > 0 ? rest / static_cast<double>(fit_.degrees_of_freedom) : 0.0;
    fit_.relative_offset = removable > 0 ? std::sqrt(removable / noise) : 0.0;
    constexpr double kStationary = 1e-3;
    if (fit_.relative_offset <= kStationary) return;
    // Residuals of rounding size stand at any angle: then it counts that no step would change the model any more,
    // measured by the size of its terms.
    double terms = 0;
    for (Eigen::Index k = 0; k < length_.size(); ++k)
      terms += length_(k) * std::fabs(fit_.parameters[free_[static_cast<std::size_t>(k)]].value);
    constexpr double kNoChange = 1e-9;
    if (along.norm() <= kNoChange * terms || !fit_.converged) return;
    fit_.converged = false;
    fit_.message += fmt::format("; not at a minimum: relative offset {:.2g}", fit_.relative_offset);
  }

  /// Variance of unit weight. With a loss: Huber (1981, §7.6), K² Σψ²/(n − p) / (mean ψ')².
  double unit_variance() const {
    const auto count = static_cast<double>(fit_.residuals.size()), free = static_cast<double>(free_.size());
    double psi_square = 0, slope = 0, slope_square = 0;
    for (const double r : fit_.residuals) {
      const Influence i = influence(options_, r);
      psi_square += i.psi * i.psi;
      slope += i.slope / count;
      slope_square += i.slope * i.slope / count;
    }
    if (slope <= 0) return std::numeric_limits<double>::infinity();
    const double correction = 1 + free / count * std::max(0.0, slope_square - slope * slope) / (slope * slope);
    return correction * correction * psi_square / (count - free) / (slope * slope);
  }

  /// From the plain Jacobian (without the loss) of the free parameters.
  void add_covariance() {
    const auto total = static_cast<Eigen::Index>(fit_.parameters.size()),
               free = static_cast<Eigen::Index>(free_.size());
    RowMajor covariance = RowMajor::Zero(total, total);
    std::vector<bool> determined(free_.size(), true);
    if (free > 0) {
      for (Eigen::Index k = 0; k < free; ++k)
        determined[static_cast<std::size_t>(k)] = 1 - v_.row(k).leftCols(rank_).squaredNorm() < 1e-8;
      if (fit_.degrees_of_freedom > 0) {
        const Eigen::MatrixXd inverse = inverse_normal_matrix();
        const double variance = unit_variance();
        for (Eigen::Index a = 0; a < free; ++a)
          for (Eigen::Index b = 0; b < free; ++b)
            if (determined[static_cast<std::size_t>(a)] && determined[static_cast<std::size_t>(b)])
              covariance(static_cast<Eigen::Index>(free_[static_cast<std::size_t>(a)]),
                         static_cast<Eigen::Index>(free_[static_cast<std::size_t>(b)])) = variance * inverse(a, b);
      }
    }
    for (std::size_t k = 0; k < free_.size(); ++k) fit_.parameters[free_[k]].identifiable = determined[k];
    fit_.covariance.assign(covariance.data(), covariance.data() + covariance.size());
  }

  /// (JᵀJ)⁻¹ of the plain Jacobian's free columns on the determined directions.
  Eigen::MatrixXd inverse_normal_matrix() const {
    const auto inverse = [this](const Eigen::VectorXd& length, const Eigen::MatrixXd& v,
                                const Eigen::VectorXd& values) {
      const Eigen::MatrixXd root =
          length.cwiseInverse().asDiagonal() * v.leftCols(rank_) * values.head(rank_).cwiseInverse().asDiagonal();
      return Eigen::MatrixXd(root * root.transpose());
    };
    if (options_.loss == RobustLoss::kNone) return inverse(length_, v_, singular_);
    const Columns columns = free_columns(all_);
    const Eigen::JacobiSVD<Eigen::MatrixXd> svd(columns.scaled, Eigen::ComputeThinU | Eigen::ComputeThinV);
    return inverse(columns.length, svd.matrixV(), svd.singularValues());
  }

  void add_intervals() {
    const std::size_t total = fit_.parameters.size();
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    for (std::size_t j = 0; j < total; ++j) {
      ParameterEstimate& p = fit_.parameters[j];
      if (p.at_bound) {
        p.interval = {p.value, p.value, p.value};
      } else if (!p.identifiable || fit_.degrees_of_freedom == 0) {
        p.standard_error = kInfinity;
        p.interval = {p.value, -kInfinity, kInfinity};
      } else {
        p.standard_error = std::sqrt(fit_.covariance[j * total + j]);
        const double half =
            student_t_quantile(0.5 + options_.confidence / 2, static_cast<double>(fit_.degrees_of_freedom)) *
            p.standard_error;
        p.interval = {p.value, p.value - half, p.value + half};
      }
    }
  }

  const LeastSquaresOptions& options_;
  LeastSquaresFit& fit_;
  RowMajor all_, cost_jacobian_;  ///< plain; with the loss worked in
  Eigen::VectorXd cost_residuals_;
  std::vector<std::size_t> free_;  ///< parameters not at a bound
  Eigen::VectorXd length_, singular_;
  Eigen::MatrixXd u_, v_;
  Eigen::Index rank_ = 0;
};

}  // namespace

double lower_bound(const LeastSquaresProblem& problem, std::size_t parameter) {
  return problem.lower.empty() ? -std::numeric_limits<double>::infinity() : problem.lower[parameter];
}

double upper_bound(const LeastSquaresProblem& problem, std::size_t parameter) {
  return problem.upper.empty() ? std::numeric_limits<double>::infinity() : problem.upper[parameter];
}

LossyResidual lossy(const LeastSquaresOptions& options, double residual) {
  if (options.loss == RobustLoss::kNone || residual == 0) return {residual, 1};
  const double value = std::copysign(std::sqrt(loss(options, residual)), residual);
  // (v²)' = 2 v v' and (loss)' = 2 ψ.
  return {value, influence(options, residual).psi / value};
}

void add_statistics(const LeastSquaresProblem& problem, const LeastSquaresOptions& options,
                    std::span<const double> jacobian, LeastSquaresFit& fit) {
  add_residual_figures(problem, fit);
  Geometry(problem, options, jacobian, fit).run();
}

std::vector<double> LeastSquaresFit::values() const {
  std::vector<double> all;
  for (const ParameterEstimate& p : parameters) all.push_back(p.value);
  return all;
}

std::string LeastSquaresFit::brief() const {
  std::string text = fmt::format("{} after {} steps: rms {:.4g}  max {:.4g}  bias {:+.2g}",
                                 converged ? "converged" : "NOT converged", steps, rms, maximum, bias);
  if (r_squared) text += fmt::format("  R2 {:.6f}", *r_squared);
  return text;
}

std::string LeastSquaresFit::full(std::span<const std::string> names) const {
  std::string text = brief() + "\n" + fmt::format("  {}\n", message);
  text +=
      fmt::format("  {} residuals, {} degrees of freedom, residual sigma {:.4g}, condition {:.2g}{}\n",
                  residuals.size(), degrees_of_freedom, residual_sigma, condition_number,
                  identifiable() ? "" : fmt::format(", only {} of {} directions determined", rank, parameters.size()));
  for (std::size_t j = 0; j < parameters.size(); ++j) {
    const ParameterEstimate& p = parameters[j];
    text += fmt::format("  {:<12} {:>14.7g}", j < names.size() ? names[j] : fmt::format("[{}]", j), p.value);
    text += p.at_bound        ? "  at its bound\n"
            : !p.identifiable ? "  not determined by the data\n"
                              : fmt::format("  [{:.7g}, {:.7g}]\n", p.interval.low, p.interval.high);
  }
  return text;
}

}  // namespace errata::behavioral
