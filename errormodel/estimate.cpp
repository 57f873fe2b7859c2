#include "errormodel/estimate.h"

#include <fmt/format.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace errata::errormodel {

namespace {

/// One observation's covariates.
struct Point {
  double y = 0, a = 0;  ///< ideal MAC and second axis
  double ya = 0;        ///< Σ g(w) x
  double slope = 1;     ///< 1 + ∂μ/∂y
  double e = 0;         ///< residual after g and μ
};

/// Index of (i, j), i ≤ j, among the 6 distinct entries of a symmetric 3 × 3 matrix.
constexpr int kRow[6] = {0, 0, 0, 1, 1, 2}, kColumn[6] = {0, 1, 2, 1, 2, 2};

class Estimator {
 public:
  Estimator(const Observations& o, const EstimateOptions& options, ErrorTable& table)
      : o_(o), options_(options), t_(table), count_(o.operands()) {
    if (o.chips < 8 || o.columns < 2 || count_ < 8)
      throw Error(
          ExitStatus::kComputation, "E504",
          fmt::format("{} chips x {} columns x {} operands cannot separate the terms", o.chips, o.columns, count_),
          "at least 8 chips, 2 columns and 8 operands are needed: errormodel.chips, .columns, .operands_per_column");
  }

  void run() {
    t_.levels = o_.levels;
    t_.minimum_conductance = o_.minimum_conductance;
    t_.columns_used = o_.chips * o_.columns;
    collect();
    fit_levels();
    fit_mean();
    make_basis();
    fit_static();
    // g(k) once more, now within columns: K and C, which blur the first estimate, are projected out. Then all again.
    refine_levels();
    fit_mean();
    fit_static();
    fit_dynamic();
  }

 private:
  Point& at(std::size_t chip, std::size_t column, std::size_t p) {
    return points_[(chip * o_.columns + column) * count_ + p];
  }

  void collect() {
    points_.resize(o_.size());
    for (std::size_t c = 0; c < o_.designs.size(); ++c)
      for (std::size_t p = 0; p < count_; ++p) {
        Point& q = points_[c * count_ + p];
        q.y = o_.designs[c].mac(p);
        q.a = o_.designs[c].drive(p, o_.minimum_conductance);
      }
  }

  /// g(k): least squares of v on the signed number of active cells at each level.
  void fit_levels() {
    const auto levels = static_cast<Eigen::Index>(o_.levels);
    Eigen::MatrixXd gram = Eigen::MatrixXd::Zero(levels, levels);
    Eigen::VectorXd right = Eigen::VectorXd::Zero(levels), n(levels);
    const auto counts = [&](const ColumnOperands& d, std::size_t p) {
      n.setZero();
      const std::uint8_t* x = d.input(p);
      for (std::size_t j = 0; j < d.rows; ++j) {
        if (x[j] == 0) continue;
        n(d.plus[j]) += 1;
        n(d.minus[j]) -= 1;
      }
    };
    for (std::size_t c = 0; c < o_.designs.size(); ++c)
      for (std::size_t p = 0; p < count_; ++p) {
        if (std::fabs(points_[c * count_ + p].y) > options_.y_limit) continue;
        counts(o_.designs[c], p);
        gram += n * n.transpose();
        right += n * o_.value[c * count_ + p];
      }
    // The counts sum to zero over the levels (plus and minus have as many active rows), so one level is free:
    // the minimum-norm solution, shifted so that g(0) = 0.
    const Eigen::VectorXd g = gram.completeOrthogonalDecomposition().solve(right);
    t_.level.resize(o_.levels);
    for (Eigen::Index k = 0; k < levels; ++k) t_.level[static_cast<std::size_t>(k)] = g(k) - g(0);
    apply_levels();
  }

  void apply_levels() {
    for (std::size_t c = 0; c < o_.designs.size(); ++c)
      for (std::size_t p = 0; p < count_; ++p) {
        const ColumnOperands& d = o_.designs[c];
        const std::uint8_t* x = d.input(p);
        double sum = 0;
        for (std::size_t j = 0; j < d.rows; ++j)
          if (x[j] != 0) sum += t_.level[d.plus[j]] - t_.level[d.minus[j]];
        points_[c * count_ + p].ya = sum;
      }
  }

