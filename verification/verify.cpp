#include "verification/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "circuit/characterize.h"
#include "core/random_stream.h"
#include "errormodel/compile.h"
#include "training/evaluation.h"
#include "training/hardware/bit_true_hook.h"
#include "training/hardware/table_conversion.h"
#include "verification/behavioral_conversion.h"
#include "verification/chip_spread.h"
#include "verification/conversions.h"
#include "verification/simultaneous.h"
#include "verification/workload.h"

namespace errata::verification {

namespace {

Check make_check(int level, std::string name, Interval value, double low, double high, std::string unit,
                 std::string advice) {
  Check c{level, std::move(name), value, low, high, std::move(unit), judge(value, low, high), {}};
  if (c.color != Color::kGreen) c.advice = std::move(advice);
  return c;
}

// ---- level 1 -------------------------------------------------------------------------------------------------

void check_model(const behavioral::BehavioralModel& model, const Settings& s, std::vector<Check>& checks) {
  const auto& v = model.validation;
  const double allowed = std::min(std::max(s.number("behavioral.maximum_rms"), 0.1 * v.total_sigma),
                                  s.number("behavioral.maximum_rms_full_scale") * v.full_scale);
  checks.push_back(
      make_check(1, "model against ngspice columns, rms", {v.rms, v.rms_low, v.rms_high}, 0.0, allowed, "MAC unit",
                 "the behavioural model does not hold: see the fit report; more bit-line points or another family"));
}

// ---- level 3 -------------------------------------------------------------------------------------------------

double sample_spread(const AccuracyRow& row) {
  return row.accuracy.size() > 1 ? standard_deviation(row.accuracy) : 0.0;
}

/// Difference of two means over independent chips, Welch interval.
Interval difference_of_means(const std::vector<double>& a, const std::vector<double>& b, double confidence) {
  const double d = mean(a) - mean(b);
  const double va = variance(a) / static_cast<double>(a.size()), vb = variance(b) / static_cast<double>(b.size());
  if (va + vb <= 0.0) return {d, d, d};
  const double freedom = (va + vb) * (va + vb) /
                         (va * va / static_cast<double>(a.size() - 1) + vb * vb / static_cast<double>(b.size() - 1));
  const double half = student_t_quantile(0.5 + confidence / 2, freedom) * std::sqrt(va + vb);
  return {d, d - half, d + half};
}

class Verifier {
 public:
  Verifier(const VerificationInput& in, const Provenance& provenance, const RunContext& context)
      : in_(in),
        s_(in.settings),
        context_(context),
        seed_(provenance.seed),
        hardware_(training::with_ranges(training::hardware_options(in.settings, in.table), in.networks.ranges)) {
    result_.provenance = provenance;
    chips_ = static_cast<std::size_t>(s_.integer("verification.chips"));
    images_ = std::min<std::size_t>(in.data.test.count(), static_cast<std::size_t>(s_.integer("verification.images")));
    result_.quick = chips_ < 100 || images_ < 500;
  }

  Verification run() {
    check_model(in_.model, s_, result_.checks);
    const std::string trained = has("error_aware") ? "error_aware" : "ideal";
    capture(trained);
    level_two();
    level_four();
    measure_accuracy();
    level_three(trained);
    level_five();
    std::ranges::stable_sort(result_.checks, {}, &Check::level);
    return std::move(result_);
  }

 private:
  bool has(const std::string& arm) const {
    return std::ranges::any_of(in_.networks.arms, [&](const auto& a) { return a.name == arm; });
  }

  void capture(const std::string& arm) {
    WorkloadOptions options;
    options.operands_per_column = static_cast<std::size_t>(s_.integer("verification.replay_operands"));
    options.array_rows = in_.model.array.rows;
    options.seed = seed_;
    workload_ = capture_workload(*in_.networks.arm(arm).network, in_.data, hardware_, options);
  }

  void level_two() {
    std::vector<ColumnOperands> operands;
    for (const auto& w : workload_) operands.push_back(w.operands);
    LevelTwoResult two = compare_table(in_.model, in_.table, operands, seed_,
                                       static_cast<std::size_t>(s_.integer("verification.table_chips")), context_);
    result_.checks.insert(result_.checks.end(), two.checks.begin(), two.checks.end());
    result_.bins = std::move(two.bins);
  }

  /// Rates of one layer on one chip, averaged over its columns and operands.
  struct ChipRates {
    double change = 0, magnitude = 0, large = 0, outside = 0, extrapolated = 0;
  };

