#include "verification/level_two.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
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
constexpr std::size_t kTableChips = 8;

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

/// Mean of φφᵀ over a table's support, the 6 distinct entries: near the identity, φ being orthonormal on the design.
std::array<double, 6> mean_products(const errormodel::ErrorTable& t, const errormodel::ErrorTable& support) {
  std::array<double, 6> sum{};
  double weight = 0.0;
  for (std::size_t k = 0; k < support.axes.size(); ++k) {
    const double w = support.support_count[k];
    const auto p = t.phi(support.axes.y_at(k / support.axes.a_points), support.axes.a_at(k % support.axes.a_points));
    for (std::size_t i = 0, entry = 0; i < 3; ++i)
      for (std::size_t j = i; j < 3; ++j, ++entry) sum[entry] += w * p[i] * p[j];
    weight += w;
  }
  for (double& s : sum) s /= weight;
  return sum;
}

constexpr std::array<std::size_t, 6> kRow{0, 0, 0, 1, 1, 2}, kColumn{0, 1, 2, 1, 2, 2};

/// Mean variance of the column term over `support`: what Σ_K amounts to, whatever basis it stands on. Entries: the 6
/// distinct ones of Σ_K.
double column_variance(const errormodel::ErrorTable& t, const errormodel::ErrorTable& support,
                       const std::array<double, 6>& entries) {
  const auto products = mean_products(t, support);
  double sum = 0.0;
  for (std::size_t k = 0; k < 6; ++k) sum += (kRow[k] == kColumn[k] ? 1.0 : 2.0) * products[k] * entries[k];
  return sum;
}

/// Of what the table draws from.
double drawn_column_variance(const errormodel::ErrorTable& t) {
  std::array<double, 6> entries{};
  for (std::size_t k = 0; k < 6; ++k) entries[k] = t.column[3 * kRow[k] + kColumn[k]];
  return column_variance(t, t, entries);
}

/// Of the raw estimate, which may be negative: cutting the negative eigenvalues of many small groups would add up.
double estimated_column_variance(const errormodel::ErrorTable& t, const errormodel::ErrorTable& support) {
  std::array<double, 6> entries{};
  for (std::size_t k = 0; k < 6; ++k) entries[k] = t.column_interval[k].estimate;
  return column_variance(t, support, entries);
}

/// 95 % half width of the column term's mean variance, from the intervals that the table stores. The diagonal entries
/// of an estimated covariance go together as the squares of its correlations (Wishart); between them the mean of φφᵀ is
/// near 0.
double column_variance_half_width(const errormodel::ErrorTable& t) {
  if (t.column_interval.size() != 6)
    return 1.96 * std::sqrt(2.0 / static_cast<double>(t.columns_used)) * drawn_column_variance(t);
  constexpr std::array<std::size_t, 3> kDiagonal{0, 3, 5};
  const auto products = mean_products(t, t);
  std::array<double, 3> half{};
  for (std::size_t i = 0; i < 3; ++i) {
    const Interval& entry = t.column_interval[kDiagonal[i]];
    half[i] = products[kDiagonal[i]] * (entry.high - entry.low) / 2;
  }
  double sum = 0.0;
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t j = 0; j < 3; ++j) {
      const double both = t.column[4 * i] * t.column[4 * j], shared = t.column[3 * i + j] * t.column[3 * i + j];
      sum += half[i] * half[j] * (i == j ? 1.0 : both > 0 ? std::min(1.0, shared / both) : 0.0);
    }
  return std::sqrt(sum);
}

/// √(table / fresh chips) of the column term's variance. A term that may be zero has no ratio: it agrees where it is
/// below a hundredth of the errors' variance on both sides, as bins do within a tenth of their σ.
Interval column_sigma_ratio(const Interval& fresh, double own, double own_half, double error_variance) {
  constexpr double kAbsent = 0.01, kUnbounded = 1e3;
  if (std::max(fresh.high, own + own_half) <= kAbsent * error_variance) return {1.0, 1.0, 1.0};
  if (fresh.low <= 0.0) {
    const auto ratio = [&](double top, double bottom) {
      return bottom > 0.0 ? std::min(kUnbounded, std::sqrt(std::max(0.0, top) / bottom)) : kUnbounded;
    };
    return {ratio(own, fresh.estimate), ratio(own - own_half, fresh.high), kUnbounded};
  }
  const double ratio = std::sqrt(std::max(0.0, own) / fresh.estimate);
  const double relative = std::hypot((fresh.high - fresh.low) / 2, own_half) / fresh.estimate;
  return {ratio, ratio * std::max(0.0, 1 - relative / 2), ratio * (1 + relative / 2)};
}

/// The table's Σ_K against that of groups of fresh chips.
void compare_static(const LevelTwoReference& reference, const errormodel::ErrorTable& table, LevelTwoResult& result) {
  const double own = drawn_column_variance(table), own_half = column_variance_half_width(table);
  const Interval ratio = column_sigma_ratio(mean_interval(reference.column_variance, 0.95), own, own_half,
                                            variance(reference.conversions.error));
  result.checks.push_back(judged(
      {.level = 2,
       .name = "column static sigma, table / fresh chips",
       .value = ratio,
       .low = 0.9,
       .high = 1.1,
       .unit = "1",
       .data = "/evidence/column_variance"},
      {"columns of the table", "errormodel.chips x errormodel.columns", table.columns_used,
       "the column term is not that of the chips: more errormodel.chips and columns, or compile the table again"}));
  result.evidence.push_back(
      {.name = "column_variance",
       .shape = {reference.column_variance.size()},
       .values = reference.column_variance,
       .unit = "MAC unit^2",
       .columns = fmt::format("of each group of fresh chips; the table's own is {:.17g} +- {:.3g}", own, own_half)});
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
  constexpr std::size_t kGroups = 20, kLeastColumns = 3200, kMostColumns = 24000;
  const std::size_t per_group = std::max<std::size_t>(8, chips / kGroups);
  const std::size_t all = std::clamp(like.columns_used, kLeastColumns, kMostColumns);
  const std::size_t columns = std::max<std::size_t>(4, all / (per_group * kGroups));
  for (std::size_t g = 0; g < kGroups; ++g)
    r.column_variance.push_back(estimated_column_variance(
        estimate_again(model, like, seed, chips::kTableCheck + g * per_group, per_group, columns, context), like));
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
