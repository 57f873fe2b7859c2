#include "errormodel/table/table_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>

#include "errormodel/table/operating_point.h"
#include "errormodel/table/table_algebra.h"

namespace errata::errormodel {

namespace {

constexpr double kSignificant = 0.001, kSupported = 10.0;

/// Two-sided probability of |z| by chance, its standard error being known to so many degrees of freedom.
double chance_of(double z, double freedom) {
  return 2.0 * boost::math::cdf(boost::math::complement(boost::math::students_t(freedom), std::fabs(z)));
}

/// Degrees of freedom of a jackknife over `chips` in each table.
double freedom_of(std::size_t first, std::size_t second) {
  constexpr double kUnknown = 40.0;
  if (first < 2 || second < 2) return kUnknown;
  return static_cast<double>(first + second - 2);
}
constexpr double kSurfaceFreedom = 18.0;  // support/se is a jackknife over ten groups of chips in each table

/// Standard error behind a 95 % interval; `chips` decide how wide its t quantile was.
double standard_error(const Interval& i, std::size_t chips) {
  const double t = chips > 2 ? student_t_quantile(0.975, static_cast<double>(chips - 1)) : normal_quantile(0.975);
  return (i.high - i.low) / 2.0 / t;
}

/// Largest |z| of several entries as one probability.
class Chance {
 public:
  explicit Chance(double freedom) : freedom_(freedom) {}
  void add(double difference, double error) {
    if (!(error > 0.0)) {
      if (difference != 0.0) unknown_ = true;
      return;
    }
    ++entries_;
    smallest_ = std::min(smallest_, chance_of(difference / error, freedom_));
  }
  std::optional<double> value() const {
    if (entries_ == 0) return unknown_ ? std::nullopt : std::optional<double>(1.0);
    return std::min(1.0, smallest_ * static_cast<double>(entries_));
  }

 private:
  double freedom_;
  std::size_t entries_ = 0;
  double smallest_ = 1.0;
  bool unknown_ = false;
};

class Comparison {
 public:
  Comparison(const ErrorTable& a, const ErrorTable& b)
      : basis_(common_basis(std::vector<ErrorTable>{a, b})), a_(in_basis(a, basis_)), b_(in_basis(b, basis_)) {
    for (std::size_t n = 0; n < a_.axes.size(); ++n) {
      const double least = std::min(a_.support_count[n], b_.support_count[n]);
      weight_.push_back(least >= kSupported ? least : 0.0);
      mass_ += weight_.back();
    }
  }

  std::vector<TermDifference> run() {
    if (mass_ > 0.0) {
      mean();
      covariance("chip", &ErrorTable::chip, &ErrorTable::chip_interval);
      covariance("column", &ErrorTable::column, &ErrorTable::column_interval);
    }
    cells();
    if (mass_ > 0.0) dynamic();
    return std::move(terms_);
  }

 private:
  double y(std::size_t n) const { return a_.axes.y_at(n / a_.axes.a_points); }
  double a(std::size_t n) const { return a_.axes.a_at(n % a_.axes.a_points); }

  /// Root of the weighted mean of a function of the node.
  template <class F>
  double rms(F&& square) const {
    double sum = 0.0;
    for (std::size_t n = 0; n < weight_.size(); ++n)
      if (weight_[n] > 0.0) sum += weight_[n] * square(n);
    return std::sqrt(sum / mass_);
  }

  /// What g and μ make of an ideal (y, a), less y.
  double deterministic(const ErrorTable& t, std::size_t n) const {
    const double shift = t.marginal_shift.empty() ? 0.0 : t.marginal_shift[n], ys = y(n) + shift;
    return shift + t.mean_shift(ys, a(n));
  }

  /// Standard error of that: of μ and of g, and what the mean of C over the chips and of K over the columns may be.
  /// Where support/se has seen some of it, it counts twice: the comparison is then cautious, not wrong.
  double mean_error(const ErrorTable& t, std::size_t n) const {
    const auto p = t.phi(y(n), a(n));
    const auto chips = static_cast<double>(std::max<std::size_t>(1, t.chips_used > 0 ? t.chips_used : t.columns_used));
    const double drawn = std::max(0.0, quadratic_form(t.chip, p)) / chips +
                         std::max(0.0, quadratic_form(t.column, p)) / static_cast<double>(t.columns_used);
    double gain = 0.0;
    for (std::size_t k = 0; k < t.record.level.size() && k < t.level.size(); ++k)
      if (t.level[k] > 0.5) gain = std::max(gain, standard_error(t.record.level[k], t.chips_used) / t.level[k]);
    return std::hypot(t.support_error[n], std::sqrt(drawn), gain * y(n));
  }

