#include "behavioral/black_box/black_box_regression.h"

#include <algorithm>
#include <cmath>
#include <memory>

namespace errata::behavioral {

namespace {

using Vector = Eigen::VectorXd;
using Index = Eigen::Index;

/// Where each group of parameters begins.
struct Layout {
  Index features, terms, periphery;
  Index surface() const { return 1 + features; }
  Index outside() const { return surface() + terms; }
  Index size() const { return outside() + 3 * periphery; }
};

Layout layout_of(const LineDesign& d, const ColumnSurface& s) {
  return {d.count.cols(), static_cast<Index>(s.terms()), d.periphery.cols()};
}

Eigen::Map<const Vector> part(std::span<const double> parameters, Index from, Index count) {
  return {parameters.data() + from, count};
}

/// Model minus output of every read, and its derivatives.
class Model {
 public:
  Model(const LineDesign& design, ColumnSurface surface, double row_contribution)
      : design_(design), surface_(std::move(surface)), layout_(layout_of(design, surface_)) {
    // What to expect of each parameter, and of the reads' residuals, as shares of the outputs' spread.
    constexpr double kResidual = 0.003, kCellDraw = 0.3, kOffset = 3.0, kGain = 0.05, kBend = 0.2;
    prior_.setZero(layout_.size());
    for (Index f = 0; f < layout_.features; ++f)
      if (!design_.nominal(static_cast<std::size_t>(f))) prior_(1 + f) = kResidual / (kCellDraw * row_contribution);
    prior_.segment(layout_.surface(), layout_.terms).setConstant(kResidual / (kBend * surface_.u_half));
    for (Index q = layout_.outside(); q < layout_.size(); q += 3)
      prior_.segment<3>(q) << kResidual / (kOffset * row_contribution), kResidual / kGain,
          kResidual / (kGain * surface_.u_half);
  }

  std::size_t parameters() const { return static_cast<std::size_t>(layout_.size()); }

  std::vector<double> residuals(std::span<const double> parameters) const {
    const Parts p = parts(parameters);
    std::vector<double> r(design_.reads());
    for (std::size_t k = 0; k < r.size(); ++k) {
      const auto i = static_cast<Index>(k);
      const ColumnState x{p.u(i), design_.active(i), p.moment(i)};
      r[k] = parameters[0] + x.u + p.surface.at(x).value + p.draws(i, 0) + p.draws(i, 1) * x.u + p.draws(i, 2) * x.a -
             design_.output(i);
    }
    for (Index k = 0; k < layout_.size(); ++k)
      if (prior_(k) > 0.0) r.push_back(prior_(k) * parameters[static_cast<std::size_t>(k)]);
    return r;
  }

  std::vector<double> jacobian(std::span<const double> parameters) const {
    const Parts p = parts(parameters);
    const Index n = static_cast<Index>(design_.reads());
    LineDesign::RowMajor j = LineDesign::RowMajor::Zero(n + (prior_.array() > 0.0).count(), layout_.size());
    for (Index i = 0; i < n; ++i) {
      const ColumnState x{p.u(i), design_.active(i), p.moment(i)};
      const auto slope = p.surface.at(x);
      j(i, 0) = 1.0;
      j.block(i, 1, 1, layout_.features) =
          (1.0 + p.draws(i, 1) + slope.by_u) * design_.count.row(i) + slope.by_p * design_.moment.row(i);
      const auto terms = p.surface.term_values(x);
      for (Index t = 0; t < layout_.terms; ++t) j(i, layout_.surface() + t) = terms[static_cast<std::size_t>(t)];
      for (Index q = 0; q < layout_.periphery; ++q) {
        const double d = design_.periphery(i, q);
        j(i, layout_.outside() + 3 * q) = d;
        j(i, layout_.outside() + 3 * q + 1) = d * x.u;
        j(i, layout_.outside() + 3 * q + 2) = d * x.a;
      }
    }
    for (Index k = 0, row = n; k < layout_.size(); ++k)
      if (prior_(k) > 0.0) j(row++, k) = prior_(k);
    return {j.data(), j.data() + j.size()};
  }

 private:
  struct Parts {
    Vector u, moment;
    LineDesign::RowMajor draws;  ///< [reads][3] Σ_q d_q B_q
    ColumnSurface surface;
  };
  Parts parts(std::span<const double> parameters) const {
    const auto g = part(parameters, 1, layout_.features);
    Parts p{design_.count * g, design_.moment * g, LineDesign::RowMajor::Zero(design_.count.rows(), 3), surface_};
    const Eigen::Map<const LineDesign::RowMajor> b(parameters.data() + layout_.outside(), layout_.periphery, 3);
    if (layout_.periphery > 0) p.draws = design_.periphery * b;
    const auto c = part(parameters, layout_.surface(), layout_.terms);
    p.surface.coefficients.assign(c.begin(), c.end());
    return p;
  }

