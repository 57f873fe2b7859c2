#include "errormodel/estimation/estimate.h"

#include <fmt/format.h>
#include <omp.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>

#include "core/error.h"
#include "errormodel/estimation/cell_structure.h"
#include "errormodel/estimation/read_memory.h"
#include "errormodel/estimation/static_intervals.h"
#include "errormodel/estimation/variance_components.h"

namespace errata::errormodel {

namespace {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;

/// One observation.
struct Point {
  std::array<double, kCovariates> covariates{};
  double ya = 0;         ///< Σ g(w) x
  double slope = 1;      ///< 1 + ∂μ/∂y
  double e = 0;          ///< residual after g and μ
  double predicted = 0;  ///< what the predicted C + K of its column add to the output
  double noise = 0;      ///< known variance of the value, from its reads
  double y() const { return covariates[1]; }
  double a() const { return covariates[2]; }
};

class Estimator {
 public:
  Estimator(const Observations& o, const EstimateOptions& options, ErrorTable& table)
      : o_(o),
        options_(options),
        t_(table),
        count_(o.operands()),
        threads_(options.threads > 0 ? options.threads : omp_get_max_threads()) {
    if (o.chips < 8 || o.columns < 2 || count_ < 8)
      throw Error(
          ExitStatus::kComputation, "E504",
          fmt::format("{} chips x {} columns x {} operands cannot separate the terms", o.chips, o.columns, count_),
          "at least 8 chips, 2 columns and 8 operands are needed: errormodel.chips, .columns, .operands_per_column");
  }

  TermEstimates run() {
    t_.levels = o_.levels;
    t_.inputs = o_.inputs;
    t_.minimum_conductance = o_.minimum_conductance;
    t_.columns_used = o_.chips * o_.columns;
    collect();
    fit_levels();
    fit_dynamic();
    fit_mean();
    fit_static(kRough);
    if (options_.effort == EstimateOptions::Effort::kRough) {
      record_intervals();
      return evidence();
    }
    // g once more, now by generalised least squares: K and C blur the first estimate. The predicted C + K are taken out
    // before μ is smoothed again.
    correct_levels();
    fit_static(kRough);
    correct_levels();
    predict_static();
    fit_mean();
    fit_static(kFine);
    if (!o_.reads.empty()) fit_dynamic();
    record_intervals();
    return evidence();
  }

 private:
  struct Iterations {
    int most;
    double tolerance;
  };
  static constexpr Iterations kRough{4, 0.03}, kFine{8, 3e-3};

  Point& at(std::size_t chip, std::size_t column, std::size_t p) {
    return points_[(chip * o_.columns + column) * count_ + p];
  }
  bool outside(double ya) const { return ya > options_.y_limit || ya < options_.y_low; }
  bool differential() const { return o_.designs.front().differential(); }
  std::size_t kinds() const { return t_.kinds(); }

  void collect() {
    points_.resize(o_.size());
    std::vector<std::array<double, kCovariates>> values;
    double a_high = 1;
    for (std::size_t c = 0; c < o_.designs.size(); ++c)
      for (std::size_t p = 0; p < count_; ++p) {
        points_[c * count_ + p].covariates = covariate_values(o_.designs[c], p, o_.minimum_conductance);
        values.push_back(points_[c * count_ + p].covariates);
        a_high = std::max(a_high, values.back()[2]);
      }
    basis_ = orthogonal_basis(options_.covariates, values);
    t_.basis.fill(0.0);
    for (std::size_t k = 0; k < basis_.offered.size(); ++k)
      for (std::size_t j = 0; j <= k && table_place(basis_.offered[k]) >= 0; ++j)
        t_.basis[static_cast<std::size_t>(3 * table_place(basis_.offered[k]) + table_place(basis_.offered[j]))] =
            basis_.transform[k][j];
    t_.axes = {options_.y_low, options_.y_limit, 0.0, a_high, options_.y_points, options_.a_points};
  }