  void mean() {
    const auto square = [](double x) { return x * x; };
    TermDifference d{.term = "mean error (levels and mu)"};
    d.first = rms([&](std::size_t n) { return square(deterministic(a_, n)); });
    d.second = rms([&](std::size_t n) { return square(deterministic(b_, n)); });
    d.distance = rms([&](std::size_t n) { return square(deterministic(a_, n) - deterministic(b_, n)); });
    Chance chance(kSurfaceFreedom);
    for (std::size_t n = 0; n < weight_.size(); ++n)
      if (weight_[n] > 0.0)
        chance.add(deterministic(a_, n) - deterministic(b_, n), std::hypot(mean_error(a_, n), mean_error(b_, n)));
    d.chance = chance.value();
    terms_.push_back(std::move(d));
  }

  void covariance(const char* name, Covariance ErrorTable::*matrix, std::vector<Interval> ErrorTable::*intervals) {
    const auto variance = [&](const ErrorTable& t, std::size_t n) {
      return std::max(0.0, quadratic_form(t.*matrix, t.phi(y(n), a(n))));
    };
    TermDifference d{.term = name};
    d.first = rms([&](std::size_t n) { return variance(a_, n); });
    d.second = rms([&](std::size_t n) { return variance(b_, n); });
    // Of two centred normals the Wasserstein-2 distance is the difference of their σ.
    d.distance = rms([&](std::size_t n) {
      const double difference = std::sqrt(variance(a_, n)) - std::sqrt(variance(b_, n));
      return difference * difference;
    });
    Chance chance(freedom_of(a_.chips_used, b_.chips_used));
    for (std::size_t k = 0; k < 6; ++k)
      chance.add((a_.*intervals)[k].estimate - (b_.*intervals)[k].estimate,
                 std::hypot(standard_error((a_.*intervals)[k], a_.chips_used),
                            standard_error((b_.*intervals)[k], b_.chips_used)));
    d.chance = chance.value();
    terms_.push_back(std::move(d));
  }

  void cells() {
    TermDifference d{.term = "cell"};
    Chance chance(freedom_of(a_.chips_used, b_.chips_used));
    const auto kinds = static_cast<double>(a_.kinds());
    for (std::size_t k = 0; k < a_.kinds(); ++k) {
      const double p = a_.cell_sigma[k], q = b_.cell_sigma[k];
      d.first += p * p / kinds;
      d.second += q * q / kinds;
      d.distance += (p - q) * (p - q) / kinds;
      chance.add(a_.cell_interval[k].estimate - b_.cell_interval[k].estimate,
                 std::hypot(standard_error(a_.cell_interval[k], a_.chips_used),
                            standard_error(b_.cell_interval[k], b_.chips_used)));
    }
    d.first = std::sqrt(d.first);
    d.second = std::sqrt(d.second);
    d.distance = std::sqrt(d.distance);
    d.chance = chance.value();
    terms_.push_back(std::move(d));
  }

  void dynamic() {
    TermDifference d{.term = "dynamic"};
    d.first = rms([&](std::size_t n) { return a_.dynamic_sigma[n] * a_.dynamic_sigma[n]; });
    d.second = rms([&](std::size_t n) { return b_.dynamic_sigma[n] * b_.dynamic_sigma[n]; });
    d.distance = rms([&](std::size_t n) {
      const double difference = a_.dynamic_sigma[n] - b_.dynamic_sigma[n];
      return difference * difference;
    });
    const Interval &p = a_.record.read_sigma, &q = b_.record.read_sigma;
    if (d.distance == 0.0) {
      d.chance = 1.0;
    } else if (a_.operands == b_.operands && p.high > p.low && q.high > q.low) {
      // Over operands of the same kind only: the record's σ_D is a mean over those that filled the table.
      Chance chance(freedom_of(a_.chips_used, b_.chips_used));
      chance.add(p.estimate - q.estimate,
                 std::hypot(standard_error(p, a_.chips_used), standard_error(q, b_.chips_used)));
      d.chance = chance.value();
    }
    terms_.push_back(std::move(d));
  }

