#include "errormodel/estimation/covariate_trials.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace errata::errormodel {

namespace {

/// What a table says about other operands: what is left of each value after g and μ, and the variance that is predicted
/// for it. Values beyond the axes take no part.
struct Transfer {
  std::vector<double> left, variance;
};

double active_cell_variance(const ErrorTable& t, const ColumnOperands& d, std::size_t p) {
  double sum = 0.0;
  for (std::size_t j = 0; j < d.rows; ++j)
    for (std::size_t b = 0; b < d.branches() && d.input(p)[j] > 0; ++b) {
      const double s = t.cell_sigma[t.kind(d.input(p)[j], d.branch(b)[j])];
      sum += s * s;
    }
  return sum;
}

Transfer transfer(const ErrorTable& t, const TermEstimates& terms, const Observations& o) {
  const std::size_t q = terms.basis.size(), count = o.operands();
  Transfer result;
  for (std::size_t k = 0; k < o.size(); ++k) {
    const ColumnOperands& d = o.designs[k / count];
    const std::size_t p = k % count;
    const auto values = covariate_values(d, p, o.minimum_conductance);
    const double ya = t.static_sum(d, p), a = values[2];
    const double slope = 1.0 + surface_value(t.axes, t.slope, ya, a);
    result.left.push_back(o.value[k] - ya - t.mean_shift(ya, a));
    const auto phi = terms.basis.phi(values);
    double variance = active_cell_variance(t, d, p);
    for (std::size_t i = 0; i < q; ++i)
      for (std::size_t j = 0; j < q; ++j)
        variance += phi[i] * phi[j] * (terms.chip[i * q + j] + terms.column[i * q + j]);
    const double noise =
        o.reads_per_operand > 0 ? std::pow(t.read_sigma(ya, a), 2) / static_cast<double>(o.reads_per_operand) : 0.0;
    result.variance.push_back(slope * slope * variance + noise);
  }
  return result;
}

/// Cells of (y, a) that hold equal shares of the operands.
class Cells {
 public:
  Cells(const Observations& o, const EstimateOptions& options) : of_(o.size(), kNone) {
    const std::size_t count = o.operands();
    std::vector<std::array<double, 2>> at;
    std::vector<std::size_t> order;
    for (std::size_t k = 0; k < o.size(); ++k) {
      const auto v = covariate_values(o.designs[k / count], k % count, o.minimum_conductance);
      at.push_back({v[1], v[2]});
      if (v[1] >= options.y_low && v[1] <= options.y_limit) order.push_back(k);
    }
    const auto by = [&](std::size_t axis) {
      return
          [&at, axis](std::size_t i, std::size_t j) { return std::pair(at[i][axis], i) < std::pair(at[j][axis], j); };
    };
    std::ranges::sort(order, by(0));
    for (std::size_t i = 0; i < kAlongMac; ++i) {
      const auto from = order.begin() + static_cast<std::ptrdiff_t>(i * order.size() / kAlongMac),
                 to = order.begin() + static_cast<std::ptrdiff_t>((i + 1) * order.size() / kAlongMac);
      std::sort(from, to, by(1));
      const auto n = static_cast<std::size_t>(to - from);
      for (std::size_t r = 0; r < n; ++r)
        of_[*(from + static_cast<std::ptrdiff_t>(r))] = i * kAlongAxis + r * kAlongAxis / n;
    }
  }
  static constexpr std::size_t kAlongMac = 6, kAlongAxis = 4, kCount = kAlongMac * kAlongAxis, kNone = kCount;
  std::size_t of(std::size_t observation) const { return of_[observation]; }

 private:
  std::vector<std::size_t> of_;
};

/// Sums of one chip over its operands in each cell.
struct CellSums {
  std::array<double, Cells::kCount> count{}, left{}, square{}, predicted{};
  CellSums& operator+=(const CellSums& s) { return add(s, 1.0); }
  CellSums& operator-=(const CellSums& s) { return add(s, -1.0); }

