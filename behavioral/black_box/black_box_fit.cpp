#include <fmt/format.h>

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <optional>

#include "behavioral/black_box/black_box.h"
#include "behavioral/black_box/black_box_regression.h"
#include "behavioral/fit.h"
#include "behavioral/fitting/fitted_parameters.h"
#include "core/error.h"
#include "core/quantity.h"
#include "core/statistics.h"

namespace errata::behavioral {

namespace {

/// One that is tried.
struct Candidate {
  int degree = 1;  ///< of the surface
  ColumnSurface::Position position = ColumnSurface::Position::kLeftOut;
  int mismatch_degree = 1;

  std::string label() const {
    std::string text = degree == 1 ? "sum of rows" : fmt::format("surface of degree {}", degree);
    text += position == ColumnSurface::Position::kIncluded ? " over (u, a, P)" : degree == 1 ? "" : " over (u, a)";
    return mismatch_degree == 1 ? text : text + ", cells' draws squared";
  }
};

struct Judged {
  Candidate candidate;
  CellFitQuality quality;
  std::vector<double> held_out;  ///< [reads] by fits that have not seen the chip
};

constexpr std::size_t kFolds = 4;

/// Cross-validation: chips go to the folds in turn. Nothing when the reads do not suffice.
std::optional<Judged> judge(const LineDesign& all, const Candidate& candidate) {
  Judged judged;
  judged.candidate = candidate;
  judged.held_out.assign(all.reads(), 0.0);
  CellFitQuality& q = judged.quality;
  q.degree = candidate.degree;
  q.label = candidate.label();
  q.converged = true;
  const std::uint32_t chips = 1 + *std::ranges::max_element(all.chip);
  const auto folds = static_cast<std::uint32_t>(std::min<std::size_t>(kFolds, chips));
  std::vector<double> errors, checks;
  for (std::uint32_t fold = 0; fold < folds; ++fold) {
    std::vector<std::uint8_t> keep;
    for (const auto chip : all.chip) keep.push_back(chip % folds == fold ? 0 : 1);
    const LineDesign train = subset(all, keep);
    if (!enough(train, candidate.degree, candidate.position)) return std::nullopt;
    const Regression r = regress(train, candidate.degree, candidate.position);
    q.converged = q.converged && r.fit.converged;
    q.condition_number = std::max(q.condition_number, r.fit.condition_number);
    for (const auto& p : r.fit.parameters)
      q.widest_parameter_half_width = std::max(q.widest_parameter_half_width, 0.5 * (p.interval.high - p.interval.low));
    errors.insert(errors.end(), r.fit.residuals.begin(),
                  r.fit.residuals.begin() + static_cast<std::ptrdiff_t>(train.reads()));
    const std::vector<double> predicted = predict(r, all);
    for (std::size_t k = 0; k < all.reads(); ++k) {
      if (keep[k] != 0) continue;
      judged.held_out[k] = predicted[k];
      checks.push_back(predicted[k] - all.output(static_cast<Eigen::Index>(k)));
    }
  }
  q.rms = root_mean_square(errors);
  q.held_out_rms = root_mean_square(checks);
  for (const double e : errors) q.maximum = std::max(q.maximum, std::fabs(e));
  for (const double e : checks) q.held_out_maximum = std::max(q.held_out_maximum, std::fabs(e));
  return judged;
}

/// Variance over (1, a, u) of the lines that ngspice's .noise was run on; without them the kT/C of the line's reset,
/// where its capacitance is known.
void fit_noise(const circuit::Characterization& data, const LineDesign& d, const Regression& regression,
               BlackBox& family) {
  const auto& m = data.columns;
  std::vector<double> rows, squares;
  std::size_t at = 0;
  for (std::size_t line = 0; line < m.noise_chips * m.columns * m.branches; ++line)
    for (std::size_t o = 0; o < m.noise_operands; ++o, ++at) {
      const double square = m.noise_square[at];
      const std::ptrdiff_t read = d.of_reading[line * m.operands + o];
      if (!std::isfinite(square) || square <= 0.0 || read < 0) continue;
      const ColumnState x = state_of(regression, d, static_cast<std::size_t>(read));
      rows.insert(rows.end(), {1.0, x.a, x.u});
      squares.push_back(square);
    }
  if (squares.size() < 3) {
    if (data.array.transient() && data.array.line_farads > 0.0)
      family.noise = {kBoltzmannJoulesPerKelvin * data.array.temperature_kelvin / data.array.line_farads, 0.0, 0.0};
    return;
  }
  const double unit = mean(squares);
  const auto n = static_cast<Eigen::Index>(squares.size());
  using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, 3, Eigen::RowMajor>;
  const Eigen::MatrixXd basis = Eigen::Map<const RowMajor>(rows.data(), n, 3);
  const Eigen::VectorXd c = Eigen::CompleteOrthogonalDecomposition<Eigen::MatrixXd>(basis).solve(
      Eigen::Map<const Eigen::VectorXd>(squares.data(), n) / unit);
  family.noise = {c(0) * unit, c(1) * unit, c(2) * unit / d.scale};
  family.noise_floor = 0.5 * *std::ranges::min_element(squares);
}

/// From the scaled regression to the output's unit.
std::shared_ptr<BlackBox> family_of(const LineDesign& d, const Regression& r) {
  auto family = std::make_shared<BlackBox>();
  BlackBox& b = *family;
  b.stored_inputs = d.inputs, b.stored_levels = d.levels, b.terms = d.terms;
  b.mismatch_range = d.mismatch_range, b.periphery_range = d.periphery_range;
  b.exponents = d.exponents, b.seen = d.seen;
  b.offset = d.center + d.scale * r.offset;
  for (std::size_t x = 0; x < d.inputs; ++x)
    for (std::size_t w = 0; w < d.levels; ++w)
      for (std::size_t m = 0; m < d.monomials; ++m) {
        const auto f = d.feature(x, w, m);
        b.contribution.push_back(f ? d.scale * r.contribution[*f] : 0.0);
      }
  b.surface = r.surface;
  for (double* axis : {&b.surface.u_center, &b.surface.u_half, &b.surface.p_center, &b.surface.p_half})
    *axis *= d.scale;
  for (double& c : b.surface.coefficients) c *= d.scale;
  b.support = r.support;
  for (double& edge : b.support.box) edge *= d.scale;
  b.periphery_terms = d.group.size();
  for (std::size_t q = 0; q < b.periphery_terms; ++q) {
    const double* of_group = r.periphery.data() + 3 * d.group[q];
    for (const double unit : {d.scale, 1.0, d.scale}) b.periphery.push_back(unit * d.share[q] * *of_group++);
  }
  return family;
}

/// Names of the regression's parameters, in its order.
std::vector<std::string> parameter_names(const circuit::Characterization& data, const LineDesign& d,
                                         const Regression& r) {
  std::vector<std::string> variables, cells(d.features()), names{"offset"};
  for (const std::size_t t : cell_terms_of(data)) variables.push_back(data.mismatch[t].name);
  for (std::size_t x = 0; x < d.inputs; ++x)
    for (std::size_t w = 0; w < d.levels; ++w)
      for (std::size_t m = 0; m < d.monomials; ++m)
        if (const auto f = d.feature(x, w, m))
          cells[*f] = fmt::format("input {}, level {}: {}", x, w,
                                  monomial_name(std::span(d.exponents).subspan(m * d.terms, d.terms), variables));
  names.insert(names.end(), cells.begin(), cells.end());
  const std::string axes[] = {"u", "a", "P"};
  for (std::size_t t = 0; t < r.surface.terms(); ++t)
    names.push_back("surface " + monomial_name(std::span(r.surface.exponents).subspan(3 * t, 3), axes));
  for (std::size_t q = 0; 3 * q < r.periphery.size(); ++q)
    for (const char* what : {"offset", "gain on u", "gain on a"})
      names.push_back(fmt::format("periphery {}: {}", q, what));
  return names;
}

/// Tries one more; the simplest whose held-out error is within a twentieth of the best one's is kept.
class Contest {
 public:
  void enter(const LineDesign& d, const Candidate& candidate) {
    auto judged = judge(d, candidate);
    if (!judged) return;
    tried.push_back(judged->quality);
    constexpr double kWorthwhile = 0.95;
    const bool better = !winner || (judged->quality.converged &&
                                    judged->quality.held_out_rms < kWorthwhile * winner->quality.held_out_rms);
    if (!better) return;
    chosen = tried.size() - 1;
    winner = std::move(judged);
  }