  /// Adds ±scale to the count of every kind of active cell: (input level, stored level).
  template <class Counts>
  void count_cells(const ColumnOperands& d, std::size_t p, double scale, Counts&& counts) const {
    const std::uint8_t* x = d.input(p);
    for (std::size_t j = 0; j < d.rows; ++j) {
      if (x[j] == 0) continue;
      counts(static_cast<Eigen::Index>(t_.kind(x[j], d.plus[j]))) += scale;
      if (d.differential()) counts(static_cast<Eigen::Index>(t_.kind(x[j], d.minus[j]))) -= scale;
    }
  }

  /// In a pair, the counts of an input level sum to zero over the stored levels, so one level of each is free: the
  /// minimum-norm solution, shifted so that g(x, 0) = 0.
  void set_levels(const Vector& g) {
    for (std::size_t x = 1; x < o_.inputs; ++x)
      for (std::size_t w = 0; w < o_.levels; ++w) {
        const auto k = t_.kind(x, w);
        t_.level[k] =
            g(static_cast<Eigen::Index>(k)) - (differential() ? g(static_cast<Eigen::Index>(t_.kind(x, 0))) : 0.0);
      }
    for (std::size_t c = 0; c < o_.designs.size(); ++c)
      for (std::size_t p = 0; p < count_; ++p) points_[c * count_ + p].ya = t_.static_sum(o_.designs[c], p);
  }

  /// g(x, w): least squares of v on the derivatives of the mean, a first estimate.
  void fit_levels() {
    const auto n = static_cast<Eigen::Index>(kinds());
    Matrix gram = Matrix::Zero(mean_terms(), mean_terms());
    Vector right = Vector::Zero(mean_terms()), row(mean_terms());
    for (std::size_t c = 0; c < o_.designs.size(); ++c)
      for (std::size_t p = 0; p < count_; ++p) {
        const Point& point = points_[c * count_ + p];
        if (outside(point.y())) continue;
        row.setZero();
        mean_row(o_.designs[c], p, point, row);
        gram += row * row.transpose();
        right += row * o_.value[c * count_ + p];
      }
    t_.level.assign(kinds(), 0.0);
    set_levels(gram.completeOrthogonalDecomposition().solve(right).head(n));
  }

  void correct_levels() {
    const auto n = static_cast<Eigen::Index>(kinds());
    set_levels(Eigen::Map<const Vector>(t_.level.data(), n) + estimate_.mean.head(n));
    set_residuals();
  }

  SurfaceFit fit(const std::function<double(std::size_t)>& value) const {
    SurfaceSamples s;
    const bool flat = options_.surfaces == EstimateOptions::Surfaces::kMac;
    for (std::size_t k = 0; k < points_.size(); ++k) {
      if (outside(points_[k].ya)) continue;
      s.y.push_back(points_[k].ya);
      s.a.push_back(flat ? 0.0 : points_[k].a());
      s.value.push_back(value(k));
      s.group.push_back(static_cast<std::uint32_t>(k / (o_.columns * count_)));
    }
    SurfaceFit f = fit_surface(t_.axes, s);
    for (std::size_t i = 0; flat && i < t_.axes.y_points; ++i)
      for (std::size_t j = 1; j < t_.axes.a_points; ++j)
        for (auto* nodes : {&f.nodes, &f.error, &f.count})
          (*nodes)[i * t_.axes.a_points + j] = (*nodes)[i * t_.axes.a_points];
    return f;
  }

  /// μ(y_a, a) as a smooth surface, its slope and the residuals.
  void fit_mean() {
    const SurfaceFit f = fit([&](std::size_t k) { return o_.value[k] - points_[k].ya - points_[k].predicted; });
    t_.mu = f.nodes;
    t_.support_count = f.count;
    t_.support_error = f.error;
    t_.slope.resize(t_.axes.size());
    const double step = (t_.axes.y_high - t_.axes.y_low) / static_cast<double>(t_.axes.y_points - 1);
    for (std::size_t i = 0; i < t_.axes.y_points; ++i)
      for (std::size_t j = 0; j < t_.axes.a_points; ++j) {
        const std::size_t low = i == 0 ? 0 : i - 1, high = std::min(i + 1, t_.axes.y_points - 1);
        t_.slope[i * t_.axes.a_points + j] = (t_.mu[high * t_.axes.a_points + j] - t_.mu[low * t_.axes.a_points + j]) /
                                             (step * static_cast<double>(high - low));
      }
    set_residuals();
  }