  /// Corrects g(k) where the data within columns say so. Directions that φ holds (a gain on y) or that cancel between
  /// plus and minus are left as they are: the minimum-norm solution.
  void refine_levels() {
    const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(level_gram_);
    // Judged against the equations before φ was projected out: of two levels φ leaves nothing but rounding.
    const double largest = Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(level_whole_).eigenvalues().maxCoeff();
    Eigen::VectorXd correction = Eigen::VectorXd::Zero(level_right_.size());
    constexpr double kNegligible = 1e-4;
    for (Eigen::Index k = 0; k < correction.size(); ++k)
      if (solver.eigenvalues()(k) > kNegligible * largest)
        correction +=
            solver.eigenvectors().col(k) * (solver.eigenvectors().col(k).dot(level_right_) / solver.eigenvalues()(k));
    for (Eigen::Index k = 0; k < correction.size(); ++k)
      t_.level[static_cast<std::size_t>(k)] += correction(k) - correction(0);
    apply_levels();
  }

  /// μ(y_a, a) as a smooth surface, its slope and the residuals.
  void fit_mean() {
    double a_high = 1;
    for (const Point& p : points_) a_high = std::max(a_high, p.a);
    t_.axes = {-options_.y_limit, options_.y_limit, 0.0, a_high, options_.y_points, options_.a_points};
    SurfaceSamples s;
    for (std::size_t k = 0; k < points_.size(); ++k) {
      if (std::fabs(points_[k].ya) > options_.y_limit) continue;
      s.y.push_back(points_[k].ya);
      s.a.push_back(points_[k].a);
      s.value.push_back(o_.value[k] - points_[k].ya);
      s.group.push_back(static_cast<std::uint32_t>(k / (o_.columns * count_)));
    }
    const SurfaceFit fit = fit_surface(t_.axes, s);
    t_.mu = fit.nodes;
    t_.support_count = fit.count;
    t_.support_error = fit.error;
    t_.slope.resize(t_.axes.size());
    const double step = (t_.axes.y_high - t_.axes.y_low) / static_cast<double>(t_.axes.y_points - 1);
    for (std::size_t i = 0; i < t_.axes.y_points; ++i)
      for (std::size_t j = 0; j < t_.axes.a_points; ++j) {
        const std::size_t low = i == 0 ? 0 : i - 1, high = std::min(i + 1, t_.axes.y_points - 1);
        t_.slope[i * t_.axes.a_points + j] = (t_.mu[high * t_.axes.a_points + j] - t_.mu[low * t_.axes.a_points + j]) /
                                             (step * static_cast<double>(high - low));
      }
    for (std::size_t k = 0; k < points_.size(); ++k) {
      Point& p = points_[k];
      p.e = o_.value[k] - p.ya - surface_value(t_.axes, t_.mu, p.ya, p.a);
      p.slope = 1.0 + surface_value(t_.axes, t_.slope, p.ya, p.a);
    }
  }

  /// φ orthogonalised on the design: 1, y centred and scaled, a centred, freed of y and scaled.
  void make_basis() {
    double n = 0, sy = 0, sa = 0;
    for (const Point& p : points_) n += 1, sy += p.y, sa += p.a;
    const double my = sy / n, ma = sa / n;
    double vyy = 0, vya = 0, vaa = 0;
    for (const Point& p : points_) {
      vyy += (p.y - my) * (p.y - my);
      vya += (p.y - my) * (p.a - ma);
      vaa += (p.a - ma) * (p.a - ma);
    }
    const double beta = vya / vyy, inflation = vaa / std::max(1e-300, vaa - beta * vya);
    constexpr double kLargestInflation = 20.0;  // methods.md §2: a covariate above it is dropped
    const double sigma_y = std::sqrt(vyy / n), sigma_a = std::sqrt(std::max(1e-300, (vaa - beta * vya) / n));
    const double keep = inflation > kLargestInflation ? 0.0 : 1.0 / sigma_a;
    t_.basis = {1, 0, 0, -my / sigma_y, 1 / sigma_y, 0, keep * (beta * my - ma), -keep * beta, keep};
  }

  /// φ of an observation, times the slope by which static terms reach the output.
  Eigen::Vector3d phi(const Point& p) const {
    const auto f = t_.phi(p.y, p.a);
    return p.slope * Eigen::Vector3d(f[0], f[1], f[2]);
  }