  std::vector<CellFitQuality> tried;
  std::size_t chosen = 0;
  std::optional<Judged> winner;
};

}  // namespace

FamilyFit fit_black_box(const circuit::Characterization& data) {
  using Position = ColumnSurface::Position;
  LineDesign design = line_design(data, 1);
  if (data.columns.chips < 2 || design.reads() < 2)
    throw Error(ExitStatus::kComputation, "E504", "a black-box column needs at least two chips to hold one out",
                "raise circuit.design.chips");
  Contest contest;
  contest.enter(design, {});
  for (const int degree : {2, 3, 4})
    for (const Position position : {Position::kLeftOut, Position::kIncluded})
      contest.enter(design, {degree, position, 1});
  if (!contest.winner)
    throw Error(ExitStatus::kComputation, "E504",
                fmt::format("{} reads of lines for the contributions of {} kinds of cells", design.reads(),
                            design.inputs * design.levels),
                "raise circuit.design.chips, columns or operands");
  if (design.terms > 0) {
    LineDesign squared = line_design(data, 2);
    Candidate candidate = contest.winner->candidate;
    candidate.mismatch_degree = 2;
    contest.enter(squared, candidate);
    if (contest.winner->candidate.mismatch_degree == 2) design = std::move(squared);
  }
  const Judged& winner = *contest.winner;
  const Regression r = regress(design, winner.candidate.degree, winner.candidate.position);
  if (!r.fit.converged)
    throw Error(ExitStatus::kComputation, "E504", "the regression on columns does not converge: " + r.fit.message,
                "raise circuit.design.chips, columns or operands");
  const auto family = family_of(design, r);
  fit_noise(data, design, r, *family);
  FamilyFit fit{family, contest.tried, contest.chosen, {}, {}};
  fit.parameters =
      fitted_parameters(r.fit, fmt::format("lines, output in units of {:.4g} {}", design.scale, data.array.unit),
                        parameter_names(data, design, r));
  for (const std::ptrdiff_t read : design.of_reading)
    fit.held_out_output.push_back(
        read < 0 ? std::nan("") : design.center + design.scale * winner.held_out[static_cast<std::size_t>(read)]);
  return fit;
}

}  // namespace errata::behavioral
