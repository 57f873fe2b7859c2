#include "errormodel/table/table_merge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "errormodel/table/marginal.h"
#include "errormodel/table/operating_point.h"
#include "errormodel/table/table_algebra.h"

namespace errata::errormodel {

namespace {

[[noreturn]] void refuse(const std::string& what, const std::string& hint = {}) {
  throw Error(ExitStatus::kArtifact, "E407", what, hint);
}

bool near(double a, double b, double scale) { return std::fabs(a - b) <= 1e-6 * std::fabs(scale); }

/// The same model and seed draw the same virtual chips; the same measurements are the same chips.
bool same_chips(const Provenance& a, const Provenance& b) {
  if (a.seed != b.seed || a.inputs.size() != b.inputs.size()) return false;
  for (std::size_t k = 0; k < a.inputs.size(); ++k)
    if (a.inputs[k].sha256 != b.inputs[k].sha256) return false;
  return !a.inputs.empty();
}

void check_pair(const ErrorTable& a, const ErrorTable& b) {
  if (const std::string what = joining_difference(a, b); !what.empty())
    refuse(fmt::format("the tables are of different hardware: {}", what));
  if (!near(a.unit, b.unit, a.unit) || !near(a.offset, b.offset, a.unit))
    refuse(fmt::format("the tables have different transfer lines: {:.9g} + {:.9g} v and {:.9g} + {:.9g} v", a.offset,
                       a.unit, b.offset, b.unit),
           "measured tables: join the measurements and import them once");
  if (!near(a.temperature_kelvin, b.temperature_kelvin, a.temperature_kelvin) ||
      !near(a.supply_volts, b.supply_volts, std::max(1.0, a.supply_volts)) || a.corner != b.corner)
    refuse(fmt::format("the tables are at different operating points: {} and {}", operating_point_name(a),
                       operating_point_name(b)),
           "`errata merge --operating-points` puts them side by side");
  if (!near(a.minimum_conductance, b.minimum_conductance, 1.0)) refuse("the tables have different second axes (g_min)");
  if (a.drift.exponent != b.drift.exponent || a.drift.exponent_sigma != b.drift.exponent_sigma ||
      a.faults.lowest != b.faults.lowest || a.faults.highest != b.faults.highest)
    refuse("the tables declare different drift or stuck cells");
  if (a.cells_separated != b.cells_separated) refuse("only one of the tables separates cells from columns");
  if (same_chips(a.provenance, b.provenance))
    refuse("the tables were made from the same chips: joining them adds nothing",
           "compile the second one with another --seed");
}

/// Weighted mean; weights are positive and need not add up to 1.
class Mean {
 public:
  void add(double weight, double value) {
    mass_ += weight;
    sum_ += weight * value;
  }
  double value() const { return sum_ / mass_; }

 private:
  double mass_ = 0.0, sum_ = 0.0;
};

/// Mean of independent estimates with intervals.
Interval mean_of(std::span<const Interval> parts, std::span<const double> weights) {
  double mass = 0, sum = 0, variance = 0;
  for (std::size_t k = 0; k < parts.size(); ++k) {
    const double half = 0.5 * (parts[k].high - parts[k].low);
    mass += weights[k];
    sum += weights[k] * parts[k].estimate;
    variance += weights[k] * weights[k] * half * half;
  }
  const double half = std::sqrt(variance) / mass;
  return {sum / mass, sum / mass - half, sum / mass + half};
}

class Merger {
 public:
  explicit Merger(std::span<const ErrorTable> tables) {
    const Covariance basis = common_basis(tables);
    for (const auto& t : tables) {
      parts_.push_back(in_basis(on_axes(t, tables[0].axes), basis));
      chips_.push_back(static_cast<double>(t.chips_used > 0 ? t.chips_used : t.columns_used));
      columns_.push_back(static_cast<double>(t.columns_used));
    }
    merged_ = parts_[0];
  }

  ErrorTable run() {
    merge_values(&ErrorTable::level, columns_);
    for (auto member : {&ErrorTable::mu, &ErrorTable::slope}) merge_surface(member);
    merge_statics();
    merge_dynamic();
    merge_support();
    merge_record();
    fill_marginal_view(merged_);
    return std::move(merged_);
  }

 private:
  using Values = std::vector<double> ErrorTable::*;

  void merge_values(Values member, const std::vector<double>& weights) {
    for (std::size_t k = 0; k < (merged_.*member).size(); ++k) {
      Mean mean;
      for (std::size_t p = 0; p < parts_.size(); ++p) mean.add(weights[p], (parts_[p].*member)[k]);
      (merged_.*member)[k] = mean.value();
    }
  }

  /// Weight of a table at a node: its observations; a trace of its columns where nobody has any.
  double weight_at(std::size_t part, std::size_t node) const {
    return parts_[part].support_count[node] + 1e-9 * columns_[part];
  }

  void merge_surface(Values member) {
    for (std::size_t n = 0; n < merged_.axes.size(); ++n) {
      Mean mean;
      for (std::size_t p = 0; p < parts_.size(); ++p) mean.add(weight_at(p, n), (parts_[p].*member)[n]);
      (merged_.*member)[n] = mean.value();
    }
  }