 private:
  CellSums& add(const CellSums& s, double sign) {
    for (std::size_t c = 0; c < Cells::kCount; ++c) {
      count[c] += sign * s.count[c];
      left[c] += sign * s.left[c];
      square[c] += sign * s.square[c];
      predicted[c] += sign * s.predicted[c];
    }
    return *this;
  }
};

std::vector<CellSums> sums_by_chip(const Transfer& t, const Cells& cells, std::size_t chips) {
  std::vector<CellSums> result(chips);
  const std::size_t per_chip = t.left.size() / chips;
  for (std::size_t k = 0; k < t.left.size(); ++k) {
    const std::size_t c = cells.of(k);
    if (c == Cells::kNone) continue;
    CellSums& s = result[k / per_chip];
    s.count[c] += 1.0;
    s.left[c] += t.left[k];
    s.square[c] += t.left[k] * t.left[k];
    s.predicted[c] += t.variance[k];
  }
  return result;
}

enum class Target { kMean, kSpread };

/// Rms over cells of what the prediction misses, in units of the whole error's σ.
double miss(const CellSums& s, Target target) {
  double sum = 0.0;
  for (std::size_t c = 0; c < Cells::kCount; ++c) {
    const double n = std::max(1.0, s.count[c]);
    const double one = target == Target::kMean
                           ? s.left[c] / n
                           : std::sqrt(std::max(0.0, s.predicted[c] / n)) - std::sqrt(s.square[c] / n);
    sum += s.count[c] * one * one;
  }
  const double square = std::accumulate(s.square.begin(), s.square.end(), 0.0);
  return square > 0.0 ? std::sqrt(sum / square) : 0.0;
}

/// Fills the trial's errors of transfer and, over chips, the standard error of their difference.
void compare(const std::vector<CellSums>& without, const std::vector<CellSums>& with, Target target,
             CovariateTrial& t) {
  CellSums all_without, all_with;
  for (std::size_t c = 0; c < without.size(); ++c) all_without += without[c], all_with += with[c];
  t.error_without = miss(all_without, target);
  t.error_with = miss(all_with, target);
  std::vector<double> leave_out;
  for (std::size_t c = 0; c < without.size(); ++c) {
    CellSums a = all_without, b = all_with;
    a -= without[c], b -= with[c];
    leave_out.push_back(miss(b, target) - miss(a, target));
  }
  const double n = static_cast<double>(leave_out.size());
  t.standard_error = (n - 1.0) / std::sqrt(n) * standard_deviation(leave_out);
}

void decide(CovariateTrial& t) {
  const double gain = t.error_without - t.error_with, allowed = 2.0 * t.standard_error;
  t.kept = gain >= -allowed;
  if (!t.kept)
    t.reason = "makes the transfer worse";
  else
    t.reason = gain > allowed ? "improves the transfer" : "no difference that these chips can tell";
}

constexpr const char* kNoPlace = "the table has no place for it";

class Trials {
 public:
  Trials(const Observations& own, const Observations& other, const EstimateOptions& options)
      : own_(own), other_(other), cells_(other, options), choice_{{}, options} {
    choice_.options.effort = EstimateOptions::Effort::kRough;
  }

  CovariateChoice run() {
    try_means();
    try_statics();
    choice_.options.effort = EstimateOptions::Effort::kFull;
    return std::move(choice_);
  }

 private:
  struct Fitted {
    ErrorTable table;
    TermEstimates terms;
    Transfer on_other;
    std::vector<CellSums> sums;
  };

  Fitted fit(std::vector<CovariateKind> covariates) const {
    EstimateOptions options = choice_.options;
    options.covariates = std::move(covariates);
    Fitted f;
    f.terms = estimate_terms(own_, options, f.table);
    f.on_other = transfer(f.table, f.terms, other_);
    f.sums = sums_by_chip(f.on_other, cells_, other_.chips);
    return f;
  }

  static double mean_square(const std::vector<double>& residual) {
    double sum = 0.0, n = 0.0;
    for (const double r : residual)
      if (std::isfinite(r)) sum += r * r, n += 1.0;
    return n > 0.0 ? sum / n : 0.0;
  }

  void try_means() {
    const std::vector<CovariateKind> one{CovariateKind::kOne};
    choice_.options.surfaces = EstimateOptions::Surfaces::kMac;
    const Fitted flat = fit(one);
    choice_.options.surfaces = EstimateOptions::Surfaces::kMacAndAxis;
    const Fitted both = fit(one);
    CovariateTrial axis{.term = "mean", .covariate = std::string(name_of(CovariateKind::kAxis))};
    axis.explained = 1.0 - mean_square(both.terms.residual) / std::max(1e-300, mean_square(flat.terms.residual));
    compare(flat.sums, both.sums, Target::kMean, axis);
    decide(axis);
    if (!axis.kept) choice_.options.surfaces = EstimateOptions::Surfaces::kMac;
    choice_.trials.push_back(axis);
    try_mean_position(axis.kept ? both : flat);
  }

