#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/random_stream.h"
#include "errormodel/compile.h"
#include "verification/conversions.h"
#include "verification/verify.h"

namespace errata::verification {

namespace {

/// Errors of many conversions with one read each, and what the read-averaging curve needs.
struct Sampled {
  std::vector<double> y, error;       ///< error with one read's noise
  std::vector<double> offset, sigma;  ///< noise-free error and read σ
  std::vector<std::uint32_t> chip;
};

template <class Convert>
Sampled sample(const std::vector<ColumnOperands>& operands, std::size_t chips, std::uint64_t seed,
               std::uint64_t read_stream, const Convert& convert, const RunContext& context) {
  std::vector<Sampled> parts(chips);
#pragma omp parallel for schedule(dynamic) num_threads(context.jobs)
  for (std::size_t chip = 0; chip < chips; ++chip) {
    RandomStream noise(seed, StreamPurpose::kDynamicRead, read_stream, 0, chips::kTableCheck + chip);
    Sampled& s = parts[chip];
    for (std::size_t k = 0; k < operands.size(); ++k) {
      const ColumnConversions c = convert(chips::kTableCheck + chip, k, operands[k]);
      for (std::size_t p = 0; p < c.value.size(); ++p) {
        const double y = operands[k].mac(p);
        s.y.push_back(y);
        s.offset.push_back(c.value[p] - y);
        s.sigma.push_back(c.sigma[p]);
        s.error.push_back(c.value[p] - y + c.sigma[p] * noise.normal());
        s.chip.push_back(static_cast<std::uint32_t>(chip));
      }
    }
  }
  Sampled all;
  for (const auto& s : parts) {
    all.y.insert(all.y.end(), s.y.begin(), s.y.end());
    all.error.insert(all.error.end(), s.error.begin(), s.error.end());
    all.offset.insert(all.offset.end(), s.offset.begin(), s.offset.end());
    all.sigma.insert(all.sigma.end(), s.sigma.begin(), s.sigma.end());
    all.chip.insert(all.chip.end(), s.chip.begin(), s.chip.end());
  }
  return all;
}

/// Edges of bins over y that hold about equal shares, at whole MAC values.
std::vector<double> bin_edges(const std::vector<double>& y) {
  constexpr std::size_t kBins = 16;
  std::vector<double> edges{*std::ranges::min_element(y) - 0.5};
  for (std::size_t b = 1; b < kBins; ++b) {
    const double edge = std::floor(quantile(y, static_cast<double>(b) / kBins)) + 0.5;
    if (edge > edges.back()) edges.push_back(edge);
  }
  const double last = *std::ranges::max_element(y) + 0.5;
  if (last > edges.back()) edges.push_back(last);
  return edges;
}

/// Mean W1 between two random halves of the chips of one sample, scaled to the full size: what chance alone gives.
double sampling_floor(const std::vector<double>& error, const std::vector<std::uint32_t>& chip, std::size_t chips,
                      std::uint64_t seed) {
  constexpr int kSplits = 4;
  double sum = 0.0;
  for (int k = 0; k < kSplits; ++k) {
    RandomStream stream(seed, StreamPurpose::kBootstrap, static_cast<std::uint64_t>(k), 2);
    std::vector<std::uint32_t> order(chips);
    std::iota(order.begin(), order.end(), 0u);
    stream.shuffle(order);
    std::vector<bool> first(chips);
    for (std::size_t i = 0; i < chips / 2; ++i) first[order[i]] = true;
    std::vector<double> a, b;
    for (std::size_t i = 0; i < error.size(); ++i) (first[chip[i]] ? a : b).push_back(error[i]);
    if (!a.empty() && !b.empty()) sum += wasserstein1(a, b);
  }
  return sum / kSplits / std::sqrt(2.0);  // halves of n/2 chips differ √2 more than two samples of n chips
}

void compare_bins(const Sampled& m, const Sampled& t, std::size_t chips, std::uint64_t seed, LevelTwoResult& result) {
  const auto edges = bin_edges(m.y);
  double passing = 0.0;
  for (std::size_t b = 0; b + 1 < edges.size(); ++b) {
    std::vector<double> me, te;
    std::vector<std::uint32_t> mc;
    for (std::size_t i = 0; i < m.y.size(); ++i) {
      if (m.y[i] < edges[b] || m.y[i] >= edges[b + 1]) continue;
      me.push_back(m.error[i]);
      te.push_back(t.error[i]);
      mc.push_back(m.chip[i]);
    }
    if (me.size() < 50) continue;
    BinComparison c;
    c.y_low = edges[b];
    c.y_high = edges[b + 1];
    c.share = static_cast<double>(me.size()) / static_cast<double>(m.y.size());
    c.model_mean = mean(me);
    c.table_mean = mean(te);
    c.model_sigma = standard_deviation(me);
    c.table_sigma = standard_deviation(te);
    c.distance = wasserstein1(me, te);
    c.allowed = std::max(0.1 * c.model_sigma, 3.0 * sampling_floor(me, mc, chips, seed));
    if (c.distance <= c.allowed) passing += c.share;
    result.bins.push_back(c);
  }
  double covered = 0.0;
  for (const auto& b : result.bins) covered += b.share;
  const double share = covered > 0 ? passing / covered : 0.0;
  Check c{2,
          "share of conversions whose error distribution agrees (W1)",
          {share, share, share},
          0.95,
          1.0,
          "1",
          Color::kGreen,
          {}};
  c.color = judge(c.value, c.low, c.high);
  if (c.color != Color::kGreen)
    c.advice =
        "the table's distribution differs in some bins: more errormodel.chips or operands_per_column, or workload "
        "operands";
  result.checks.push_back(std::move(c));
}

/// A ratio of chip-wise sums with a jackknife over chips.
Interval ratio_over_chips(const std::vector<double>& top, const std::vector<double>& bottom) {
  const double all_top = std::accumulate(top.begin(), top.end(), 0.0),
               all_bottom = std::accumulate(bottom.begin(), bottom.end(), 0.0);
  std::vector<double> leave_out;
  for (std::size_t k = 0; k < top.size(); ++k)
    leave_out.push_back(std::sqrt((all_top - top[k]) / (all_bottom - bottom[k])));
  return jackknife_interval(std::sqrt(all_top / all_bottom), leave_out, 0.95);
}

void compare_reads(const Sampled& m, const Sampled& t, std::size_t chips, LevelTwoResult& result) {
  const auto by_chip = [&](const Sampled& s, double reads, bool with_static) {
    std::vector<double> sums(chips, 0.0);
    for (std::size_t i = 0; i < s.y.size(); ++i)
      sums[s.chip[i]] += (with_static ? s.offset[i] * s.offset[i] : 0.0) + s.sigma[i] * s.sigma[i] / reads;
    return sums;
  };
  const auto add = [&](std::string name, Interval i, double low, double high, std::string advice) {
    Check c{2, std::move(name), i, low, high, "1", judge(i, low, high), {}};
    if (c.color != Color::kGreen) c.advice = std::move(advice);
    result.checks.push_back(std::move(c));
  };
  add("dynamic sigma, table / model", ratio_over_chips(by_chip(t, 1, false), by_chip(m, 1, false)), 0.95, 1.05,
      "the read noise differs: check [[circuit.noise_source]]");
  for (const double reads : {1.0, 4.0, 16.0})
    add(fmt::format("rms error of the mean of {} reads, table / model", reads),
        ratio_over_chips(by_chip(t, reads, true), by_chip(m, reads, true)), 0.85, 1.15,
        "static and dynamic parts are divided wrongly: more errormodel.chips and columns; if inconclusive, more "
        "verification.table_chips");
}

/// Mean variance of the column term over the table's support: what Σ_K amounts to, whatever basis it stands on.
double column_variance(const errormodel::ErrorTable& support, const errormodel::ErrorTable& t) {
  double sum = 0.0, weight = 0.0;
  for (std::size_t i = 0; i < support.axes.size(); ++i) {
    const double w = support.support_count[i];
    const auto p = t.phi(support.axes.y_at(i / support.axes.a_points), support.axes.a_at(i % support.axes.a_points));
    for (int r = 0; r < 3; ++r)
      for (int c = 0; c < 3; ++c) sum += w * p[r] * p[c] * t.column[3 * r + c];
    weight += w;
  }
  return sum / weight;
}

/// Σ_K estimated anew on groups of fresh chips, 3,200 columns in all, four times what the tolerance needs (methods.md
/// §6.2).
void compare_static(const behavioral::BehavioralModel& model, const errormodel::ErrorTable& table, std::uint64_t seed,
                    std::size_t chips, const RunContext& context, LevelTwoResult& result) {
  constexpr std::size_t kGroups = 10, kColumns = 3200;
  const OperandDesign design{.rows = table.rows,
                             .levels = table.levels,
                             .operands = 32,
                             .mac_limit = table.axes.y_high,
                             .input_levels = table.inputs,
                             .differential = table.differential()};
  const std::size_t per_group = std::max<std::size_t>(8, chips / kGroups);
  const std::size_t columns = std::max<std::size_t>(4, kColumns / (per_group * kGroups));
  std::vector<double> variances;
  for (std::size_t g = 0; g < kGroups; ++g) {
    const auto source = [&](std::uint64_t chip, std::uint64_t column) {
      return make_operands(design, seed, chip, column);
    };
    const auto fresh =
        errormodel::observe(model, source, seed, chips::kTableCheck + g * per_group, per_group, columns, context);
    errormodel::ErrorTable again = table;
    errormodel::estimate_terms(fresh, {table.axes.y_points, table.axes.a_points, table.axes.y_high, table.axes.y_low},
                               again);
    variances.push_back(column_variance(table, again));
  }
  // Interval of the fresh mean from its groups; the table's own estimate has as many degrees of freedom as columns.
  const Interval fresh = mean_interval(variances, 0.95);
  const double own = column_variance(table, table);
  const double table_error = 1.96 * std::sqrt(2.0 / static_cast<double>(table.columns_used));
  const double relative = std::hypot((fresh.high - fresh.low) / 2 / fresh.estimate, table_error);
  const double ratio = fresh.estimate > 0 ? std::sqrt(std::max(0.0, own) / fresh.estimate) : 1.0;
  Check c{2,
          "column static sigma, table / fresh chips",
          {ratio, ratio * (1 - relative / 2), ratio * (1 + relative / 2)},
          0.9,
          1.1,
          "1",
          Color::kGreen,
          {}};
  c.color = judge(c.value, c.low, c.high);
  if (c.color != Color::kGreen) c.advice = "more errormodel.chips; if inconclusive, more verification.table_chips";
  result.checks.push_back(std::move(c));
}

}  // namespace

LevelTwoResult compare_table(const behavioral::BehavioralModel& model, const errormodel::ErrorTable& table,
                             const std::vector<ColumnOperands>& operands, std::uint64_t seed, std::size_t chips,
                             const RunContext& context) {
  LevelTwoResult result;
  const Sampled m = sample(
      operands, chips, seed, 1,
      [&](std::uint64_t chip, std::size_t k, const ColumnOperands& o) {
        return convert_by_model(model, seed, chip, k, o);
      },
      context);
  const Sampled t = sample(
      operands, chips, seed, 2,
      [&](std::uint64_t chip, std::size_t k, const ColumnOperands& o) {
        return convert_by_table(table, seed, chip, k, o);
      },
      context);
  compare_bins(m, t, chips, seed, result);
  compare_reads(m, t, chips, result);
  compare_static(model, table, seed, chips, context, result);
  return result;
}

}  // namespace errata::verification
