#include "verification/level_two.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/random_stream.h"
#include "errormodel/estimation/estimate.h"
#include "verification/advice.h"

namespace errata::verification {

namespace {

using Sampled = SampledConversions;

/// Chips of the table for one of the model: the table is cheap, and its own chips must not blur the comparison.
constexpr std::size_t kTableChips = 4;

Sampled sample(const std::vector<ColumnOperands>& operands, std::size_t chips, std::uint64_t seed,
               std::uint64_t read_stream, const Converter& convert, const RunContext& context) {
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
  all.chips = chips;
  for (const auto& s : parts) {
    all.y.insert(all.y.end(), s.y.begin(), s.y.end());
    all.error.insert(all.error.end(), s.error.begin(), s.error.end());
    all.offset.insert(all.offset.end(), s.offset.begin(), s.offset.end());
    all.sigma.insert(all.sigma.end(), s.sigma.begin(), s.sigma.end());
    all.chip.insert(all.chip.end(), s.chip.begin(), s.chip.end());
  }
  return all;
}

/// How many times as many chips would decide; infinite where no number does.
double times_to_decide(const DistributionComparison& d, double least) {
  constexpr double kMost = 1000.0, kStep = 1.1;
  for (double times = 1.0; times < kMost; times *= kStep)
    if (judge(d.agreeing(times), least, 1.0) != Color::kInconclusive) return times;
  return std::numeric_limits<double>::infinity();
}

void compare_bins(const LevelTwoReference& reference, const Sampled& t, LevelTwoResult& result) {
  constexpr double kLeastShare = 0.95;
  const DistributionComparison d = compare_distributions(reference.conversions, t, reference.seed);
  result.checks.push_back(
      judged({.level = 2,
              .name = "share of conversions whose error distribution agrees (W1)",
              .value = d.agreeing(1.0),
              .low = kLeastShare,
              .high = 1.0,
              .unit = "1",
              .data = "/bins/comparison /evidence/error_distribution"},
             {.unit = "chips",
              .key = "verification.table_chips",
              .count = reference.chips,
              .broken = "the table's error distribution differs from the model's in some bins of y: more "
                        "errormodel.chips or operands_per_column, or errormodel.operands from the network's own",
              .times = times_to_decide(d, kLeastShare)}));
  Evidence evidence{.name = "error_distribution",
                    .shape = {d.bins.size(), 6},
                    .values = {},
                    .unit = "see columns",
                    .columns =
                        "y low, y high, Wasserstein-1 distance, its interval low, high (95 %, of all bins "
                        "together), what chance alone gives; MAC units"};
  for (std::size_t b = 0; b < d.bins.size(); ++b) {
    const Interval i = d.distance(b);
    evidence.values.insert(evidence.values.end(),
                           {d.bins[b].y_low, d.bins[b].y_high, i.estimate, i.low, i.high, d.floor[b]});
  }
  result.evidence.push_back(std::move(evidence));
  result.bins = d.bins;
}

/// A sum over chips as the logarithm of its mean, with the jackknife's variance.
struct LogMean {
  double value = 0.0, variance = 0.0;