  Covariance basis_;
  ErrorTable a_, b_;
  std::vector<double> weight_;  ///< of each node in the comparison
  double mass_ = 0.0;
  std::vector<TermDifference> terms_;
};

void note_declared(const ErrorTable& a, const ErrorTable& b, TableDifference& d) {
  if (operating_point_name(a) != operating_point_name(b))
    d.declared.push_back(fmt::format("operating points: {} and {}", operating_point_name(a), operating_point_name(b)));
  if (a.drift.exponent != b.drift.exponent || a.drift.exponent_sigma != b.drift.exponent_sigma ||
      a.drift.reference_seconds != b.drift.reference_seconds)
    d.declared.push_back("the drift terms differ");
  if (a.faults.lowest != b.faults.lowest || a.faults.highest != b.faults.highest)
    d.declared.push_back("the rates of stuck cells differ");
}

/// What does not differ by itself but bears on the distances.
void note_conditions(const ErrorTable& a, const ErrorTable& b, TableDifference& d) {
  if (a.output_unit != b.output_unit)
    d.notes.push_back(
        fmt::format("outputs in {} and {}: each is compared in its own MAC units", a.output_unit, b.output_unit));
  else if (a.unit != b.unit || a.offset != b.offset)
    d.notes.push_back(
        fmt::format("transfer lines: {:.6g} + {:.6g} v and {:.6g} + {:.6g} v {}; compared in the first's MAC units",
                    a.offset, a.unit, b.offset, b.unit, a.output_unit));
  if (a.minimum_conductance != b.minimum_conductance)
    d.notes.push_back(fmt::format("g_min: {:.4g} and {:.4g}, so the second axes are not quite the same",
                                  a.minimum_conductance, b.minimum_conductance));
  if (a.source_names != b.source_names)
    d.notes.push_back(fmt::format("sources of noise: {} and {}; compared as their sum", fmt::join(a.source_names, ", "),
                                  fmt::join(b.source_names, ", ")));
  else if (a.source_memory != b.source_memory)
    d.notes.push_back("the memory of the noise differs");
  if (a.dynamic_quantiles != b.dynamic_quantiles) d.notes.push_back("the distributions of the noise differ");
  if (a.cells_separated != b.cells_separated)
    d.notes.push_back("one table was measured without patterns: its column term holds part of the cells' spread");
}

}  // namespace

bool TermDifference::significant() const {
  constexpr double kRounding = 1e-9;  // MAC units
  return chance ? *chance < kSignificant : distance > kRounding + 0.05 * std::max(first, second);
}

bool TableDifference::significant() const {
  if (!hardware.empty() || !declared.empty()) return true;
  return std::ranges::any_of(terms, [](const TermDifference& t) { return t.significant(); });
}

TableDifference compare_tables(const ErrorTable& first, const ErrorTable& second) {
  TableDifference d;
  d.hardware = hardware_difference(first, second);
  if (!d.hardware.empty()) return d;
  note_declared(first, second, d);
  note_conditions(first, second, d);
  const bool same_output = first.output_unit == second.output_unit;
  d.terms = Comparison(first, same_output ? in_transfer_of(second, first) : on_axes(second, first.axes)).run();
  return d;
}

std::string difference_report(const TableDifference& d) {
  if (!d.hardware.empty()) return fmt::format("different hardware: {}\n", d.hardware);
  std::string text;
  for (const auto* lines : {&d.declared, &d.notes})
    for (const auto& line : *lines) text += line + "\n";
  text += fmt::format("{:<28} {:>10} {:>10} {:>10}   in MAC units, over the common support\n", "term", "first",
                      "second", "distance");
  for (const auto& t : d.terms) {
    const std::string verdict = !t.chance ? "no standard error is stored"
                                : *t.chance < kSignificant
                                    ? fmt::format("differs (chance {:.1e})", *t.chance)
                                    : fmt::format("within its errors (chance {:.2g})", *t.chance);
    text += fmt::format("{:<28} {:>10.4f} {:>10.4f} {:>10.4f}   {}\n", t.term, t.first, t.second, t.distance, verdict);
  }
  return text;
}

}  // namespace errata::errormodel