  template <class Convert>
  std::vector<std::vector<ChipRates>> rates(std::size_t chips, const Convert& convert) {
    const std::size_t layers = workload_.back().layer + 1;
    std::vector<std::vector<ChipRates>> all(layers, std::vector<ChipRates>(chips));
#pragma omp parallel for schedule(dynamic) num_threads(context_.jobs)
    for (std::size_t chip = 0; chip < chips; ++chip) {
      std::vector<double> count(layers, 0.0);
      for (const auto& w : workload_) {
        const ColumnConversions c = convert(chips::kReplay + chip, w);
        ChipRates& r = all[w.layer][chip];
        r.extrapolated += c.extrapolated * static_cast<double>(c.value.size());
        for (std::size_t p = 0; p < c.value.size(); ++p) {
          const CodeErrors e = code_errors(in_.table.adc, w.operands.mac(p), c.value[p], c.sigma[p]);
          r.change += e.change;
          r.magnitude += e.magnitude;
          r.large += e.large;
          const auto cell =
              errormodel::locate(in_.table.axes, c.value[p], w.operands.second_axis(p, in_.table.minimum_conductance));
          double support = 0.0;
          for (int k = 0; k < 4; ++k) support += cell.weight[k] * in_.table.support_count[cell.node[k]];
          if (!cell.inside || support < 10.0) r.outside += 1;
        }
        count[w.layer] += static_cast<double>(c.value.size());
      }
      for (std::size_t l = 0; l < layers; ++l) {
        ChipRates& r = all[l][chip];
        const double n = std::max(1.0, count[l]);
        r = {r.change / n, r.magnitude / n, r.large / n, r.outside / n, r.extrapolated / n};
      }
    }
    return all;
  }

  void level_four() {
    const auto chips = static_cast<std::size_t>(s_.integer("verification.replay_chips"));
    const std::size_t table_chips = 4 * chips;  // the table is cheap: its own chip noise must not blur the comparison
    const auto observed = rates(chips, [&](std::uint64_t chip, const WorkloadColumn& w) {
      return convert_by_model(in_.model, seed_, chip, w.column, w.operands);
    });
    const auto predicted = rates(table_chips, [&](std::uint64_t chip, const WorkloadColumn& w) {
      return convert_by_table(in_.table, seed_, chip, w.column, w.operands);
    });
    std::vector<TwoSample> samples;
    for (std::size_t l = 0; l < observed.size(); ++l) {
      TwoSample change, magnitude;
      for (const auto& r : observed[l]) change.a.push_back(r.change), magnitude.a.push_back(r.magnitude);
      for (const auto& r : predicted[l]) change.b.push_back(r.change), magnitude.b.push_back(r.magnitude);
      LayerErrors e;
      e.layer = l;
      e.observed_change = mean_interval(change.a, 0.95);
      e.predicted_change = mean_interval(change.b, 0.95);
      e.observed_magnitude = mean_interval(magnitude.a, 0.95);
      e.predicted_magnitude = mean_interval(magnitude.b, 0.95);
      for (const auto& r : observed[l])
        e.observed_large += r.large / static_cast<double>(chips),
            e.out_of_support += r.outside / static_cast<double>(chips);
      for (const auto& r : predicted[l]) e.predicted_large += r.large / static_cast<double>(table_chips);
      result_.layers.push_back(e);
      samples.push_back(std::move(change));
      samples.push_back(std::move(magnitude));
    }
    const auto intervals = simultaneous_differences(samples, 0.95, 2000, seed_);
    for (std::size_t l = 0; l < observed.size(); ++l) {
      const double allowed = std::max(0.005, 0.1 * result_.layers[l].observed_change.estimate);
      const std::string advice =
          "the table does not predict this layer: more errormodel.chips; if inconclusive, more "
          "verification.replay_chips";
      result_.checks.push_back(make_check(4, fmt::format("P(code != ideal), observed - predicted, layer {}", l),
                                          intervals[2 * l], -allowed, allowed, "1", advice));
      result_.checks.push_back(make_check(4, fmt::format("mean |dcode|, observed - predicted, layer {}", l),
                                          intervals[2 * l + 1], -0.05, 0.05, "ADC step", advice));
    }
    for (std::size_t l = 0; l < observed.size(); ++l) check_extrapolation(l, observed[l]);
    replay_in_ngspice();
  }

