// Terms of measurements of which the ideal values are known but no patterns.
#include <fmt/format.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "errormodel/exchange/measured_data.h"

namespace errata::errormodel {

namespace {

/// Sums over one chip from which Σ_C and Σ_K follow.
struct ChipMoments {
  std::vector<Eigen::Vector3d> coefficients;        ///< b of each column
  Eigen::Matrix3d noise = Eigen::Matrix3d::Zero();  ///< Σ (ΦᵀΦ)⁻¹ over its columns
  double residual = 0.0, freedom = 0.0;
  double read_variance = 0.0, points = 0.0;  ///< Σ variance of the means that is noise
};

class Unpatterned {
 public:
  Unpatterned(const std::vector<MeasuredLine>& lines, const EstimateOptions& options, ErrorTable& table)
      : lines_(lines), options_(options), t_(table) {}

  void run() {
    check();
    set_levels();
    fit_mean();
    make_basis();
    fit_static();
    fit_dynamic();
  }

 private:
  static constexpr std::size_t kLeastOperands = 8;

  void check() const {
    std::vector<std::size_t> columns;
    for (const auto& l : lines_) {
      if (columns.size() <= l.chip) columns.resize(l.chip + 1, 0);
      columns[l.chip] += l.points.size() >= kLeastOperands ? 1 : 0;
    }
    const auto good = static_cast<std::size_t>(std::ranges::count_if(columns, [](std::size_t n) { return n >= 2; }));
    constexpr std::size_t kLeastChips = 8;
    if (good < kLeastChips)
      throw Error(ExitStatus::kComputation, "E504",
                  fmt::format("{} chips have two columns of {} usable operands; {} are needed to separate the terms",
                              good, kLeastOperands, kLeastChips),
                  "measure more chips or columns, each operand at least twice");
  }

  /// Without patterns a level is worth what it says.
  void set_levels() {
    t_.level.assign(t_.kinds(), 0.0);
    for (std::size_t x = 1; x < t_.inputs; ++x)
      for (std::size_t w = 0; w < t_.levels; ++w) t_.level[t_.kind(x, w)] = static_cast<double>(x * w);
    t_.cell_sigma.assign(t_.kinds(), 0.0);
    t_.cell_interval.assign(t_.kinds(), {});
    t_.cells_separated = false;
  }

  bool outside(double y) const { return y > options_.y_limit || y < options_.y_low; }

  template <class Value>
  SurfaceFit surface(Value&& value) const {
    SurfaceSamples s;
    for (const auto& l : lines_)
      for (const auto& p : l.points) {
        if (outside(p.y)) continue;
        s.y.push_back(p.y);
        s.a.push_back(p.a);
        s.value.push_back(value(p));
        s.group.push_back(static_cast<std::uint32_t>(l.chip));
      }
    return fit_surface(t_.axes, s);
  }

  void fit_mean() {
    double a_high = 1.0;
    for (const auto& l : lines_)
      for (const auto& p : l.points) a_high = std::max(a_high, p.a);
    t_.axes = {options_.y_low, options_.y_limit, 0.0, a_high, options_.y_points, options_.a_points};
    const SurfaceFit fit = surface([](const MeasuredPoint& p) { return p.value - p.y; });
    t_.mu = fit.nodes;
    t_.support_count = fit.count;
    t_.support_error = fit.error;
    t_.slope.resize(t_.axes.size());
    const double step = (t_.axes.y_high - t_.axes.y_low) / static_cast<double>(t_.axes.y_points - 1);
    const std::size_t na = t_.axes.a_points;
    for (std::size_t i = 0; i < t_.axes.y_points; ++i)
      for (std::size_t j = 0; j < na; ++j) {
        const std::size_t low = i == 0 ? 0 : i - 1, high = std::min(i + 1, t_.axes.y_points - 1);
        t_.slope[i * na + j] = (t_.mu[high * na + j] - t_.mu[low * na + j]) / (step * static_cast<double>(high - low));
      }
  }

  /// φ: 1, y centred and scaled, a centred, freed of y and scaled; a is dropped where it is next to a copy of y.
  void make_basis() {
    double n = 0, sy = 0, sa = 0, yy = 0, ya = 0, aa = 0;
    for (const auto& l : lines_)
      for (const auto& p : l.points) n += 1, sy += p.y, sa += p.a, yy += p.y * p.y, ya += p.y * p.a, aa += p.a * p.a;
    const double my = sy / n, ma = sa / n, vy = yy / n - my * my, va = aa / n - ma * ma, c = ya / n - my * ma;
    const double beta = c / vy, rest = std::max(0.0, va - beta * c);
    constexpr double kLargestInflation = 20.0;  // methods.md §2
    const double sigma_y = std::sqrt(vy);
    const double keep = va > kLargestInflation * rest ? 0.0 : 1.0 / std::sqrt(rest);
    t_.basis = {1, 0, 0, -my / sigma_y, 1 / sigma_y, 0, keep * (beta * my - ma), -keep * beta, keep};
  }

  Eigen::Vector3d phi(const MeasuredPoint& p) const {
    const auto f = t_.phi(p.y, p.a);
    return (1.0 + surface_value(t_.axes, t_.slope, p.y, p.a)) * Eigen::Vector3d(f[0], f[1], f[2]);
  }