  void set_residuals() {
    for (std::size_t k = 0; k < points_.size(); ++k) {
      Point& p = points_[k];
      p.e = o_.value[k] - p.ya - surface_value(t_.axes, t_.mu, p.ya, p.a());
      p.slope = 1.0 + surface_value(t_.axes, t_.slope, p.ya, p.a());
    }
  }

  /// Φ of an observation: φ times the slope by which static terms reach the output.
  Vector phi(const Point& p) const {
    const auto f = basis_.phi(p.covariates);
    return p.slope * Eigen::Map<const Vector>(f.data(), static_cast<Eigen::Index>(f.size()));
  }

  /// Derivatives of the mean: the levels, an offset and, where it is not a sum of counts, the second axis.
  Eigen::Index mean_terms() const { return static_cast<Eigen::Index>(kinds()) + (differential() ? 2 : 1); }
  template <class Row>
  void mean_row(const ColumnOperands& d, std::size_t p, const Point& point, Row&& row) const {
    count_cells(d, p, point.slope, row);
    row(static_cast<Eigen::Index>(kinds())) = point.slope;
    if (differential()) row(static_cast<Eigen::Index>(kinds()) + 1) = point.slope * point.a();
  }

  ColumnModel column_model(std::size_t chip, std::size_t column, const CellStructure& cells) {
    // Beyond the axes μ is held constant, so the residual there is not a static error.
    std::vector<std::size_t> inside;
    for (std::size_t p = 0; p < count_; ++p)
      if (!outside(at(chip, column, p).ya)) inside.push_back(p);
    const auto n = static_cast<Eigen::Index>(inside.size());
    const ColumnOperands& d = o_.designs[chip * o_.columns + column];
    ColumnModel m;
    m.phi.resize(n, static_cast<Eigen::Index>(basis_.size()));
    m.mean = Matrix::Zero(n, mean_terms());
    m.noise.resize(n);
    m.e.resize(n);
    Vector slope(n);
    for (Eigen::Index p = 0; p < n; ++p) {
      const std::size_t operand = inside[static_cast<std::size_t>(p)];
      const Point& point = at(chip, column, operand);
      m.phi.row(p) = phi(point).transpose();
      m.e(p) = point.e;
      m.noise(p) = point.noise;
      slope(p) = point.slope;
      mean_row(d, operand, point, m.mean.row(p));
    }
    m.components = cells.overlaps(d, inside, slope);
    return m;
  }

  void fit_static(const Iterations& iterations) {
    const CellStructure cells(o_.levels, o_.inputs, t_.level);
    const auto count = static_cast<Eigen::Index>(cells.components().size());
    double square = 0.0, noise = 0.0;
    for (const Point& p : points_) square += p.e * p.e, noise += p.noise;
    square = std::max(square / static_cast<double>(points_.size()), 1e-12);
    noise /= static_cast<double>(points_.size());
    ComponentOptions options;
    // Working variances stay positive; the estimates themselves may go below zero. Operands without an active cell of a
    // noisy level would otherwise have next to no variance and all the weight, and with it whatever μ leaves there. The
    // equations stay unbiased for any working variances.
    constexpr double kLeast = 1e-6, kLeastRest = 0.003;
    options.floor = Vector::Zero(count + 1);
    for (Eigen::Index k = 0; k < count; ++k)
      if (cells.is_variance(static_cast<std::size_t>(k))) options.floor(k) = kLeast * square;
    options.floor(count) = std::max(kLeast * square, kLeastRest * square - noise);
    const auto q = static_cast<Eigen::Index>(basis_.size());
    if (estimate_.working.size() > 0) {
      options.start = estimate_.working;
      options.start_static = estimate_.statics.weights;
    } else {
      options.start = Vector::Constant(count + 1, square / 20.0);
      options.start.head(count) = cells.admissible(options.start.head(count));
      options.start_static = {0.25 * square * Matrix::Identity(q, q), 0.75 * square * Matrix::Identity(q, q)};
    }
    options.start = options.start.cwiseMax(options.floor);
    options.admissible = [&](const Vector& v) { return cells.admissible(v); };
    options.most_iterations = iterations.most;
    options.tolerance = iterations.tolerance;
    options.threads = threads_;
    estimate_ = estimate_components(
        o_.chips, o_.columns, [&](std::size_t chip, std::size_t column) { return column_model(chip, column, cells); },
        options);
    t_.cell_sigma = cells.spreads(estimate_.cells.head(count));
  }