  /// A part of the mean along P, freed of 1, y and a: what a third axis would buy.
  void try_mean_position(const Fitted& base) {
    std::vector<std::array<double, kCovariates>> values;
    const std::size_t count = own_.operands();
    for (std::size_t k = 0; k < own_.size(); ++k)
      values.push_back(covariate_values(own_.designs[k / count], k % count, own_.minimum_conductance));
    const CovariateBasis basis = orthogonal_basis(
        {CovariateKind::kOne, CovariateKind::kMac, CovariateKind::kAxis, CovariateKind::kPosition}, values);
    CovariateTrial t{.term = "mean", .covariate = std::string(name_of(CovariateKind::kPosition))};
    t.inflation = basis.inflation[3];
    t.reason = basis.kept[3] ? kNoPlace : "all but a combination of those before it";
    if (basis.kept[3]) {
      double top = 0.0, bottom = 0.0;
      for (std::size_t k = 0; k < values.size(); ++k) {
        const double r = base.terms.residual[k], p = basis.phi(values[k]).back();
        if (std::isfinite(r)) top += r * p, bottom += p * p;
      }
      const double slope = bottom > 0.0 ? top / bottom : 0.0;
      t.explained = slope * slope / std::max(1e-300, mean_square(base.terms.residual));
      Transfer with = base.on_other;
      const std::size_t other_count = other_.operands();
      for (std::size_t k = 0; k < other_.size(); ++k)
        with.left[k] -=
            slope *
            basis.phi(covariate_values(other_.designs[k / other_count], k % other_count, other_.minimum_conductance))
                .back();
      compare(base.sums, sums_by_chip(with, cells_, other_.chips), Target::kMean, t);
    }
    choice_.trials.push_back(t);
  }

  void try_statics() {
    std::vector<CovariateKind> base{CovariateKind::kOne};
    Fitted current = fit(base);
    for (const CovariateKind kind :
         {CovariateKind::kMac, CovariateKind::kAxis, CovariateKind::kMacSquared, CovariateKind::kPosition}) {
      if (!std::ranges::count(choice_.options.covariates, kind) && table_place(kind) >= 0) continue;
      auto more = base;
      more.push_back(kind);
      Fitted with = fit(more);
      CovariateTrial t{.term = "static", .covariate = std::string(name_of(kind))};
      t.inflation = with.terms.basis.inflation.back();
      if (!with.terms.basis.kept.back()) {
        t.reason = fmt::format("variance inflation factor {:.0f} on these operands", t.inflation);
        choice_.trials.push_back(t);
        continue;
      }
      const std::size_t q = with.terms.basis.size();
      t.explained = (with.terms.chip[q * q - 1] + with.terms.column[q * q - 1]) /
                    std::max(1e-300, mean_square(with.terms.residual));
      compare(current.sums, with.sums, Target::kSpread, t);
      decide(t);
      if (table_place(kind) < 0) {
        t.kept = false;
        t.reason = kNoPlace;
      }
      if (t.kept) {
        base = more;
        current = std::move(with);
      }
      choice_.trials.push_back(t);
    }
    choice_.options.covariates = base;
  }

  const Observations &own_, &other_;
  Cells cells_;
  CovariateChoice choice_;
};

}  // namespace

CovariateChoice choose_covariates(const Observations& own, const Observations& other, const EstimateOptions& options) {
  return Trials(own, other, options).run();
}

Observations first_chips(const Observations& o, std::size_t chips) {
  Observations f = o;
  f.chips = std::min(chips, o.chips);
  f.designs.resize(f.chips * f.columns);
  const std::size_t size = f.size();
  f.value.resize(size);
  f.source_variance.clear();
  for (std::size_t s = 0; s < o.source_names.size(); ++s) {
    const auto from = o.source_variance.begin() + static_cast<std::ptrdiff_t>(s * o.size());
    f.source_variance.insert(f.source_variance.end(), from, from + static_cast<std::ptrdiff_t>(size));
  }
  if (!o.reads.empty()) f.reads.resize(size * o.reads_per_operand);
  return f;
}

}  // namespace errata::errormodel