  const LineDesign& design_;
  ColumnSurface surface_;
  Layout layout_;
  Vector prior_;  ///< [parameters] weight; 0: none
};

/// Offset, contributions and offsets by the periphery's draws: what is linear in the parameters.
Vector linear_start(const LineDesign& d) {
  const Index n = d.count.rows();
  Eigen::MatrixXd basis(n, 1 + d.count.cols() + d.periphery.cols());
  basis << Vector::Ones(n), d.count, d.periphery;
  return Eigen::CompleteOrthogonalDecomposition<Eigen::MatrixXd>(basis).solve(d.output);
}

/// Center and half of a range; 1 where it is a point.
std::pair<double, double> center_and_half(const Vector& v) {
  const double low = v.minCoeff(), high = v.maxCoeff(), half = 0.5 * (high - low);
  return {0.5 * (low + high), half > 0.0 ? half : 1.0};
}

}  // namespace

bool enough(const LineDesign& d, int degree, ColumnSurface::Position position) {
  const std::size_t terms = ColumnSurface::basis(degree, position).size() / 3;
  const std::size_t parameters = 1 + d.features() + terms + 3 * static_cast<std::size_t>(d.periphery.cols());
  return d.reads() >= 2 * parameters;
}

LeastSquaresProblem black_box_problem(const LineDesign& design, const ColumnSurface& axes, double row_contribution) {
  const auto model = std::make_shared<const Model>(design, axes, row_contribution);
  LeastSquaresProblem problem{.parameters = model->parameters()};
  problem.residuals = [model](std::span<const double> p) { return model->residuals(p); };
  problem.jacobian = [model](std::span<const double> p) { return model->jacobian(p); };
  return problem;
}

Regression regress(const LineDesign& d, int degree, ColumnSurface::Position position) {
  const Vector linear = linear_start(d);
  const Vector g = linear.segment(1, d.count.cols());
  Regression r;
  std::tie(r.surface.u_center, r.surface.u_half) = center_and_half(d.count * g);
  std::tie(r.surface.p_center, r.surface.p_half) = center_and_half(d.moment * g);
  if (degree > 1) r.surface.exponents = ColumnSurface::basis(degree, position);
  r.surface.coefficients.assign(r.surface.terms(), 0.0);
  const Layout layout = layout_of(d, r.surface);
  std::vector<double> start(static_cast<std::size_t>(layout.size()), 0.0);
  std::copy_n(linear.data(), 1 + layout.features, start.begin());
  for (Index q = 0; q < layout.periphery; ++q)
    start[static_cast<std::size_t>(layout.outside() + 3 * q)] = linear(1 + layout.features + q);
  double largest = 1e-3;
  for (Index f = 0; f < g.size(); ++f)
    if (d.nominal(static_cast<std::size_t>(f))) largest = std::max(largest, std::fabs(g(f)));
  r.fit = fit_least_squares(black_box_problem(d, r.surface, largest), start, {.most_steps = 200, .tolerance = 1e-11});
  const auto p = r.fit.values();
  r.offset = p[0];
  r.contribution.assign(p.begin() + 1, p.begin() + layout.surface());
  r.surface.coefficients.assign(p.begin() + layout.surface(), p.begin() + layout.outside());
  r.periphery.assign(p.begin() + layout.outside(), p.end());
  std::vector<ColumnState> states;
  for (std::size_t k = 0; k < d.reads(); ++k) states.push_back(state_of(r, d, k));
  r.support = ColumnSupport::around(states);
  return r;
}

ColumnState state_of(const Regression& r, const LineDesign& d, std::size_t read) {
  const auto i = static_cast<Index>(read);
  const Eigen::Map<const Vector> g(r.contribution.data(), static_cast<Index>(r.contribution.size()));
  return {d.count.row(i).dot(g), d.active(i), d.moment.row(i).dot(g)};
}

std::vector<double> predict(const Regression& r, const LineDesign& d) {
  const auto position =
      r.surface.uses_position() ? ColumnSurface::Position::kIncluded : ColumnSurface::Position::kLeftOut;
  std::vector<double> outputs(d.reads());
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    const ColumnState x = state_of(r, d, k);
    outputs[k] = r.offset + x.u + bounded_value(r.surface, r.support, x, position).value;
    for (Index q = 0; q < d.periphery.cols(); ++q) {
      const double* b = r.periphery.data() + 3 * q;
      outputs[k] += d.periphery(static_cast<Index>(k), q) * (b[0] + b[1] * x.u + b[2] * x.a);
    }
  }
  return outputs;
}

}  // namespace errata::behavioral