  /// Covariance structure of one column's residuals: e = Φ (C + K) + cells + lack of fit.
  struct Column {
    Eigen::MatrixXd phi;                      ///< [operands][3]
    std::vector<Eigen::MatrixXd> components;  ///< overlap matrix of each level's cells, last the identity
    Eigen::MatrixXd counts;                   ///< [operands][levels] signed number of active cells at each level
    Eigen::VectorXd e;
  };

  Column column_of(std::size_t chip, std::size_t column) {
    Column c;
    // Beyond the axes μ is held constant, so the residual there is not a static error.
    std::vector<std::size_t> inside;
    for (std::size_t p = 0; p < count_; ++p)
      if (std::fabs(at(chip, column, p).ya) <= options_.y_limit) inside.push_back(p);
    const auto n = static_cast<Eigen::Index>(inside.size());
    const auto levels = static_cast<Eigen::Index>(o_.levels);
    const ColumnOperands& d = o_.designs[chip * o_.columns + column];
    c.phi.resize(n, 3);
    c.e.resize(n);
    c.counts = Eigen::MatrixXd::Zero(n, levels);
    std::vector<Eigen::MatrixXd> active(o_.levels, Eigen::MatrixXd::Zero(n, static_cast<Eigen::Index>(2 * d.rows)));
    for (Eigen::Index p = 0; p < n; ++p) {
      const std::size_t operand = inside[static_cast<std::size_t>(p)];
      const Point& point = at(chip, column, operand);
      c.phi.row(p) = phi(point).transpose();
      c.e(p) = point.e;
      const std::uint8_t* x = d.input(operand);
      for (std::size_t j = 0; j < d.rows; ++j) {
        if (x[j] == 0) continue;
        c.counts(p, d.plus[j]) += point.slope;
        c.counts(p, d.minus[j]) -= point.slope;
        active[d.plus[j]](p, static_cast<Eigen::Index>(2 * j)) = point.slope;
        active[d.minus[j]](p, static_cast<Eigen::Index>(2 * j + 1)) = point.slope;
      }
    }
    for (Eigen::Index k = 0; k < levels; ++k)
      c.components.push_back(active[static_cast<std::size_t>(k)] * active[static_cast<std::size_t>(k)].transpose());
    c.components.push_back(Eigen::MatrixXd::Identity(n, n));
    return c;
  }

  /// Sums of one chip. Cells: REML equations `information · θ = score` after the three columns of φ are projected out,
  /// so that Σ_C and Σ_K, however large, cannot leak into s². Statics: moments of the generalised least-squares
  /// coefficients b of each column, E[b bᵀ] = Σ_C + Σ_K + S and E[b_i b_jᵀ] = Σ_C with S = (ΦᵀV⁻¹Φ)⁻¹, each weighted by
  /// W = (Σ_C + Σ_K + S)⁻¹ from either side: a column whose operands say nothing of a coefficient has no vote on it.
  struct Moments {
    Eigen::Matrix<double, 9, 9> left = Eigen::Matrix<double, 9, 9>::Zero();  ///< left · vec Σ = vec right
    Eigen::Matrix3d right = Eigen::Matrix3d::Zero();
    void add(const Moments& other, double sign) {
      left += sign * other.left;
      right += sign * other.right;
    }
    Eigen::Matrix3d solve() const {
      const Eigen::Matrix<double, 9, 1> v =
          left.completeOrthogonalDecomposition().solve(Eigen::Map<const Eigen::Matrix<double, 9, 1>>(right.data()));
      const Eigen::Matrix3d m = Eigen::Map<const Eigen::Matrix3d>(v.data());
      return 0.5 * (m + m.transpose());
    }
  };
  struct ChipSums {
    Eigen::MatrixXd information;
    Eigen::VectorXd score;
    Eigen::MatrixXd level_gram;   ///< equations of a correction to g(k), φ projected out
    Eigen::MatrixXd level_whole;  ///< the same with φ in
    Eigen::VectorXd level_right;
    Moments own, cross;
    Eigen::VectorXd active;  ///< Σ over reads of the number of active cells at each level
    double reads = 0;
  };