  void predict_static() {
    for (std::size_t chip = 0; chip < o_.chips; ++chip)
      for (std::size_t i = 0; i < o_.columns; ++i)
        for (std::size_t p = 0; p < count_; ++p) {
          Point& point = at(chip, i, p);
          point.predicted = phi(point).dot(estimate_.statics.prediction[chip][i]);
        }
  }

  void record_intervals() {
    const StaticIntervals s = static_intervals(estimate_.statics, basis_);
    t_.chip_interval = s.chip;
    t_.column_interval = s.column;
    t_.chip = s.chip_covariance;
    t_.column = s.column_covariance;
    const auto freedom = static_cast<double>(o_.chips - 1);
    t_.record.level.assign(kinds(), {});
    for (std::size_t x = 1; x < o_.inputs; ++x)
      for (std::size_t w = 0; w < o_.levels; ++w) {
        const std::size_t kind = t_.kind(x, w);
        Vector contrast = Vector::Unit(mean_terms(), static_cast<Eigen::Index>(kind));
        if (differential()) contrast(static_cast<Eigen::Index>(t_.kind(x, 0))) -= 1.0;
        t_.record.level[kind] = estimate_.mean_covariance.interval(t_.level[kind], contrast, freedom);
      }
    record_cells(freedom);
  }

  /// Intervals of s². What μ leaves unexplained goes together within a column, too, and could pass for cells: they are
  /// widened by the variance per active cell that all of it would amount to, as far as it is more than chance.
  void record_cells(double freedom) {
    const CellStructure cells(o_.levels, o_.inputs, t_.level);
    const auto count = static_cast<Eigen::Index>(cells.components().size());
    const Interval rest =
        estimate_.cells_covariance.interval(estimate_.cells(count), Vector::Unit(count + 1, count), freedom);
    constexpr double kBeyondChance = 1.645 / 1.960;  // of the half width of a 95 % interval: 5 % one-sided
    const double unexplained = std::max(0.0, rest.estimate - kBeyondChance * (rest.estimate - rest.low));
    const Vector active = active_per_read();
    t_.cell_interval.assign(kinds(), {});
    for (Eigen::Index k = 0; k < count; ++k) {
      const CellComponent& c = cells.components()[static_cast<std::size_t>(k)];
      if (c.first != c.second) continue;
      const Interval i = estimate_.cells_covariance.interval(estimate_.cells(k), Vector::Unit(count + 1, k), freedom);
      const bool all = cells.proportional();
      for (std::size_t x = all ? 1 : c.first; x <= (all ? o_.inputs - 1 : c.first); ++x) {
        const std::size_t kind = t_.kind(x, c.level);
        const double share = all ? cells.share_of_top(x) * cells.share_of_top(x) : 1.0;
        const double systematic = unexplained / std::max(1.0, active(static_cast<Eigen::Index>(kind)));
        t_.cell_interval[kind] = {share * i.estimate, share * i.low - systematic, share * i.high + systematic};
      }
    }
  }