  std::vector<Interval> merge_intervals(std::vector<Interval> ErrorTable::*member, const std::vector<double>& weights) {
    std::vector<Interval> result;
    for (std::size_t k = 0; k < (merged_.*member).size(); ++k) {
      std::vector<Interval> each;
      for (const auto& part : parts_) each.push_back((part.*member)[k]);
      result.push_back(mean_of(each, weights));
    }
    return result;
  }

  /// Raw estimates are joined, which noise may have carried below zero, and then made covariances again.
  static Covariance covariance_of(const std::vector<Interval>& intervals) {
    std::vector<double> entries;
    for (const auto& i : intervals) entries.push_back(i.estimate);
    return nearest_semidefinite(symmetric(entries));
  }

  void merge_statics() {
    merged_.chip_interval = merge_intervals(&ErrorTable::chip_interval, chips_);
    merged_.column_interval = merge_intervals(&ErrorTable::column_interval, columns_);
    merged_.cell_interval = merge_intervals(&ErrorTable::cell_interval, columns_);
    merged_.chip = covariance_of(merged_.chip_interval);
    merged_.column = covariance_of(merged_.column_interval);
    for (std::size_t k = 0; k < merged_.kinds(); ++k) {
      Mean square;
      for (std::size_t p = 0; p < parts_.size(); ++p)
        square.add(columns_[p], parts_[p].cell_sigma[k] * parts_[p].cell_sigma[k]);
      merged_.cell_sigma[k] = std::sqrt(square.value());
    }
    Mean residual;
    for (std::size_t p = 0; p < parts_.size(); ++p)
      residual.add(columns_[p], parts_[p].residual_sigma * parts_[p].residual_sigma);
    merged_.residual_sigma = std::sqrt(residual.value());
  }

  void merge_dynamic() {
    const std::size_t size = merged_.axes.size(), sources = merged_.source_names.size();
    for (std::size_t n = 0; n < size; ++n) {
      double sum = 0.0;
      for (std::size_t s = 0; s < sources; ++s) {
        Mean mean;
        for (std::size_t p = 0; p < parts_.size(); ++p)
          mean.add(weight_at(p, n), parts_[p].source_variance[s * size + n]);
        merged_.source_variance[s * size + n] = mean.value();
        sum += mean.value();
      }
      merged_.dynamic_sigma[n] = std::sqrt(sum);
    }
    const bool all_memory = std::ranges::none_of(parts_, [](const auto& t) { return t.source_memory.empty(); });
    if (all_memory)
      merge_values(&ErrorTable::source_memory, columns_);
    else
      merged_.source_memory.clear();
    const bool same_scores = std::ranges::all_of(
        parts_, [&](const auto& t) { return t.dynamic_quantiles.size() == merged_.dynamic_quantiles.size(); });
    if (!same_scores) merged_.dynamic_quantiles.clear();
    merge_values(&ErrorTable::dynamic_quantiles, columns_);
    standardise_quantiles(merged_);
  }

  void merge_support() {
    merged_.columns_used = merged_.chips_used = 0;
    bool chips_known = true;
    for (const auto& t : parts_) {
      merged_.columns_used += t.columns_used;
      merged_.chips_used += t.chips_used;
      chips_known = chips_known && t.chips_used > 0;
    }
    if (!chips_known) merged_.chips_used = 0;
    for (std::size_t n = 0; n < merged_.axes.size(); ++n) {
      double count = 0, mass = 0, variance = 0;
      for (std::size_t p = 0; p < parts_.size(); ++p) {
        const double w = weight_at(p, n), se = parts_[p].support_error[n];
        count += parts_[p].support_count[n];
        mass += w;
        variance += w * w * se * se;
      }
      merged_.support_count[n] = count;
      merged_.support_error[n] = std::sqrt(variance) / mass;
    }
  }

  /// Intervals of g and of σ_D; trials of covariates and the variogram belong to each part.
  void merge_record() {
    EstimationRecord record;
    const bool all =
        std::ranges::all_of(parts_, [&](const auto& t) { return t.record.level.size() == merged_.kinds(); });
    for (std::size_t k = 0; all && k < merged_.kinds(); ++k) {
      std::vector<Interval> each;
      for (const auto& t : parts_) each.push_back(t.record.level[k]);
      record.level.push_back(mean_of(each, columns_));
    }
    std::vector<Interval> reads;
    for (const auto& t : parts_) reads.push_back(t.record.read_sigma);
    record.read_sigma = mean_of(reads, columns_);
    merged_.record = std::move(record);
  }

  std::vector<ErrorTable> parts_;
  std::vector<double> chips_, columns_;
  ErrorTable merged_;
};

}  // namespace

ErrorTable merge_chips(std::span<const ErrorTable> tables) {
  if (tables.size() < 2) throw Error(ExitStatus::kBug, "E700", "merge_chips takes at least two tables");
  for (std::size_t k = 1; k < tables.size(); ++k)
    for (std::size_t l = 0; l < k; ++l) check_pair(tables[l], tables[k]);
  return Merger(tables).run();
}

}  // namespace errata::errormodel