  /// A column model that was fitted to columns knows only what they showed.
  void check_extrapolation(std::size_t layer, const std::vector<ChipRates>& chips) {
    std::vector<double> shares;
    for (const ChipRates& r : chips) shares.push_back(r.extrapolated);
    if (std::ranges::all_of(shares, [](double share) { return share == 0.0; })) return;
    constexpr double kTolerated = 0.01;
    result_.checks.push_back(make_check(4, fmt::format("extrapolated reads of the column model, layer {}", layer),
                                        mean_interval(shares, 0.95), 0.0, kTolerated, "1",
                                        "the network reads columns where the model has no data: characterise with its "
                                        "own operands (circuit.operands)"));
  }

  void replay_in_ngspice() {
    const auto per_layer = static_cast<std::size_t>(s_.integer("verification.ngspice_operands"));
    if (per_layer == 0) return;
    std::vector<circuit::ColumnRequest> requests;
    std::vector<std::size_t> taken(workload_.back().layer + 1, 0);
    constexpr std::size_t kPerColumn = 2;
    for (const auto& w : workload_) {
      const std::size_t count = std::min({kPerColumn, per_layer - taken[w.layer], w.operands.count()});
      if (count == 0) continue;
      const std::uint64_t chip = chips::kReplay + taken[w.layer] / kPerColumn;
      const auto by_model = convert_by_model(in_.model, seed_, chip, w.column, w.operands);
      for (std::size_t p = 0; p < count; ++p) {
        const std::vector<std::uint8_t> x(w.operands.input(p), w.operands.input(p) + w.operands.rows);
        const std::size_t branches = w.operands.branches();
        for (std::size_t b = 0; b < branches; ++b)
          requests.push_back({{chip, branches * w.column + b}, w.operands.branch(b), x});
        result_.replay_model.push_back(by_model.value[p]);
      }
      taken[w.layer] += count;
    }
    const auto outputs = circuit::simulate_columns(s_, in_.model.provenance.seed, requests, context_);
    std::vector<double> square;
    for (std::size_t k = 0; k < result_.replay_model.size(); ++k) {
      const double output = in_.model.branches == 2 ? outputs[2 * k] - outputs[2 * k + 1] : outputs[k];
      result_.replay_circuit.push_back(in_.model.transfer.to_mac(output));
      square.push_back(std::pow(result_.replay_circuit[k] - result_.replay_model[k], 2));
    }
    const Interval i = bootstrap_interval(
        square.size(),
        [&](std::span<const std::uint32_t> chosen) {
          double sum = 0;
          for (const auto k : chosen) sum += square[k];
          return std::sqrt(sum / static_cast<double>(chosen.size()));
        },
        0.95, 1000, seed_);
    result_.checks.push_back(
        make_check(4, "replay of the network's operands: model - ngspice, rms", i, 0.0,
                   std::max(0.1, 0.1 * in_.model.validation.total_sigma), "MAC unit",
                   "the model fails on the network's own operands: characterise with more operands"));
  }

  void measure(const std::string& arm, const std::string& hardware, const training::ConversionModel& model,
               std::uint64_t first_chip, std::size_t chips) {
    if (!has(arm)) return;
    result_.accuracy.push_back(evaluate_chips(in_.networks.arm(arm), hardware, model, hardware_, in_.data, seed_,
                                              {first_chip, chips, images_}, context_));
    const auto& r = result_.accuracy.back();
    context_.note(fmt::format("{} on {}: {:.2f} % [{:.2f}, {:.2f}], {} chips x {} images", arm, hardware,
                              r.mean.estimate, r.mean.low, r.mean.high, chips, images_));
  }

  void measure_accuracy() {
    const errormodel::ErrorTable exact = training::ideal_table(in_.table);
    const training::TableConversion ideal(exact), table(in_.table);
    const BehavioralConversion physical(in_.model);
    for (const char* arm : {"ideal", "error_aware"}) measure(arm, "ideal", ideal, chips::kEvaluation, 1);
    for (const char* arm : {"ideal", "error_aware", "no_noise", "gaussian"})
      measure(arm, "behavioral", physical, chips::kEvaluation, chips_);
    for (const char* arm : {"ideal", "error_aware"}) measure(arm, "table", table, chips::kEvaluation + chips_, chips_);
  }

  /// A second pass of the chips that have been measured: the same static errors, fresh read noise.
  std::vector<double> second_pass(const std::string& arm, const std::string& hardware,
                                  const training::ConversionModel& model, std::uint64_t first_chip) const {
    return evaluate_chips(in_.networks.arm(arm), hardware + ", second pass", model, hardware_, in_.data, seed_,
                          {first_chip, chips_, images_, 1}, context_)
        .accuracy;
  }

