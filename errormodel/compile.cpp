#include "errormodel/compile.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "core/operand_set.h"
#include "core/operating_point.h"
#include "core/statistics.h"
#include "errormodel/estimation/covariate_trials.h"
#include "errormodel/estimation/declared_terms.h"
#include "errormodel/estimation/network_operands.h"
#include "errormodel/table/marginal.h"

namespace errata::errormodel {

namespace {

/// P(code | ideal code) over all observations, the dynamic part integrated exactly.
void fill_code_pmf(const Observations& o, ErrorTable& t) {
  if (t.adc.bits > kMostCodeBits) return;
  const std::size_t codes = std::size_t{1} << t.adc.bits;
  t.code_pmf.assign(codes * codes, 0.0);
  std::vector<double> rows(codes, 0.0);
  const std::size_t count = o.operands();
  for (std::size_t k = 0; k < o.value.size(); ++k) {
    double variance = 0.0;
    for (std::size_t s = 0; s < o.source_names.size(); ++s) variance += o.source_variance[s * o.value.size() + k];
    const double sigma = std::sqrt(std::max(variance, 1e-18)), y = o.designs[k / count].mac(k % count);
    const auto row = static_cast<std::size_t>(adc_code(t.adc, y) - t.adc.lowest_code());
    rows[row] += 1.0;
    double below = 0.0;
    for (std::size_t code = 0; code < codes; ++code) {
      const double edge = (t.adc.lowest_code() + static_cast<double>(code) + 0.5) * t.adc.step();
      const double up_to = code + 1 == codes ? 1.0 : normal_cdf((edge - o.value[k]) / sigma);
      t.code_pmf[row * codes + code] += up_to - below;
      below = up_to;
    }
  }
  // An ideal code that the design never reached gets a uniform row: the identity would claim "no error" silently.
  for (std::size_t row = 0; row < codes; ++row)
    for (std::size_t code = 0; code < codes; ++code)
      t.code_pmf[row * codes + code] = rows[row] > 0 ? t.code_pmf[row * codes + code] / rows[row] : 1.0 / codes;
}

/// RMS of what g and μ leave of nominal columns: structure that a function of (y, a) cannot hold.
double lack_of_fit(const behavioral::BehavioralModel& model, const Observations& o, const ErrorTable& t) {
  double sum = 0.0;
  std::size_t n = 0;
  const std::size_t columns = std::min<std::size_t>(o.designs.size(), 64);
  for (std::size_t c = 0; c < columns; ++c) {
    const ColumnOperands& d = o.designs[c];
    const auto output = model.read_nominal_column(d);
    for (std::size_t p = 0; p < d.count(); ++p) {
      const double ya = t.static_sum(d, p);
      if (ya > t.axes.y_high || ya < t.axes.y_low) continue;
      const double e =
          model.transfer.to_mac(output[p]) - ya - t.mean_shift(ya, d.second_axis(p, t.minimum_conductance));
      sum += e * e;
      ++n;
    }
  }
  return std::sqrt(sum / static_cast<double>(std::max<std::size_t>(1, n)));
}

}  // namespace

double lowest_mac(std::size_t branches, double limit) {
  constexpr double kBelowZero = 0.1;  // a single-ended column's static offset may carry it there
  return branches == 2 ? -limit : -kBelowZero * limit;
}

Observations observe(const behavioral::BehavioralModel& model, const OperandSource& source, std::uint64_t seed,
                     std::uint64_t first_chip, std::size_t chips, std::size_t columns, const RunContext& context) {
  Observations o;
  o.chips = chips;
  o.columns = columns;
  o.levels = model.levels();
  o.inputs = model.input_levels();
  o.minimum_conductance = model.minimum_conductance;
  o.source_names = model.noise_names();
  o.designs.resize(chips * columns);
  const std::size_t count = source(first_chip, 0).count(), total = chips * columns * count,
                    sources = o.source_names.size();
  o.value.resize(total);
  o.source_variance.resize(sources * total);
  const double unit2 = model.transfer.unit * model.transfer.unit;
  std::size_t done = 0;
#pragma omp parallel for schedule(dynamic) num_threads(context.jobs)
  for (std::size_t k = 0; k < chips * columns; ++k) {
    const std::uint64_t chip = first_chip + k / columns, column = k % columns;
    o.designs[k] = source(chip, column);
    const ColumnOperands& d = o.designs[k];
    std::vector<double> output(count, 0.0), one(count);
    const behavioral::PackedInputs packed(d.inputs, d.rows, model.array.rows, o.inputs);
    std::size_t outside = 0;
    for (std::size_t b = 0; b < d.branches(); ++b) {
      const auto line = model.prepare(seed, {chip, d.branches() * column + b}, d.branch(b));
      line->read(packed, one);
      outside += line->extrapolated(packed);
      for (std::size_t p = 0; p < count; ++p) output[p] += b == 0 ? one[p] : -one[p];
      const std::vector<double> variances = line->all_noise_variances(packed);
      for (std::size_t s = 0; s < sources; ++s)
        for (std::size_t p = 0; p < count; ++p)
          o.source_variance[s * total + k * count + p] += variances[s * count + p] / unit2;
    }
    for (std::size_t p = 0; p < count; ++p) o.value[k * count + p] = model.transfer.to_mac(output[p]);
#pragma omp critical
    {
      o.extrapolated += outside;
      context.progress("virtual columns", ++done, chips * columns);
    }
  }
  return o;
}

namespace {

/// Of the model's sources of noise, in the order of its noise_names(): the thermal one is fresh. Empty: all are.
std::vector<double> memory_of(const behavioral::BehavioralModel& model) {
  if (std::ranges::all_of(model.noise, [](const NoiseSource& s) { return s.memory == 0.0; })) return {};
  std::vector<double> memory{0.0};
  for (const auto& source : model.noise) memory.push_back(source.memory);
  return memory;
}

/// Operands that fill the table, and others on which it must hold, too.
struct OperandSources {
  OperandSource own, other;
};

/// Operands of the table's columns: stratified, or those of a trained network where the project names a file. The
/// others are of the other kind; without a network's operands, ones that look like them.
OperandSources operand_sources(const behavioral::BehavioralModel& model, const Settings& s, double limit,
                               std::uint64_t seed) {
  const auto operands = static_cast<std::size_t>(s.integer("errormodel.operands_per_column"));
  const std::size_t rows = model.array.rows;
  const OperandDesign design{.rows = rows,
                             .levels = model.levels(),
                             .operands = operands,
                             .mac_limit = limit,
                             .input_levels = model.input_levels(),
                             .differential = model.branches == 2};
  const auto stratified = [=](std::uint64_t chip, std::uint64_t column) {
    return make_operands(design, seed, chip, column);
  };
  if (s.has("errormodel.operands")) {
    const auto set = std::make_shared<OperandSet>(
        project_operands(s, "errormodel.operands", rows, model.levels(), model.input_levels()));
    const auto columns = static_cast<std::uint64_t>(s.integer("errormodel.columns"));
    const auto network = [=](std::uint64_t chip, std::uint64_t column) {
      const std::uint64_t k =
          (chip - chips::kTable) * columns + column;  // every chip sees other columns of the network
      return set->column(static_cast<std::size_t>(k), rows, operands, seed, chip);
    };
    return {network, stratified};
  }
  return {stratified,
          [=](std::uint64_t chip, std::uint64_t column) { return network_like_operands(design, seed, chip, column); }};
}

}  // namespace

ErrorTable compile_table(const behavioral::BehavioralModel& model, const Settings& s, const Provenance& provenance,
                         const RunContext& context) {
  ErrorTable t;
  t.provenance = provenance;
  t.rows = model.array.rows;
  t.offset = model.transfer.offset;
  t.unit = model.transfer.unit;
  t.output_unit = model.array.unit;
  declare_terms(s, model.levels(), t);
  t.temperature_kelvin = model.array.temperature_kelvin;
  constexpr double kBeyondAdc = 1.25;  // errors carry values across the clip edge, so the surfaces reach past it
  const double limit = kBeyondAdc * t.adc.range;
  const OperandSources sources = operand_sources(model, s, limit, provenance.seed);
  const auto columns = static_cast<std::size_t>(s.integer("errormodel.columns"));
  const Observations o = observe(model, sources.own, provenance.seed, chips::kTable,
                                 static_cast<std::size_t>(s.integer("errormodel.chips")), columns, context);
  if (s.has("errormodel.operands")) t.operands = "workload";
  const EstimateOptions options{.y_points = static_cast<std::size_t>(s.integer("errormodel.mac_points")),
                                .a_points = static_cast<std::size_t>(s.integer("errormodel.activity_points")),
                                .y_limit = limit,
                                .y_low = lowest_mac(model.branches, limit),
                                .threads = context.jobs};
  constexpr std::size_t kTrialChips = 48;
  const Observations own = first_chips(o, kTrialChips);
  const CovariateChoice choice = choose_covariates(
      own, observe(model, sources.other, provenance.seed, chips::kTable, own.chips, columns, context), options);
  estimate_terms(o, choice.options, t);
  t.record.covariates = choice.trials;
  t.source_memory = memory_of(model);
  t.chips_used = o.chips;
  t.residual_sigma = lack_of_fit(model, o, t);
  t.extrapolated = static_cast<double>(o.extrapolated) / static_cast<double>(model.branches * o.size());
  fill_code_pmf(o, t);
  fill_marginal_terms(t, o.designs);
  return t;
}

std::vector<ErrorTable> compile_tables(std::vector<behavioral::BehavioralModel> models, const Settings& s,
                                       const Provenance& provenance, const RunContext& context) {
  const auto points = operating_points(s);
  if (points.size() != models.size())
    throw Error(ExitStatus::kArtifact, "E401",
                fmt::format("the column model has {} operating points, the project {}", models.size(), points.size()),
                "errata run makes what is stale");
  std::vector<ErrorTable> tables;
  for (std::size_t k = 0; k < points.size(); ++k) {
    models[k].transfer = models[0].transfer;
    models[k].minimum_conductance = models[0].minimum_conductance;
    tables.push_back(compile_table(models[k], k == 0 ? s : at_operating_point(s, points[k]), provenance, context));
    if (points.size() > 1) tables[k].supply_volts = points[k].supply_volts;
  }
  return tables;
}

std::string table_report(const ErrorTable& t) {
  const bool physical = t.output_unit == "A" || t.output_unit == "V";
  std::string text = fmt::format(
      "error table, {} rows, {} levels, 1 MAC unit = {:.4g} {}, ADC {} bits, step {:.3g} MAC units\n", t.rows, t.levels,
      std::fabs(t.unit) * (physical ? 1e6 : 1.0), (physical ? "u" : "") + t.output_unit, t.adc.bits, t.adc.step());
  text += fmt::format("  level g(k):      {:.3f}\n", fmt::join(t.level, "  "));
  const auto sigma = [](const Interval& i) {
    const auto root = [](double v) { return std::sqrt(std::max(0.0, v)); };
    return fmt::format("{:.4f} [{:.4f}, {:.4f}]", root(i.estimate), root(i.low), root(i.high));
  };
  static constexpr int kDiagonal[3] = {0, 3, 5};
  static constexpr const char* kName[3] = {"offset", "gain on y", "gain on a"};
  for (int k = 0; k < 3; ++k)
    text += fmt::format("  chip   {:<10} sigma {}\n", kName[k], sigma(t.chip_interval[kDiagonal[k]]));
  for (int k = 0; k < 3; ++k)
    text += fmt::format("  column {:<10} sigma {}\n", kName[k], sigma(t.column_interval[kDiagonal[k]]));
  for (std::size_t x = 1; x < t.inputs; ++x)
    for (std::size_t w = 0; w < t.levels; ++w)
      text += fmt::format("  cell level {}{}      sigma {}\n", w, t.inputs > 2 ? fmt::format(" input {}", x) : "",
                          sigma(t.cell_interval[t.kind(x, w)]));
  const auto [low, high] = std::minmax_element(t.dynamic_sigma.begin(), t.dynamic_sigma.end());
  text += fmt::format("  dynamic sigma    {:.3f} ... {:.3f} ({})\n", *low, *high, fmt::join(t.source_names, ", "));
  if (t.drift.present())
    text += fmt::format("  drift exponent:  {:.4f} from {:.3g} s on\n", fmt::join(t.drift.exponent, "  "),
                        t.drift.reference_seconds);
  if (t.faults.present())
    text += fmt::format("  stuck cells:     {:.3g} % lowest, {:.3g} % highest\n", 100 * t.faults.lowest,
                        100 * t.faults.highest);
  for (const CovariateTrial& c : t.record.covariates) {
    const std::string errors = c.tried() ? fmt::format("error of transfer {:.4f} -> {:.4f} +- {:.4f} sigma; ",
                                                       c.error_without, c.error_with, c.standard_error)
                                         : std::string();
    text +=
        fmt::format("  {} on {:<4} {:<8} {}{}\n", c.term, c.covariate, c.kept ? "kept" : "dropped", errors, c.reason);
  }
  text += fmt::format("  not explained by (y, a) without mismatch: {:.4f} MAC units rms\n", t.residual_sigma);
  if (t.extrapolated > 0)
    text += fmt::format(
        "  extrapolated: {:.2f} % of the reads lie beyond what the column model was fitted to; see circuit.design\n",
        100 * t.extrapolated);
  return text;
}

}  // namespace errata::errormodel