  ChipSums sums(std::size_t chip, const Eigen::VectorXd& theta) {
    const Eigen::Index unknowns = theta.size();
    ChipSums s;
    s.information = Eigen::MatrixXd::Zero(unknowns, unknowns);
    s.score = Eigen::VectorXd::Zero(unknowns);
    s.level_gram = Eigen::MatrixXd::Zero(unknowns - 1, unknowns - 1);
    s.level_whole = s.level_gram;
    s.level_right = Eigen::VectorXd::Zero(unknowns - 1);
    s.active = Eigen::VectorXd::Zero(unknowns - 1);
    Eigen::Vector3d total = Eigen::Vector3d::Zero();
    Eigen::Matrix3d squares = Eigen::Matrix3d::Zero(), weights = Eigen::Matrix3d::Zero();
    for (std::size_t i = 0; i < o_.columns; ++i) {
      const Column c = column_of(chip, i);
      constexpr Eigen::Index kFewest = 5;  // three go into φ
      if (c.e.size() < kFewest) continue;
      Eigen::MatrixXd v = Eigen::MatrixXd::Zero(c.e.size(), c.e.size());
      for (Eigen::Index k = 0; k < unknowns; ++k) v += theta(k) * c.components[static_cast<std::size_t>(k)];
      for (Eigen::Index k = 0; k + 1 < unknowns; ++k) s.active(k) += c.components[static_cast<std::size_t>(k)].trace();
      s.reads += static_cast<double>(c.e.size());
      const Eigen::LLT<Eigen::MatrixXd> llt(v);
      const Eigen::MatrixXd inverse = llt.solve(Eigen::MatrixXd::Identity(v.rows(), v.cols()));
      const Eigen::MatrixXd inverse_phi = inverse * c.phi;
      // Singular where a column cannot tell two covariates apart (a = y when all its weights are positive).
      const Eigen::Matrix3d f = c.phi.transpose() * inverse_phi;
      const Eigen::MatrixXd projected = inverse - inverse_phi * pseudo_inverse(f) * inverse_phi.transpose();
      const Eigen::VectorXd pe = projected * c.e;
      s.level_gram += c.counts.transpose() * projected * c.counts;
      s.level_whole += c.counts.transpose() * inverse * c.counts;
      s.level_right += c.counts.transpose() * pe;
      std::vector<Eigen::MatrixXd> weighted;
      for (const auto& component : c.components) weighted.push_back(projected * component);
      for (Eigen::Index k = 0; k < unknowns; ++k) {
        const auto ku = static_cast<std::size_t>(k);
        s.score(k) += pe.dot(c.components[ku] * pe);
        for (Eigen::Index l = 0; l <= k; ++l) {
          const double trace = weighted[ku].cwiseProduct(weighted[static_cast<std::size_t>(l)].transpose()).sum();
          s.information(k, l) += trace;
          if (l != k) s.information(l, k) += trace;
        }
      }
      // With F = S⁻¹: W = (1 + FΣ)⁻¹F, W b = (1 + FΣ)⁻¹ΦᵀV⁻¹e and W S W = (1 + FΣ)⁻¹F(1 + ΣF)⁻¹ need no inverse of F.
      const Eigen::Matrix3d m = (Eigen::Matrix3d::Identity() + f * working_static_).inverse();
      const Eigen::Matrix3d w = m * f;
      const Eigen::Vector3d wb = m * (inverse_phi.transpose() * c.e);
      weights += w;
      total += wb;
      squares += wb * wb.transpose();
      s.own.left += kronecker(w, w);
      s.own.right += wb * wb.transpose() - m * f * m.transpose();
    }
    s.cross.left = kronecker(weights, weights) - s.own.left;
    s.cross.right = total * total.transpose() - squares;
    return s;
  }

  static Eigen::Matrix3d pseudo_inverse(const Eigen::Matrix3d& symmetric) {
    const Eigen::SelfAdjointEigenSolver<Eigen::Matrix3d> solver(symmetric);
    constexpr double kNegligible = 1e-9;
    const double largest = solver.eigenvalues().cwiseAbs().maxCoeff();
    Eigen::Matrix3d inverse = Eigen::Matrix3d::Zero();
    for (int k = 0; k < 3; ++k)
      if (solver.eigenvalues()(k) > kNegligible * largest)
        inverse += solver.eigenvectors().col(k) * solver.eigenvectors().col(k).transpose() / solver.eigenvalues()(k);
    return inverse;
  }