  /// Least-squares coefficients of one column's residuals on φ, added to its chip's moments.
  void add_column(const MeasuredLine& l, ChipMoments& chip) const {
    Eigen::Matrix3d gram = Eigen::Matrix3d::Zero();
    Eigen::Vector3d right = Eigen::Vector3d::Zero();
    double square = 0.0, count = 0.0, noise = 0.0;
    for (const auto& p : l.points) {
      if (outside(p.y)) continue;
      const double e = p.value - p.y - surface_value(t_.axes, t_.mu, p.y, p.a);
      const Eigen::Vector3d f = phi(p);
      gram += f * f.transpose();
      right += f * e;
      square += e * e;
      count += 1.0;
      noise += p.variance / static_cast<double>(p.operand->reads.size());
    }
    if (count < static_cast<double>(kLeastOperands)) return;
    const Eigen::CompleteOrthogonalDecomposition<Eigen::Matrix3d> solver(gram);
    const Eigen::Vector3d b = solver.solve(right);
    chip.coefficients.push_back(b);
    chip.noise += solver.pseudoInverse();
    chip.residual += square - b.dot(right);
    chip.freedom += count - static_cast<double>(solver.rank());
    chip.read_variance += noise;
    chip.points += count;
  }

  /// The 6 entries of Σ_C and of Σ_K and the variance that φ leaves, without chip `skipped`.
  Eigen::VectorXd components(const std::vector<ChipMoments>& chips, std::size_t skipped) const {
    Eigen::Matrix3d same = Eigen::Matrix3d::Zero(), cross = same, noise = same;
    double columns = 0, pairs = 0, residual = 0, freedom = 0;
    for (std::size_t c = 0; c < chips.size(); ++c) {
      if (c == skipped) continue;
      Eigen::Vector3d sum = Eigen::Vector3d::Zero();
      Eigen::Matrix3d squares = Eigen::Matrix3d::Zero();
      for (const auto& b : chips[c].coefficients) {
        sum += b;
        squares += b * b.transpose();
      }
      const auto n = static_cast<double>(chips[c].coefficients.size());
      same += squares;
      cross += sum * sum.transpose() - squares;
      columns += n;
      pairs += n * (n - 1.0);
      noise += chips[c].noise;
      residual += chips[c].residual;
      freedom += chips[c].freedom;
    }
    const double rest = residual / std::max(1.0, freedom);
    const Eigen::Matrix3d chip = cross / pairs, column = (same - rest * noise) / columns - chip;
    Eigen::VectorXd result(13);
    for (int k = 0; k < 6; ++k) {
      result(k) = chip(kEntryRow[k], kEntryColumn[k]);
      result(6 + k) = column(kEntryRow[k], kEntryColumn[k]);
    }
    result(12) = rest;
    return result;
  }

  void fit_static() {
    std::vector<ChipMoments> chips;
    for (const auto& l : lines_) {
      if (chips.size() <= l.chip) chips.resize(l.chip + 1);
      add_column(l, chips[l.chip]);
    }
    std::erase_if(chips, [](const ChipMoments& c) { return c.coefficients.size() < 2; });
    const Eigen::VectorXd all = components(chips, chips.size());
    std::vector<std::vector<double>> without(13);
    for (std::size_t c = 0; c < chips.size(); ++c) {
      const Eigen::VectorXd e = components(chips, c);
      for (std::size_t k = 0; k < 13; ++k) without[k].push_back(e(static_cast<Eigen::Index>(k)));
    }
    t_.chip_interval.clear();
    t_.column_interval.clear();
    for (std::size_t k = 0; k < 12; ++k)
      (k < 6 ? t_.chip_interval : t_.column_interval)
          .push_back(jackknife_interval(all(static_cast<Eigen::Index>(k)), without[k], 0.95));
    t_.chip = nearest_semidefinite(symmetric({all.data(), 6}));
    t_.column = nearest_semidefinite(symmetric({all.data() + 6, 6}));
    double noise = 0, points = 0;
    t_.chips_used = chips.size();
    t_.columns_used = 0;
    for (const auto& c : chips) {
      noise += c.read_variance;
      points += c.points;
      t_.columns_used += c.coefficients.size();
    }
    t_.residual_sigma = std::sqrt(std::max(0.0, all(12) - noise / points));
  }

  void fit_dynamic() {
    const SurfaceFit fit = surface([](const MeasuredPoint& p) { return p.variance; });
    t_.source_names = {"reads"};
    t_.source_variance.clear();
    t_.dynamic_sigma.clear();
    for (const double v : fit.nodes) {
      t_.source_variance.push_back(std::max(0.0, v));
      t_.dynamic_sigma.push_back(std::sqrt(t_.source_variance.back()));
    }
  }

  const std::vector<MeasuredLine>& lines_;
  const EstimateOptions& options_;
  ErrorTable& t_;
};

}  // namespace

void estimate_without_patterns(const std::vector<MeasuredLine>& lines, const EstimateOptions& options,
                               ErrorTable& table) {
  Unpatterned(lines, options, table).run();
}

}  // namespace errata::errormodel