  explicit LogMean(const std::vector<double>& of_chip) {
    const double all = std::accumulate(of_chip.begin(), of_chip.end(), 0.0), n = static_cast<double>(of_chip.size());
    value = std::log(all / n);
    std::vector<double> leave_out;
    for (const double one : of_chip) leave_out.push_back(std::log((all - one) / (n - 1.0)));
    variance = (n - 1.0) * (n - 1.0) / n * errata::variance(leave_out);
  }
};

/// Root of the ratio of two means over different chips, each side with its own jackknife; Student t with the degrees of
/// freedom of the smaller side.
Interval ratio_over_chips(const std::vector<double>& top, const std::vector<double>& bottom) {
  const auto positive = [](const std::vector<double>& v) {
    return std::ranges::any_of(v, [](double x) { return x > 0; });
  };
  if (!positive(bottom)) return positive(top) ? Interval{1e9, 1e9, 1e9} : Interval{1.0, 1.0, 1.0};
  if (!positive(top)) return {0.0, 0.0, 0.0};
  const LogMean t(top), m(bottom);
  const double freedom = static_cast<double>(std::min(top.size(), bottom.size())) - 1.0;
  const double half = 0.5 * student_t_quantile(0.975, freedom) * std::sqrt(t.variance + m.variance);
  const double ratio = std::exp(0.5 * (t.value - m.value));
  return {ratio, ratio * std::exp(-half), ratio * std::exp(half)};
}

std::vector<double> sums_by_chip(const Sampled& s, std::size_t chips, double offset_weight, double noise_weight) {
  std::vector<double> sums(chips, 0.0);
  for (std::size_t i = 0; i < s.y.size(); ++i)
    sums[s.chip[i]] += offset_weight * s.offset[i] * s.offset[i] + noise_weight * s.sigma[i] * s.sigma[i];
  return sums;
}

double root_of_mean(const std::vector<double>& sums, std::size_t conversions) {
  return std::sqrt(std::accumulate(sums.begin(), sums.end(), 0.0) / static_cast<double>(conversions));
}

/// Dynamic σ and the read-averaging curve: the rms error of the mean of R reads has the static part and 1/R of the
/// noise.
void compare_reads(const LevelTwoReference& reference, const Sampled& t, LevelTwoResult& result) {
  const Sampled& m = reference.conversions;
  const std::size_t chips = reference.chips;
  const auto add = [&](std::string name, Interval i, double low, double high, std::string broken) {
    result.checks.push_back(judged({.level = 2,
                                    .name = std::move(name),
                                    .value = i,
                                    .low = low,
                                    .high = high,
                                    .unit = "1",
                                    .data = "/evidence/read_averaging"},
                                   {"chips", "verification.table_chips", chips, std::move(broken)}));
  };
  const std::size_t table_chips = kTableChips * chips;
  const auto ratio = [&](double offset_weight, double noise_weight) {
    return ratio_over_chips(sums_by_chip(t, table_chips, offset_weight, noise_weight),
                            sums_by_chip(m, chips, offset_weight, noise_weight));
  };
  add("dynamic sigma, table / model", ratio(0, 1), 0.95, 1.05,
      "the read noise differs: check [[circuit.noise_source]], or compile the table again from this model");
  Evidence curve{.name = "read_averaging",
                 .shape = {0, 6},
                 .values = {},
                 .unit = "see columns",
                 .columns =
                     "reads averaged, rms error by the model and by the table in MAC units, their ratio table / "
                     "model, 95 % interval low, high; 0 reads: the dynamic sigma alone"};
  const auto row = [&](double reads, double offset_weight, double noise_weight) {
    const Interval i = ratio(offset_weight, noise_weight);
    curve.values.insert(curve.values.end(),
                        {reads, root_of_mean(sums_by_chip(m, chips, offset_weight, noise_weight), m.y.size()),
                         root_of_mean(sums_by_chip(t, table_chips, offset_weight, noise_weight), t.y.size()),
                         i.estimate, i.low, i.high});
    ++curve.shape[0];
    return i;
  };
  row(0, 0, 1);
  for (const double reads : {1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0}) {
    const Interval i = row(reads, 1, 1 / reads);
    if (reads == 1.0 || reads == 4.0 || reads == 16.0)
      add(fmt::format("rms error of the mean of {} reads, table / model", reads), i, 0.85, 1.15,
          "static and dynamic parts are divided wrongly: more errormodel.chips and columns");
  }
  result.evidence.push_back(std::move(curve));
}

/// Nodes of the surfaces that no operand supports must continue their neighbours; a table that holds zeros there
/// promises perfect conversions where nothing is known (methods.md §6, "zeros in sparse bins").
void check_sparse_nodes(const errormodel::ErrorTable& t, LevelTwoResult& result) {
  constexpr double kSupported = 10.0;
  double zeros = 0.0;
  bool noisy = false, shifted = false;
  for (std::size_t k = 0; k < t.axes.size(); ++k)
    if (t.support_count[k] >= kSupported)
      noisy = noisy || t.dynamic_sigma[k] > 0.0, shifted = shifted || t.mu[k] != 0.0;
  for (std::size_t k = 0; k < t.axes.size(); ++k)
    if (t.support_count[k] < kSupported) zeros += (noisy && t.dynamic_sigma[k] == 0.0) || (shifted && t.mu[k] == 0.0);
  result.checks.push_back(judged({.level = 2,
                                  .name = "nodes without support that hold zeros",
                                  .value = {zeros, zeros, zeros},
                                  .low = 0,
                                  .high = 0,
                                  .unit = "1",
                                  .data = "error_table.h5 /op[0]/support/count"},
                                 {.broken = "bins that no operand reached were filled with zeros: the table promises "
                                            "perfect conversions there; compile it with errata"}));
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

/// The table's Σ_K against that of groups of fresh chips.
void compare_static(const LevelTwoReference& reference, const errormodel::ErrorTable& table, LevelTwoResult& result) {
  // Interval of the fresh mean from its groups; the table's own estimate has as many degrees of freedom as columns.
  const Interval fresh = mean_interval(reference.column_variance, 0.95);
  const double own = column_variance(table, table);
  const double table_error = 1.96 * std::sqrt(2.0 / static_cast<double>(table.columns_used));
  const double relative = std::hypot((fresh.high - fresh.low) / 2 / fresh.estimate, table_error);
  const double ratio = fresh.estimate > 0 ? std::sqrt(std::max(0.0, own) / fresh.estimate) : 1.0;
  result.checks.push_back(judged(
      {.level = 2,
       .name = "column static sigma, table / fresh chips",
       .value = {ratio, ratio * (1 - relative / 2), ratio * (1 + relative / 2)},
       .low = 0.9,
       .high = 1.1,
       .unit = "1",
       .data = "/evidence/column_variance"},
      {"columns of the table", "errormodel.chips x errormodel.columns", table.columns_used,
       "the column term is not that of the chips: more errormodel.chips and columns, or compile the table again"}));
  result.evidence.push_back({.name = "column_variance",
                             .shape = {reference.column_variance.size()},
                             .values = reference.column_variance,
                             .unit = "MAC unit^2",
                             .columns = fmt::format("of each group of fresh chips; the table's own is {:.17g}", own)});
}

}  // namespace

errormodel::ErrorTable estimate_again(const Converter& model, const errormodel::ErrorTable& like, std::uint64_t seed,
                                      std::uint64_t first_chip, std::size_t chips, std::size_t columns,
                                      const RunContext& context) {
  const OperandDesign design{.rows = like.rows,
                             .levels = like.levels,
                             .operands = 32,
                             .mac_limit = like.axes.y_high,
                             .input_levels = like.inputs,
                             .differential = like.differential()};
  errormodel::Observations o;
  o.chips = chips;
  o.columns = columns;
  o.levels = like.levels;
  o.inputs = like.inputs;
  o.minimum_conductance = like.minimum_conductance;
  o.source_names = {"read"};
  o.designs.resize(chips * columns);
  o.value.resize(chips * columns * design.operands);
  o.source_variance.resize(o.value.size());
#pragma omp parallel for schedule(dynamic) num_threads(context.jobs)
  for (std::size_t k = 0; k < chips * columns; ++k) {
    const std::uint64_t chip = first_chip + k / columns, column = k % columns;
    o.designs[k] = make_operands(design, seed, chip, column);
    const ColumnConversions c = model(chip, column, o.designs[k]);
    for (std::size_t p = 0; p < design.operands; ++p) {
      o.value[k * design.operands + p] = c.value[p];
      o.source_variance[k * design.operands + p] = c.sigma[p] * c.sigma[p];
    }
  }
  errormodel::ErrorTable again = like;
  errormodel::estimate_terms(o,
                             {.y_points = like.axes.y_points,
                              .a_points = like.axes.a_points,
                              .y_limit = like.axes.y_high,
                              .y_low = like.axes.y_low,
                              .effort = errormodel::EstimateOptions::Effort::kRough,
                              .threads = context.jobs},
                             again);
  return again;
}

LevelTwoReference level_two_reference(const Converter& model, const errormodel::ErrorTable& like,
                                      std::vector<ColumnOperands> operands, std::uint64_t seed, std::size_t chips,
                                      const RunContext& context) {
  LevelTwoReference r{std::move(operands), chips, seed, {}, {}};
  r.conversions = sample(r.operands, chips, seed, 1, model, context);
  constexpr std::size_t kGroups = 10, kColumns = 3200;
  const std::size_t per_group = std::max<std::size_t>(8, chips / kGroups);
  const std::size_t columns = std::max<std::size_t>(4, kColumns / (per_group * kGroups));
  for (std::size_t g = 0; g < kGroups; ++g)
    r.column_variance.push_back(column_variance(
        like, estimate_again(model, like, seed, chips::kTableCheck + g * per_group, per_group, columns, context)));
  return r;
}

LevelTwoResult compare_table(const LevelTwoReference& reference, const errormodel::ErrorTable& table,
                             const RunContext& context) {
  LevelTwoResult result;
  const Sampled t = sample(
      reference.operands, kTableChips * reference.chips, reference.seed, 2,
      [&](std::uint64_t chip, std::uint64_t column, const ColumnOperands& o) {
        return convert_by_table(table, reference.seed, chip, column, o);
      },
      context);
  compare_bins(reference, t, result);
  compare_reads(reference, t, result);
  compare_static(reference, table, result);
  check_sparse_nodes(table, result);
  return result;
}

LevelTwoResult compare_table(const behavioral::BehavioralModel& model, const errormodel::ErrorTable& table,
                             const std::vector<ColumnOperands>& operands, std::uint64_t seed, std::size_t chips,
                             const RunContext& context) {
  const Converter by_model = [&](std::uint64_t chip, std::uint64_t column, const ColumnOperands& o) {
    return convert_by_model(model, seed, chip, column, o);
  };
  return compare_table(level_two_reference(by_model, table, operands, seed, chips, context), table, context);
}

}  // namespace errata::verification