  static Eigen::Matrix<double, 9, 9> kronecker(const Eigen::Matrix3d& a, const Eigen::Matrix3d& b) {
    Eigen::Matrix<double, 9, 9> k;
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 3; ++j) k.block<3, 3>(3 * i, 3 * j) = a(i, j) * b;
    return k;
  }

  ChipSums all_sums(const Eigen::VectorXd& theta, std::vector<ChipSums>& of_chip) {
    of_chip.resize(o_.chips);
#pragma omp parallel for schedule(dynamic)
    for (std::size_t chip = 0; chip < o_.chips; ++chip) of_chip[chip] = sums(chip, theta);
    ChipSums all = of_chip[0];
    for (std::size_t chip = 1; chip < o_.chips; ++chip) add(all, of_chip[chip], 1.0);
    return all;
  }

  /// Components from summed equations: 6 of Σ_C, 6 of Σ_K, s² of each level, lack of fit.
  static Eigen::VectorXd solve(const ChipSums& s) {
    Eigen::VectorXd result(12 + s.score.size());
    const Eigen::Matrix3d chip = s.cross.solve(), both = s.own.solve();
    for (int k = 0; k < 6; ++k) {
      result(k) = chip(kRow[k], kColumn[k]);
      result(6 + k) = both(kRow[k], kColumn[k]) - result(k);
    }
    result.tail(s.score.size()) = s.information.completeOrthogonalDecomposition().solve(s.score);
    return result;
  }

  static void add(ChipSums& into, const ChipSums& from, double sign) {
    into.information += sign * from.information;
    into.score += sign * from.score;
    into.level_gram += sign * from.level_gram;
    into.level_whole += sign * from.level_whole;
    into.level_right += sign * from.level_right;
    into.own.add(from.own, sign);
    into.cross.add(from.cross, sign);
    into.active += sign * from.active;
    into.reads += sign * from.reads;
  }

  void fit_static() {
    const auto levels = static_cast<Eigen::Index>(o_.levels);
    double square = 0.0;
    for (const Point& p : points_) square += p.e * p.e;
    square /= static_cast<double>(points_.size());
    // Working variances of the REML iteration stay positive; the estimates themselves may go below zero.
    const double floor = 1e-6 * std::max(square, 1e-12);
    // Operands without an active cell of a noisy level would otherwise have next to no variance and all the weight, and
    // with it whatever μ leaves there. The equations stay unbiased for any working variances.
    constexpr double kLeastLackOfFit = 0.02;
    Eigen::VectorXd floors = Eigen::VectorXd::Constant(levels + 1, floor);
    floors(levels) = kLeastLackOfFit * std::max(square, 1e-12);
    Eigen::VectorXd theta = theta_.size() > 0 ? theta_ : Eigen::VectorXd::Constant(levels + 1, square / 20.0);
    theta = theta.cwiseMax(floors);
    if (working_static_.isZero()) working_static_ = square * Eigen::Matrix3d::Identity();
    std::vector<ChipSums> of_chip;
    ChipSums all;
    Eigen::VectorXd estimate;
    constexpr int kMostIterations = 12;
    for (int iteration = 0; iteration < kMostIterations; ++iteration) {
      all = all_sums(theta, of_chip);
      estimate = solve(all);
      Eigen::VectorXd both = estimate.head(6) + estimate.segment(6, 6);
      const Covariance working = semidefinite(both);
      working_static_ = Eigen::Map<const Eigen::Matrix3d>(working.data()) + floor * Eigen::Matrix3d::Identity();
      const Eigen::VectorXd next = estimate.tail(levels + 1).cwiseMax(floors);
      const double change =
          ((next - theta).cwiseAbs().array() / (next + Eigen::VectorXd::Constant(next.size(), floor * 1e2)).array())
              .maxCoeff();
      theta = next;
      if (change < 1e-3) break;
    }
    theta_ = theta;
    level_gram_ = all.level_gram;
    level_whole_ = all.level_whole;
    level_right_ = all.level_right;
    std::vector<std::vector<double>> leave_out(static_cast<std::size_t>(estimate.size()));
    for (const ChipSums& one : of_chip) {
      ChipSums rest = all;
      add(rest, one, -1.0);
      const Eigen::VectorXd e = solve(rest);
      for (Eigen::Index k = 0; k < e.size(); ++k) leave_out[static_cast<std::size_t>(k)].push_back(e(k));
    }
    const auto interval = [&](Eigen::Index k) {
      return jackknife_interval(estimate(k), leave_out[static_cast<std::size_t>(k)], 0.95);
    };
    t_.chip_interval.clear();
    t_.column_interval.clear();
    t_.cell_interval.clear();
    t_.cell_sigma.clear();
    for (Eigen::Index k = 0; k < 6; ++k) t_.chip_interval.push_back(interval(k));
    for (Eigen::Index k = 6; k < 12; ++k) t_.column_interval.push_back(interval(k));
    // What μ leaves unexplained goes together within a column, too, and could pass for cells: the interval of s² is
    // widened by the variance per active cell that the whole lack of fit would amount to.
    const double unexplained = std::max(0.0, estimate(12 + levels));
    for (Eigen::Index k = 0; k < levels; ++k) {
      Interval i = interval(12 + k);
      const double systematic = unexplained / std::max(1.0, all.active(k) / std::max(1.0, all.reads));
      t_.cell_interval.push_back({i.estimate, i.low - systematic, i.high + systematic});
      t_.cell_sigma.push_back(std::sqrt(std::max(0.0, estimate(12 + k))));
    }
    t_.chip = semidefinite(estimate.head(6));
    t_.column = semidefinite(estimate.segment(6, 6));
  }