  void level_three(const std::string& arm) {
    const AccuracyRow* by_table = result_.find(arm, "table");
    const AccuracyRow* by_model = result_.find(arm, "behavioral");
    const double tolerance = s_.number("verification.accuracy_tolerance");
    const std::string more =
        "if inconclusive, more verification.chips; else the table misses something that matters to accuracy";
    result_.checks.push_back(make_check(3, fmt::format("accuracy of {}, table - model", arm),
                                        difference_of_means(by_table->accuracy, by_model->accuracy, 0.95), -tolerance,
                                        tolerance, "points", more));
    if (chips_ < 100) return;  // the ratio of spreads needs them (methods.md §6.3)
    const training::TableConversion table(in_.table);
    const BehavioralConversion physical(in_.model);
    const auto table_again = second_pass(arm, "table", table, chips::kEvaluation + chips_);
    const auto model_again = second_pass(arm, "behavioral", physical, chips::kEvaluation);
    const Interval ratio =
        chip_spread_ratio({by_table->accuracy, table_again}, {by_model->accuracy, model_again}, 0.9, 2000, seed_);
    result_.checks.push_back(
        make_check(3, fmt::format("spread over chips of {}, table / model", arm), ratio, 0.7, 1.4, "1", more));
  }

  void level_five() {
    for (std::size_t i = 0; i < s_.count("spec"); ++i) {
      const std::string at = fmt::format("spec[{}].", i);
      const std::string& metric = s_.text(at + "metric");
      const Interval value = metric_value(metric);
      const double low = s_.has(at + "minimum") ? s_.number(at + "minimum") : -1e30;
      const double high = s_.has(at + "maximum") ? s_.number(at + "maximum") : 1e30;
      result_.checks.push_back(make_check(5, "specification " + metric, value, low, high, "",
                                          "the specification in errata.toml is not met for certain"));
    }
  }

  /// accuracy.ARM.mean, .percentile10, .loss (points below ideal hardware), all on behavioural hardware.
  Interval metric_value(const std::string& metric) const {
    for (const auto& row : result_.accuracy) {
      if (row.hardware != "behavioral") continue;
      const std::string prefix = "accuracy." + row.arm + ".";
      if (metric == prefix + "mean") return row.mean;
      if (metric == prefix + "percentile10") return {row.percentile10, row.percentile10, row.percentile10};
      if (metric == prefix + "loss") {
        const double ideal = result_.find("ideal", "ideal")->mean.estimate;
        return {ideal - row.mean.estimate, ideal - row.mean.high, ideal - row.mean.low};
      }
    }
    throw ProjectError(
        {Diagnostic{.code = "E107",
                    .position = s_.value("project.name").position,
                    .message = fmt::format("[[spec]] metric '{}' is not known", metric),
                    .hint = "known: accuracy.ARM.mean, accuracy.ARM.percentile10, accuracy.ARM.loss with ARM one "
                            "of ideal, error_aware, no_noise, gaussian"}});
  }

  const VerificationInput& in_;
  const Settings& s_;
  const RunContext& context_;
  std::uint64_t seed_;
  training::HardwareOptions hardware_;
  std::size_t chips_ = 0, images_ = 0;
  std::vector<WorkloadColumn> workload_;
  Verification result_;
};

}  // namespace

AccuracyRow evaluate_chips(const training::TrainedArm& arm, const std::string& hardware,
                           const training::ConversionModel& model, const training::HardwareOptions& options,
                           const training::DataSet& data, std::uint64_t seed, const ChipEvaluation& evaluation,
                           const RunContext& context) {
  AccuracyRow row;
  row.arm = arm.name;
  row.hardware = hardware;
  row.images = std::min(evaluation.images, data.test.count());
  for (std::size_t chip = 0; chip < evaluation.chips; ++chip) {
    stop_if_cancelled(context);
    training::BitTrueHook hook(model, options, seed, evaluation.first_chip + chip, evaluation.pass);
    training::EvaluationOptions o{.hook = &hook, .seed = seed, .images = row.images, .threads = context.jobs};
    o.should_stop = context.cancelled;
    const auto result = training::evaluate(*arm.network, data.test, o);
    if (!result) stop_if_cancelled(context);
    row.accuracy.push_back(100.0 * result->sums.accuracy());
    context.progress(fmt::format("{} on {}", arm.name, hardware), chip + 1, evaluation.chips);
  }
  row.mean = mean_interval(row.accuracy, 0.95);
  row.spread = sample_spread(row);
  row.percentile10 = quantile(row.accuracy, 0.1);
  return row;
}

Verification verify(const VerificationInput& input, const Provenance& provenance, const RunContext& context) {
  return Verifier(input, provenance, context).run();
}

}  // namespace errata::verification
