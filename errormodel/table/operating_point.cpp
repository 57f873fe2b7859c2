#include "errormodel/table/operating_point.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "errormodel/table/marginal.h"
#include "errormodel/table/table_algebra.h"

namespace errata::errormodel {

namespace {

bool equal(double a, double b) { return std::fabs(a - b) <= 1e-9 * std::max(std::fabs(a), std::fabs(b)); }

double linear(double a, double b, double w) { return (1.0 - w) * a + w * b; }

/// Geometric; linear where one of them is 0, which has no logarithm.
double geometric(double a, double b, double w) {
  return a > 0.0 && b > 0.0 ? std::exp(linear(std::log(a), std::log(b), w)) : linear(a, b, w);
}

template <class Rule>
void blend(std::vector<double>& a, const std::vector<double>& b, double w, Rule&& rule) {
  if (a.size() != b.size()) {
    a.clear();  // one of them lacks it
    return;
  }
  for (std::size_t k = 0; k < a.size(); ++k) a[k] = rule(a[k], b[k], w);
}

void blend(std::vector<Interval>& a, const std::vector<Interval>& b, double w) {
  for (std::size_t k = 0; k < a.size(); ++k)
    a[k] = {linear(a[k].estimate, b[k].estimate, w), linear(a[k].low, b[k].low, w), linear(a[k].high, b[k].high, w)};
}

/// Sums of two covariances with positive weights stay positive semi-definite.
void blend(Covariance& a, const Covariance& b, double w) {
  for (std::size_t k = 0; k < 9; ++k) a[k] = linear(a[k], b[k], w);
}

void blend_drift(ErrorTable& a, const ErrorTable& b, double w) {
  if (!a.drift.present() || !b.drift.present()) {
    a.drift = {};
    return;
  }
  a.drift.reference_seconds = geometric(a.drift.reference_seconds, b.drift.reference_seconds, w);
  blend(a.drift.exponent, b.drift.exponent, w, linear);
  blend(a.drift.exponent_sigma, b.drift.exponent_sigma, w, linear);
}

/// σ_D between two in the logarithm; its sources likewise, scaled so that they add up to it.
void blend_dynamic(ErrorTable& a, const ErrorTable& b, double w) {
  blend(a.dynamic_sigma, b.dynamic_sigma, w, geometric);
  blend(a.source_variance, b.source_variance, w, geometric);
  const std::size_t size = a.axes.size(), sources = a.source_names.size();
  for (std::size_t n = 0; n < size; ++n) {
    double sum = 0.0;
    for (std::size_t s = 0; s < sources; ++s) sum += a.source_variance[s * size + n];
    const double square = a.dynamic_sigma[n] * a.dynamic_sigma[n];
    for (std::size_t s = 0; s < sources && sum > 0.0; ++s) a.source_variance[s * size + n] *= square / sum;
  }
  std::vector<double> none(sources, 0.0);
  if (a.source_memory.empty() != b.source_memory.empty() && a.source_memory.empty()) a.source_memory = none;
  blend(a.source_memory, b.source_memory.empty() && !a.source_memory.empty() ? none : b.source_memory, w, linear);
  if (!a.dynamic_quantiles.empty() || !b.dynamic_quantiles.empty()) {
    const std::size_t count = std::max(a.dynamic_quantiles.size(), b.dynamic_quantiles.size());
    const auto at_scores = [count](const ErrorTable& t) {
      std::vector<double> q;
      for (std::size_t k = 0; k < count; ++k) q.push_back(t.dynamic_error(ErrorTable::quantile_score(k, count)));
      return q;
    };
    std::vector<double> q = at_scores(a);
    blend(q, at_scores(b), w, linear);
    a.dynamic_quantiles = std::move(q);
    standardise_quantiles(a);
  }
}

/// Neighbours of a value among ascending ones.
struct Bracket {
  std::size_t low = 0, high = 0;
  double weight = 0.0;  ///< of `high`
};

std::optional<Bracket> bracket(const std::vector<double>& values, double x) {
  for (std::size_t k = 0; k < values.size(); ++k) {
    if (equal(values[k], x)) return Bracket{k, k, 0.0};
    if (k > 0 && values[k - 1] < x && x < values[k])
      return Bracket{k - 1, k, (x - values[k - 1]) / (values[k] - values[k - 1])};
  }
  return std::nullopt;
}

using Points = std::vector<const ErrorTable*>;

/// Different values of a member, ascending.
std::vector<double> distinct(const Points& points, double ErrorTable::*member) {
  std::vector<double> values;
  for (const auto* t : points)
    if (std::ranges::none_of(values, [&](double v) { return equal(v, t->*member); })) values.push_back(t->*member);
  std::ranges::sort(values);
  return values;
}

[[noreturn]] void outside(std::string_view what, double wanted, const std::vector<double>& known, const char* unit) {
  throw Error(ExitStatus::kArtifact, "E406",
              fmt::format("the table says nothing about a {} of {:.6g} {}", what, wanted, unit),
              known.size() == 1
                  ? fmt::format("it was made at {:.6g} {}; `errata merge --operating-points` joins tables of several",
                                known.front(), unit)
                  : fmt::format("it covers {:.6g} to {:.6g} {}", known.front(), known.back(), unit));
}

ErrorTable at_temperature(const Points& points, double kelvin) {
  const auto known = distinct(points, &ErrorTable::temperature_kelvin);
  const auto b = bracket(known, kelvin);
  if (!b) outside("temperature", kelvin, known, "K");
  const auto find = [&](double value) -> const ErrorTable& {
    return **std::ranges::find_if(points, [&](const ErrorTable* t) { return equal(t->temperature_kelvin, value); });
  };
  return b->low == b->high ? find(known[b->low]) : interpolate(find(known[b->low]), find(known[b->high]), b->weight);
}

}  // namespace

TableSet::TableSet(std::vector<ErrorTable> points) : points_(std::move(points)) {
  if (points_.empty()) throw Error(ExitStatus::kBug, "E700", "an error table without operating points");
}

ErrorTable interpolate(const ErrorTable& first, const ErrorTable& second, double w) {
  if (w <= 0.0) return first;
  if (w >= 1.0) return second;
  const ErrorTable both[2] = {first, second};
  const Covariance basis = common_basis(both);
  ErrorTable a = in_basis(first, basis);
  const ErrorTable b = in_basis(second, basis);
  a.temperature_kelvin = linear(a.temperature_kelvin, b.temperature_kelvin, w);
  a.supply_volts = linear(a.supply_volts, b.supply_volts, w);
  a.minimum_conductance = linear(a.minimum_conductance, b.minimum_conductance, w);
  blend(a.level, b.level, w, linear);
  blend(a.mu, b.mu, w, linear);
  blend(a.slope, b.slope, w, linear);
  blend(a.chip, b.chip, w);
  blend(a.column, b.column, w);
  blend(a.cell_sigma, b.cell_sigma, w, geometric);
  blend(a.chip_interval, b.chip_interval, w);
  blend(a.column_interval, b.column_interval, w);
  blend(a.cell_interval, b.cell_interval, w);
  blend_dynamic(a, b, w);
  blend_drift(a, b, w);
  a.faults = {linear(a.faults.lowest, b.faults.lowest, w), linear(a.faults.highest, b.faults.highest, w)};
  for (std::size_t n = 0; n < a.support_count.size(); ++n)
    a.support_count[n] = std::min(a.support_count[n], b.support_count[n]);
  blend(a.support_error, b.support_error, w, linear);
  a.residual_sigma = linear(a.residual_sigma, b.residual_sigma, w);
  a.columns_used = std::min(a.columns_used, b.columns_used);
  a.chips_used = std::min(a.chips_used, b.chips_used);
  a.cells_separated = a.cells_separated && b.cells_separated;
  blend(a.marginal_shift, b.marginal_shift, w, linear);
  blend(a.marginal_cell_variance, b.marginal_cell_variance, w, linear);
  a.code_pmf.clear();
  a.record = {};  // of the stored points, not of what lies between
  return a;
}

ErrorTable TableSet::at(const OperatingPointChoice& choice) const {
  const std::string& corner = choice.corner.value_or(nominal().corner);
  Points points;
  std::vector<std::string> corners;
  for (const auto& t : points_) {
    if (t.corner == corner) points.push_back(&t);
    corners.push_back(fmt::format("'{}'", t.corner));
  }
  if (points.empty())
    throw Error(ExitStatus::kArtifact, "E406", fmt::format("the table has no corner '{}'", corner),
                fmt::format("it has: {}", fmt::join(corners, ", ")));
  const double kelvin = choice.temperature_kelvin.value_or(nominal().temperature_kelvin),
               volts = choice.supply_volts.value_or(nominal().supply_volts);
  const auto supplies = distinct(points, &ErrorTable::supply_volts);
  const auto b = bracket(supplies, volts);
  if (!b) outside("supply voltage", volts, supplies, "V");
  const auto with_supply = [&](double value) {
    Points some;
    for (const auto* t : points)
      if (equal(t->supply_volts, value)) some.push_back(t);
    return at_temperature(some, kelvin);
  };
  ErrorTable t = b->low == b->high
                     ? with_supply(supplies[b->low])
                     : interpolate(with_supply(supplies[b->low]), with_supply(supplies[b->high]), b->weight);
  if (t.code_pmf.empty() && !t.marginal_shift.empty()) {
    constexpr std::size_t kColumns = 240;
    fill_code_view(t, stratified_operands(t, kColumns));
  }
  return t;
}

TableSet merge_operating_points(std::span<const ErrorTable> tables) {
  std::vector<ErrorTable> points;
  for (const auto& table : tables) {
    if (const std::string what = joining_difference(tables[0], table); !what.empty())
      throw Error(ExitStatus::kArtifact, "E407", fmt::format("the tables are of different hardware: {}", what));
    for (const auto& other : points)
      if (equal(other.temperature_kelvin, table.temperature_kelvin) && equal(other.supply_volts, table.supply_volts) &&
          other.corner == table.corner)
        throw Error(ExitStatus::kArtifact, "E407",
                    fmt::format("two tables are at the same operating point, {}", operating_point_name(table)),
                    "`errata merge` without --operating-points joins chips of one operating point");
    ErrorTable t = points.empty() ? table : in_transfer_of(table, tables[0]);
    if (t.code_pmf.empty()) fill_marginal_view(t);
    points.push_back(std::move(t));
  }
  return TableSet(std::move(points));
}

ErrorTable project_table(const std::filesystem::path& path, const Settings& s) {
  const TableSet set = TableSet::load(path);
  OperatingPointChoice choice;
  if (s.has("hardware.temperature")) choice.temperature_kelvin = s.number("hardware.temperature");
  if (s.has("hardware.supply_voltage")) choice.supply_volts = s.number("hardware.supply_voltage");
  if (s.has("hardware.corner")) choice.corner = s.text("hardware.corner");
  ErrorTable t = set.at(choice);
  if (!s.has("hardware.time_since_programming")) return t;
  if (!t.drift.present())
    throw Error(ExitStatus::kArtifact, "E406",
                "hardware.time_since_programming is given, but the table has no drift terms",
                "declare errormodel.drift_exponent and compile the table again");
  t.elapsed_seconds = s.number("hardware.time_since_programming");
  return t;
}

std::string operating_point_name(const ErrorTable& t) {
  std::string name = fmt::format("{:.6g} degC", t.temperature_kelvin - kZeroCelsiusKelvin);
  if (t.supply_volts != 0.0) name += fmt::format(", {:.6g} V", t.supply_volts);
  if (!t.corner.empty()) name += fmt::format(", corner {}", t.corner);
  return name;
}

}  // namespace errata::errormodel