  /// The nearest positive semi-definite matrix: negative eigenvalues, which noise of the estimate makes, become 0.
  static Covariance semidefinite(const Eigen::VectorXd& entries) {
    Eigen::Matrix3d m;
    for (int k = 0; k < 6; ++k) m(kRow[k], kColumn[k]) = m(kColumn[k], kRow[k]) = entries(k);
    const Eigen::SelfAdjointEigenSolver<Eigen::Matrix3d> solver(m);
    const Eigen::Matrix3d fixed =
        solver.eigenvectors() * solver.eigenvalues().cwiseMax(0.0).asDiagonal() * solver.eigenvectors().transpose();
    Covariance c;
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 3; ++j) c[static_cast<std::size_t>(3 * i + j)] = fixed(i, j);
    return c;
  }

  /// σ_D² is a sum of named sources, each a smooth surface of its own.
  void fit_dynamic() {
    t_.source_names = o_.source_names;
    t_.source_variance.clear();
    std::vector<double> total(t_.axes.size(), 0.0);
    for (std::size_t source = 0; source < o_.source_names.size(); ++source) {
      SurfaceSamples s;
      for (std::size_t k = 0; k < points_.size(); ++k) {
        if (std::fabs(points_[k].ya) > options_.y_limit) continue;
        s.y.push_back(points_[k].ya);
        s.a.push_back(points_[k].a);
        s.value.push_back(o_.source_variance[source * points_.size() + k]);
        s.group.push_back(static_cast<std::uint32_t>(k / (o_.columns * count_)));
      }
      const SurfaceFit fit = fit_surface(t_.axes, s);
      for (std::size_t node = 0; node < fit.nodes.size(); ++node) {
        t_.source_variance.push_back(std::max(0.0, fit.nodes[node]));
        total[node] += std::max(0.0, fit.nodes[node]);
      }
    }
    t_.dynamic_sigma.resize(total.size());
    for (std::size_t node = 0; node < total.size(); ++node) t_.dynamic_sigma[node] = std::sqrt(total[node]);
  }

  const Observations& o_;
  const EstimateOptions& options_;
  ErrorTable& t_;
  std::size_t count_;
  std::vector<Point> points_;
  Eigen::VectorXd theta_;                                     ///< working variances of the last REML iteration
  Eigen::Matrix3d working_static_ = Eigen::Matrix3d::Zero();  ///< Σ_C + Σ_K behind the weights of the moments
  Eigen::MatrixXd level_gram_, level_whole_;  ///< equations of the correction to g(k), without and with φ
  Eigen::VectorXd level_right_;
};

}  // namespace

void estimate_terms(const Observations& observations, const EstimateOptions& options, ErrorTable& table) {
  Estimator(observations, options, table).run();
}

}  // namespace errata::errormodel