  /// Active cells of each kind per read, without sign, weighted by the slope squared.
  Vector active_per_read() {
    Vector active = Vector::Zero(static_cast<Eigen::Index>(kinds()));
    for (std::size_t c = 0; c < o_.designs.size(); ++c)
      for (std::size_t p = 0; p < count_; ++p) {
        const ColumnOperands& d = o_.designs[c];
        const double square = points_[c * count_ + p].slope * points_[c * count_ + p].slope;
        for (std::size_t j = 0; j < d.rows; ++j)
          for (std::size_t b = 0; b < d.branches() && d.input(p)[j] > 0; ++b)
            active(static_cast<Eigen::Index>(t_.kind(d.input(p)[j], d.branch(b)[j]))) += square;
      }
    return active / static_cast<double>(points_.size());
  }

  /// σ_D² is a sum of named sources, each a smooth surface of its own; repeated reads count as a source "reads" where
  /// none is named, else they scale nothing and are compared in the record only.
  void fit_dynamic() {
    t_.source_names = o_.source_names;
    t_.source_variance.clear();
    std::vector<double> total(t_.axes.size(), 0.0), mean_of_chip(o_.chips, 0.0);
    const auto add = [&](const std::function<double(std::size_t)>& variance) {
      const SurfaceFit f = fit(variance);
      // Where a surface is continued beyond its data it may fall below zero. Such a node would promise reads without
      // noise; it gets a variance that some operands do have.
      std::vector<double> seen;
      for (std::size_t k = 0; k < points_.size(); ++k) seen.push_back(variance(k));
      constexpr double kSmall = 0.05, kSupported = 10.0;
      const double least = quantile(seen, kSmall);
      for (std::size_t node = 0; node < f.nodes.size(); ++node) {
        const double v = std::max(f.count[node] < kSupported ? least : 0.0, f.nodes[node]);
        t_.source_variance.push_back(v);
        total[node] += v;
      }
      const std::size_t per_chip = o_.columns * count_;
      for (std::size_t k = 0; k < points_.size(); ++k)
        mean_of_chip[k / per_chip] += variance(k) / static_cast<double>(per_chip);
    };
    for (std::size_t source = 0; source < o_.source_names.size(); ++source)
      add([&](std::size_t k) { return o_.source_variance[source * points_.size() + k]; });
    if (!o_.reads.empty() && o_.source_names.empty()) {
      const RepeatedReads reads{o_.reads, o_.chips, o_.reads_per_operand};
      const std::vector<double> variances = read_variances(reads);
      t_.record.memory = read_memory(reads);
      const double correction = variance_correction(t_.record.memory, o_.reads_per_operand);
      t_.source_names = {"reads"};
      add([&](std::size_t k) { return correction * variances[k]; });
      const double share = mean_variance(t_.record.memory, o_.reads_per_operand);
      for (Point& p : points_) p.noise = share * surface_value(t_.axes, total, p.ya, p.a());
    }
    t_.dynamic_sigma.resize(total.size());
    for (std::size_t node = 0; node < total.size(); ++node) t_.dynamic_sigma[node] = std::sqrt(total[node]);
    const auto root = [](double v) { return std::sqrt(std::max(0.0, v)); };
    const Interval i = mean_interval(mean_of_chip, 0.95);
    t_.record.read_sigma = {root(i.estimate), root(i.low), root(i.high)};
  }

  TermEstimates evidence() const {
    TermEstimates e;
    e.basis = basis_;
    const Matrix chip = semidefinite(estimate_.statics.chip), column = semidefinite(estimate_.statics.column);
    e.chip.assign(chip.data(), chip.data() + chip.size());
    e.column.assign(column.data(), column.data() + column.size());
    for (const Point& p : points_) {
      e.residual.push_back(outside(p.ya) ? std::numeric_limits<double>::quiet_NaN() : p.e);
      e.slope.push_back(p.slope);
    }
    return e;
  }

  const Observations& o_;
  const EstimateOptions& options_;
  ErrorTable& t_;
  std::size_t count_;
  int threads_;
  std::vector<Point> points_;
  CovariateBasis basis_;
  ComponentEstimate estimate_;
};

}  // namespace

TermEstimates estimate_terms(const Observations& observations, const EstimateOptions& options, ErrorTable& table) {
  return Estimator(observations, options, table).run();
}

}  // namespace errata::errormodel
