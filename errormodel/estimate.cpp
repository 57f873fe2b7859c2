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
    t_.inputs = o_.inputs;
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
        q.a = o_.designs[c].second_axis(p, o_.minimum_conductance);
      }
  }

  std::size_t kinds() const { return t_.kinds(); }
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
  bool outside(double ya) const { return ya > options_.y_limit || ya < options_.y_low; }

  /// In a pair, the counts of an input level sum to zero over the stored levels, so one level of each is free: the
  /// minimum-norm solution, shifted so that g(x, 0) = 0.
  void set_levels(const Eigen::VectorXd& g) {
    const bool pair = o_.designs.front().differential();
    for (std::size_t x = 1; x < o_.inputs; ++x)
      for (std::size_t w = 0; w < o_.levels; ++w) {
        const auto k = t_.kind(x, w);
        t_.level[k] = g(static_cast<Eigen::Index>(k)) - (pair ? g(static_cast<Eigen::Index>(t_.kind(x, 0))) : 0.0);
      }
  }

  /// g(x, w): least squares of v on the signed number of active cells of each kind.
  void fit_levels() {
    const auto n = static_cast<Eigen::Index>(kinds());
    Eigen::MatrixXd gram = Eigen::MatrixXd::Zero(n, n);
    Eigen::VectorXd right = Eigen::VectorXd::Zero(n), counts(n);
    for (std::size_t c = 0; c < o_.designs.size(); ++c)
      for (std::size_t p = 0; p < count_; ++p) {
        if (outside(points_[c * count_ + p].y)) continue;
        counts.setZero();
        count_cells(o_.designs[c], p, 1.0, counts);
        gram += counts * counts.transpose();
        right += counts * o_.value[c * count_ + p];
      }
    t_.level.assign(kinds(), 0.0);
    set_levels(gram.completeOrthogonalDecomposition().solve(right));
    apply_levels();
  }

  void apply_levels() {
    for (std::size_t c = 0; c < o_.designs.size(); ++c)
      for (std::size_t p = 0; p < count_; ++p) points_[c * count_ + p].ya = t_.static_sum(o_.designs[c], p);
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
    set_levels(Eigen::Map<const Eigen::VectorXd>(t_.level.data(), correction.size()) + correction);
    apply_levels();
  }

  /// μ(y_a, a) as a smooth surface, its slope and the residuals.
  void fit_mean() {
    double a_high = 1;
    for (const Point& p : points_) a_high = std::max(a_high, p.a);
    t_.axes = {options_.y_low, options_.y_limit, 0.0, a_high, options_.y_points, options_.a_points};
    SurfaceSamples s;
    for (std::size_t k = 0; k < points_.size(); ++k) {
      if (outside(points_[k].ya)) continue;
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

  /// One part of the cells' covariance: s(x, w) s(x', w) of one stored level and a pair of input levels, or, where
  /// there are many input levels, s(X − 1, w)² with s(x, w) in proportion to the mean level g(x).
  struct Component {
    std::size_t level = 0;
    std::size_t first = 1, second = 1;  ///< input levels; unused when proportional
  };

  /// Few input levels: every pair of them has a variance of its own.
  static constexpr std::size_t kMostFreeInputs = 4;
  bool proportional() const { return o_.inputs > kMostFreeInputs; }

  void make_components() {
    components_.clear();
    for (std::size_t w = 0; w < o_.levels; ++w) {
      if (proportional()) {
        components_.push_back({w});
        continue;
      }
      for (std::size_t x = 1; x < o_.inputs; ++x)
        for (std::size_t z = x; z < o_.inputs; ++z) components_.push_back({w, x, z});
    }
  }

  /// How the spread at an input level compares with that at the highest one, when proportional.
  double share_of_top(std::size_t x) const {
    const std::size_t top = o_.levels - 1;
    const double full = t_.level[t_.kind(o_.inputs - 1, top)];
    return full != 0.0 ? t_.level[t_.kind(x, top)] / full : 1.0;
  }

  /// Covariance structure of one column's residuals: e = Φ (C + K) + cells + lack of fit.
  struct Column {
    Eigen::MatrixXd phi;                      ///< [operands][3]
    std::vector<Eigen::MatrixXd> components;  ///< overlap matrix of each component, last the identity
    Eigen::MatrixXd counts;                   ///< [operands][kinds] signed number of active cells of each kind
    Eigen::VectorXd active;                   ///< [kinds] their number without sign, over all operands
    Eigen::VectorXd e;
  };

  Column column_of(std::size_t chip, std::size_t column) {
    Column c;
    // Beyond the axes μ is held constant, so the residual there is not a static error.
    std::vector<std::size_t> inside;
    for (std::size_t p = 0; p < count_; ++p)
      if (!outside(at(chip, column, p).ya)) inside.push_back(p);
    const auto n = static_cast<Eigen::Index>(inside.size());
    const ColumnOperands& d = o_.designs[chip * o_.columns + column];
    const auto cells = static_cast<Eigen::Index>(d.branches() * d.rows);
    c.phi.resize(n, 3);
    c.e.resize(n);
    c.counts = Eigen::MatrixXd::Zero(n, static_cast<Eigen::Index>(kinds()));
    c.active = Eigen::VectorXd::Zero(static_cast<Eigen::Index>(kinds()));
    // Which cell is active as which kind, times the slope by which it reaches the output.
    std::vector<Eigen::MatrixXd> active(proportional() ? o_.levels : kinds(), Eigen::MatrixXd::Zero(n, cells));
    for (Eigen::Index p = 0; p < n; ++p) {
      const std::size_t operand = inside[static_cast<std::size_t>(p)];
      const Point& point = at(chip, column, operand);
      c.phi.row(p) = phi(point).transpose();
      c.e(p) = point.e;
      count_cells(d, operand, point.slope, c.counts.row(p));
      const std::uint8_t* x = d.input(operand);
      for (std::size_t j = 0; j < d.rows; ++j) {
        if (x[j] == 0) continue;
        for (std::size_t b = 0; b < d.branches(); ++b) {
          const std::size_t w = d.branch(b)[j];
          const double value = point.slope * (proportional() ? share_of_top(x[j]) : 1.0);
          c.active(static_cast<Eigen::Index>(t_.kind(x[j], w))) += point.slope * point.slope;
          active[proportional() ? w : t_.kind(x[j], w)](p, static_cast<Eigen::Index>(d.branches() * j + b)) = value;
        }
      }
    }
    for (const Component& k : components_) {
      if (proportional()) {
        c.components.push_back(active[k.level] * active[k.level].transpose());
        continue;
      }
      const Eigen::MatrixXd &a = active[t_.kind(k.first, k.level)], &b = active[t_.kind(k.second, k.level)];
      Eigen::MatrixXd overlap = a * b.transpose();
      if (k.first != k.second) overlap += overlap.transpose().eval();
      c.components.push_back(std::move(overlap));
    }
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
    const auto all_kinds = static_cast<Eigen::Index>(kinds());
    s.level_gram = Eigen::MatrixXd::Zero(all_kinds, all_kinds);
    s.level_whole = s.level_gram;
    s.level_right = Eigen::VectorXd::Zero(all_kinds);
    s.active = Eigen::VectorXd::Zero(all_kinds);
    Eigen::Vector3d total = Eigen::Vector3d::Zero();
    Eigen::Matrix3d squares = Eigen::Matrix3d::Zero(), weights = Eigen::Matrix3d::Zero();
    for (std::size_t i = 0; i < o_.columns; ++i) {
      const Column c = column_of(chip, i);
      constexpr Eigen::Index kFewest = 5;  // three go into φ
      if (c.e.size() < kFewest) continue;
      Eigen::MatrixXd v = Eigen::MatrixXd::Zero(c.e.size(), c.e.size());
      for (Eigen::Index k = 0; k < unknowns; ++k) v += theta(k) * c.components[static_cast<std::size_t>(k)];
      s.active += c.active;
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

  /// The spread of every kind from the components: of each stored level the matrix S(x, x') = s(x) s(x') has one
  /// direction only, since a cell has one draw.
  std::vector<double> spreads(const Eigen::VectorXd& components) const {
    std::vector<double> sigma(kinds(), 0.0);
    const auto inputs = static_cast<Eigen::Index>(o_.inputs - 1);
    for (std::size_t w = 0, at = 0; w < o_.levels; ++w) {
      if (proportional()) {
        const double top = std::sqrt(std::max(0.0, components(static_cast<Eigen::Index>(w))));
        for (std::size_t x = 1; x < o_.inputs; ++x) sigma[t_.kind(x, w)] = top * share_of_top(x);
        continue;
      }
      Eigen::MatrixXd s(inputs, inputs);
      for (Eigen::Index x = 0; x < inputs; ++x)
        for (Eigen::Index z = x; z < inputs; ++z) s(x, z) = s(z, x) = components(static_cast<Eigen::Index>(at++));
      const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(s);
      const double largest = std::max(0.0, solver.eigenvalues()(inputs - 1));
      Eigen::VectorXd direction = solver.eigenvectors().col(inputs - 1);
      if (direction.sum() < 0.0) direction = -direction;
      for (Eigen::Index x = 0; x < inputs; ++x)
        sigma[t_.kind(static_cast<std::size_t>(x) + 1, w)] = std::max(0.0, std::sqrt(largest) * direction(x));
    }
    return sigma;
  }

  /// Working variances of the REML iteration: what the spreads amount to, positive.
  Eigen::VectorXd working(const Eigen::VectorXd& estimate, const Eigen::VectorXd& floors) const {
    const auto count = static_cast<Eigen::Index>(components_.size());
    Eigen::VectorXd theta = estimate;
    const auto sigma = spreads(estimate.head(count));
    for (Eigen::Index k = 0; k < count && !proportional(); ++k) {
      const Component& c = components_[static_cast<std::size_t>(k)];
      theta(k) = sigma[t_.kind(c.first, c.level)] * sigma[t_.kind(c.second, c.level)];
    }
    for (Eigen::Index k = 0; k < theta.size(); ++k) {
      const bool variance =
          k == count || proportional() ||
          components_[static_cast<std::size_t>(k)].first == components_[static_cast<std::size_t>(k)].second;
      if (variance) theta(k) = std::max(theta(k), floors(k));
    }
    return theta;
  }

  void fit_static() {
    make_components();
    const auto count = static_cast<Eigen::Index>(components_.size());
    double square = 0.0;
    for (const Point& p : points_) square += p.e * p.e;
    square /= static_cast<double>(points_.size());
    // Working variances of the REML iteration stay positive; the estimates themselves may go below zero.
    const double floor = 1e-6 * std::max(square, 1e-12);
    // Operands without an active cell of a noisy level would otherwise have next to no variance and all the weight, and
    // with it whatever μ leaves there. The equations stay unbiased for any working variances.
    constexpr double kLeastLackOfFit = 0.02;
    Eigen::VectorXd floors = Eigen::VectorXd::Constant(count + 1, floor);
    floors(count) = kLeastLackOfFit * std::max(square, 1e-12);
    Eigen::VectorXd theta = theta_.size() > 0 ? theta_ : Eigen::VectorXd::Constant(count + 1, square / 20.0);
    theta = working(theta, floors);
    if (working_static_.isZero()) working_static_ = square * Eigen::Matrix3d::Identity();
    std::vector<ChipSums> of_chip;
    ChipSums all;
    Eigen::VectorXd estimate;
    constexpr int kMostIterations = 12;
    for (int iteration = 0; iteration < kMostIterations; ++iteration) {
      all = all_sums(theta, of_chip);
      estimate = solve(all);
      Eigen::VectorXd both = estimate.head(6) + estimate.segment(6, 6);
      const Covariance shared = semidefinite(both);
      working_static_ = Eigen::Map<const Eigen::Matrix3d>(shared.data()) + floor * Eigen::Matrix3d::Identity();
      const Eigen::VectorXd next = working(estimate.tail(count + 1), floors);
      const double change = ((next - theta).cwiseAbs().array() /
                             (next.cwiseAbs() + Eigen::VectorXd::Constant(next.size(), floor * 1e2)).array())
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
    for (Eigen::Index k = 0; k < 6; ++k) t_.chip_interval.push_back(interval(k));
    for (Eigen::Index k = 6; k < 12; ++k) t_.column_interval.push_back(interval(k));
    t_.cell_sigma = spreads(estimate.segment(12, count));
    // What μ leaves unexplained goes together within a column, too, and could pass for cells: the interval of s² is
    // widened by the variance per active cell that the whole lack of fit would amount to.
    const double unexplained = std::max(0.0, estimate(12 + count));
    t_.cell_interval.assign(kinds(), {});
    for (Eigen::Index k = 0; k < count; ++k) {
      const Component& c = components_[static_cast<std::size_t>(k)];
      if (c.first != c.second) continue;
      const Interval i = interval(12 + k);
      for (std::size_t x = proportional() ? 1 : c.first; x <= (proportional() ? o_.inputs - 1 : c.first); ++x) {
        const std::size_t kind = t_.kind(x, c.level);
        const double share = proportional() ? share_of_top(x) * share_of_top(x) : 1.0;
        const double reads = std::max(1.0, all.reads);
        const double systematic = unexplained / std::max(1.0, all.active(static_cast<Eigen::Index>(kind)) / reads);
        t_.cell_interval[kind] = {share * i.estimate, share * i.low - systematic, share * i.high + systematic};
      }
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
        if (outside(points_[k].ya)) continue;
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
  std::vector<Component> components_;
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
