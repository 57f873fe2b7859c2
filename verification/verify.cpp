#include "verification/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>

#include "circuit/characterize.h"
#include "core/operating_point.h"
#include "core/random_stream.h"
#include "errormodel/compile.h"
#include "errormodel/table/operating_point.h"
#include "training/evaluation.h"
#include "training/hardware/bit_true_hook.h"
#include "training/hardware/table_conversion.h"
#include "verification/advice.h"
#include "verification/behavioral_conversion.h"
#include "verification/chip_ranges.h"
#include "verification/conversions.h"
#include "verification/level_three.h"
#include "verification/level_two.h"
#include "verification/network_state.h"
#include "verification/portability.h"
#include "verification/simultaneous.h"
#include "verification/workload.h"
#include "verification/yield.h"

namespace errata::verification {

namespace {

// ---- level 1 -------------------------------------------------------------------------------------------------

void check_model(const behavioral::BehavioralModel& model, const Settings& s, std::vector<Check>& checks) {
  const auto& v = model.validation;
  const double allowed = std::min(std::max(s.number("behavioral.maximum_rms"), 0.1 * v.total_sigma),
                                  s.number("behavioral.maximum_rms_full_scale") * v.full_scale);
  const auto chips = static_cast<std::size_t>(s.integer("circuit.design.chips"));
  checks.push_back(judged({.level = 1,
                           .name = "model against ngspice columns, rms",
                           .value = {v.rms, v.rms_low, v.rms_high},
                           .low = 0.0,
                           .high = allowed,
                           .unit = "MAC unit",
                           .data = "behavioral.h5 /validation"},
                          {"chips", "circuit.design.chips", chips,
                           "the behavioural model does not hold, and nothing above it counts: see the fit report; more "
                           "circuit.design.bit_line_points, or another family (behavioral.model)"}));
}

AccuracyRow accuracy_row(const std::string& arm, const std::string& hardware, std::size_t images,
                         std::vector<double> accuracy) {
  AccuracyRow row{arm, hardware, images, std::move(accuracy), {}, 0.0, 0.0};
  row.mean = mean_interval(row.accuracy, 0.95);
  row.spread = row.accuracy.size() > 1 ? standard_deviation(row.accuracy) : 0.0;
  row.percentile10 = quantile(row.accuracy, 0.1);
  return row;
}

/// A supply of 0 is not known.
void require_one_operating_point(const circuit::ArrayConstants& model, const errormodel::ErrorTable& table) {
  const auto close = [](double a, double b) { return std::fabs(a - b) <= 1e-6 * std::max(a, b); };
  const bool supplies =
      model.supply_volts == 0.0 || table.supply_volts == 0.0 || close(model.supply_volts, table.supply_volts);
  if (close(model.temperature_kelvin, table.temperature_kelvin) && supplies) return;
  throw Error(ExitStatus::kArtifact, "E525",
              fmt::format("the table is at {}, the column model at {}", errormodel::operating_point_name(table),
                          to_string(OperatingPoint{model.temperature_kelvin, model.supply_volts})),
              "verify compares them at one operating point: characterise at the table's, or choose another with "
              "hardware.temperature and hardware.supply_voltage");
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
    require_unseen_chips(in.settings);
    require_one_operating_point(in.model.array, in.table);
  }

  Verification run() {
    check_model(in_.model, s_, result_.checks);
    trained_ = has("error_aware") ? "error_aware" : "ideal";
    capture(trained_);
    level_two();
    level_four();
    level_three();
    measure_accuracy();
    if (s_.flag("verification.portability")) portability();
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
    std::ranges::move(two.evidence, std::back_inserter(result_.evidence));
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
          const CodeErrors e = code_errors(w.adc, w.operands.mac(p), c.value[p], c.sigma[p]);
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
    const Remedy remedy{
        "chips", "verification.replay_chips", chips,
        "the table does not predict this layer's error rates, though levels 1 and 2 may hold: look at its "
        "out-of-support fraction; more errormodel.chips, or errormodel.operands from this network"};
    for (std::size_t l = 0; l < observed.size(); ++l) {
      const double allowed = std::max(0.005, 0.1 * result_.layers[l].observed_change.estimate);
      const std::string data =
          fmt::format("/layers/error_rates, /evidence/layer{:02}_observed, layer{:02}_predicted", l, l);
      result_.checks.push_back(judged({.level = 4,
                                       .name = fmt::format("P(code != ideal), observed - predicted, layer {}", l),
                                       .value = intervals[2 * l],
                                       .low = -allowed,
                                       .high = allowed,
                                       .unit = "1",
                                       .data = data},
                                      remedy));
      result_.checks.push_back(judged({.level = 4,
                                       .name = fmt::format("mean |dcode|, observed - predicted, layer {}", l),
                                       .value = intervals[2 * l + 1],
                                       .low = -0.05,
                                       .high = 0.05,
                                       .unit = "ADC step",
                                       .data = data},
                                      remedy));
      keep_rates(fmt::format("layer{:02}_observed", l), observed[l]);
      keep_rates(fmt::format("layer{:02}_predicted", l), predicted[l]);
    }
    for (std::size_t l = 0; l < observed.size(); ++l) check_extrapolation(l, observed[l]);
    replay_in_ngspice();
  }

  void keep_rates(std::string name, const std::vector<ChipRates>& rates) {
    Evidence e{.name = std::move(name),
               .shape = {rates.size(), 4},
               .values = {},
               .unit = "see columns",
               .columns = "of each chip: P(code != ideal), mean |dcode| in ADC steps, P(|dcode| > 2), out of support"};
    for (const auto& r : rates) e.values.insert(e.values.end(), {r.change, r.magnitude, r.large, r.outside});
    result_.evidence.push_back(std::move(e));
  }

  /// A column model that was fitted to columns knows only what they showed.
  void check_extrapolation(std::size_t layer, const std::vector<ChipRates>& chips) {
    std::vector<double> shares;
    for (const ChipRates& r : chips) shares.push_back(r.extrapolated);
    if (std::ranges::all_of(shares, [](double share) { return share == 0.0; })) return;
    constexpr double kTolerated = 0.01;
    result_.checks.push_back(
        judged({.level = 4,
                .name = fmt::format("extrapolated reads of the column model, layer {}", layer),
                .value = mean_interval(shares, 0.95),
                .low = 0.0,
                .high = kTolerated,
                .unit = "1",
                .data = fmt::format("/evidence/layer{:02}_observed", layer)},
               {"chips", "verification.replay_chips", chips.size(),
                "the network reads columns where the model has no data: characterise with its own operands "
                "(circuit.operands)"}));
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
    const auto outputs = circuit::simulate_columns(at_operating_point(s_, hardware_operating_point(s_)),
                                                   in_.model.provenance.seed, requests, context_);
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
    result_.checks.push_back(judged(
        {.level = 4,
         .name = "replay of the network's operands: model - ngspice, rms",
         .value = i,
         .low = 0.0,
         .high = std::max(0.1, 0.1 * in_.model.validation.total_sigma),
         .unit = "MAC unit",
         .data = "/replay/model, /replay/circuit"},
        {"conversions", "verification.ngspice_operands (of each layer)", square.size(),
         "the behavioural model fails on the network's own operands though it held on level 1: characterise with "
         "circuit.operands from this network, or more circuit.design.operands"}));
  }

  std::vector<double> accuracies(const std::string& arm, const std::string& hardware,
                                 const training::ConversionModel& model, const ChipEvaluation& evaluation) const {
    return evaluate_chips(in_.networks.arm(arm), hardware, model, hardware_, in_.data, seed_, evaluation, context_)
        .accuracy;
  }

  void keep(AccuracyRow row) {
    context_.note(fmt::format("{} on {}: {:.2f} % [{:.2f}, {:.2f}], {} chips x {} images", row.arm, row.hardware,
                              row.mean.estimate, row.mean.low, row.mean.high, row.accuracy.size(), row.images));
    result_.accuracy.push_back(std::move(row));
  }

  void measure(const std::string& arm, const std::string& hardware, const training::ConversionModel& model,
               std::uint64_t first_chip, std::size_t chips) {
    if (!has(arm)) return;
    const bool known = arm == trained_ && hardware != "ideal";
    keep(accuracy_row(arm, hardware, images_,
                      known ? (hardware == "table" ? three_.table : three_.model)
                            : accuracies(arm, hardware, model, {first_chip, chips, images_})));
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

  void level_three() {
    const training::TableConversion table(in_.table);
    const BehavioralConversion physical(in_.model);
    const auto source = [&](const std::string& hardware, const training::ConversionModel& model) {
      return [this, hardware, &model](std::uint64_t first, std::size_t chips, std::uint64_t pass) {
        return accuracies(trained_, pass == 0 ? hardware : hardware + ", second pass", model,
                          {first, chips, images_, pass});
      };
    };
    three_ = compare_accuracy({trained_, source("table", table), source("behavioral", physical)},
                              {.chips = chips_,
                               .most_chips = static_cast<std::size_t>(s_.integer("verification.most_chips")),
                               .tolerance = s_.number("verification.accuracy_tolerance"),
                               .seed = seed_,
                               .first_chip = chips::kEvaluation});
    std::ranges::move(three_.checks, std::back_inserter(result_.checks));
    const auto two_passes = [&](std::string name, const std::vector<double>& first, const std::vector<double>& again) {
      Evidence e{.name = std::move(name),
                 .shape = {first.size(), again.empty() ? std::size_t{1} : std::size_t{2}},
                 .values = {},
                 .unit = "%",
                 .columns = "accuracy of each chip, and in a second pass with fresh read noise"};
      for (std::size_t k = 0; k < first.size(); ++k) {
        e.values.push_back(first[k]);
        if (!again.empty()) e.values.push_back(again[k]);
      }
      result_.evidence.push_back(std::move(e));
    };
    two_passes("level3_table", three_.table, three_.table_again);
    two_passes("level3_model", three_.model, three_.model_again);
  }

  /// Accuracy by a table from the network's own operands (or stratified ones, where the table itself is from a
  /// network's) on the same chips as the table's first ones: the same random numbers, so the two differ by the tables
  /// alone.
  void portability() {
    std::vector<ColumnOperands> own;
    for (const auto& w : workload_) own.push_back(w.operands);
    const errormodel::ErrorTable other = other_table(in_.model, in_.table, own, seed_, s_, context_);
    const training::TableConversion conversion(other);
    const auto by_other =
        accuracies(trained_, "table on other operands", conversion, {chips::kEvaluation + chips_, chips_, images_});
    const std::vector<double> by_table(three_.table.begin(),
                                       three_.table.begin() + static_cast<std::ptrdiff_t>(chips_));
    result_.checks.push_back(
        portability_check(trained_, by_table, by_other, s_.number("verification.portability_tolerance")));
    Evidence e{.name = "portability",
               .shape = {chips_, 2},
               .values = {},
               .unit = "%",
               .columns = "accuracy of each chip by the table, by the table on " + other.operands + " operands"};
    for (std::size_t k = 0; k < chips_; ++k) e.values.insert(e.values.end(), {by_table[k], by_other[k]});
    result_.evidence.push_back(std::move(e));
  }

  void level_five() {
    for (std::size_t i = 0; i < s_.count("spec"); ++i) {
      const std::string at = fmt::format("spec[{}].", i);
      const std::string& metric = s_.text(at + "metric");
      const Interval value = metric_value(metric);
      const double low = s_.has(at + "minimum") ? s_.number(at + "minimum") : -1e30;
      const double high = s_.has(at + "maximum") ? s_.number(at + "maximum") : 1e30;
      const bool shrinks = metric.find(".loss") != std::string::npos || metric.find(".mean") != std::string::npos ||
                           metric.find(".percentile10") != std::string::npos ||
                           metric.find(".yield(") != std::string::npos;
      result_.checks.push_back(judged({.level = 5,
                                       .name = "specification " + metric,
                                       .value = value,
                                       .low = low,
                                       .high = high,
                                       .unit = "",
                                       .data = data_of(metric)},
                                      {"chips", "verification.chips", shrinks ? chips_ : 0,
                                       "the specification in errata.toml is not met: a better network, more adaptation "
                                       "epochs, or another circuit"}));
    }
  }

  /// The accuracy row that a metric accuracy.ARM.… is read from.
  const AccuracyRow* row_of(const std::string& metric) const {
    for (const auto& row : result_.accuracy)
      if (row.hardware == "behavioral" && metric.starts_with("accuracy." + row.arm + ".")) return &row;
    return nullptr;
  }

  std::string data_of(const std::string& metric) const {
    const AccuracyRow* row = row_of(metric);
    return row == nullptr ? "" : fmt::format("/accuracy/{:03}/by_chip", row - result_.accuracy.data());
  }

  /// accuracy.ARM.mean, .percentile10, .loss (points below ideal hardware), .yield(T) (share of chips that reach T
  /// percent), all on behavioural hardware.
  Interval metric_value(const std::string& metric) const {
    if (const AccuracyRow* row = row_of(metric); row != nullptr) {
      const std::string what = metric.substr(("accuracy." + row->arm + ".").size());
      if (what == "mean") return row->mean;
      if (what == "percentile10") return quantile_interval(row->accuracy, 0.1, 0.95);
      if (what == "loss") {
        const double ideal = result_.find("ideal", "ideal")->mean.estimate;
        return {ideal - row->mean.estimate, ideal - row->mean.high, ideal - row->mean.low};
      }
      double threshold = 0.0;
      const char* end = what.data() + what.size();
      if (what.starts_with("yield(") && what.ends_with(")") &&
          std::from_chars(what.data() + 6, end - 1, threshold).ptr == end - 1)
        return yield_at(row->accuracy, threshold);
    }
    throw ProjectError({Diagnostic{
        .code = "E107",
        .position = s_.value("project.name").position,
        .message = fmt::format("[[spec]] metric '{}' is not known", metric),
        .hint = "known: accuracy.ARM.mean, .percentile10, .loss and .yield(T), the share of chips that reach "
                "T percent, with ARM one of ideal, error_aware, no_noise, gaussian"}});
  }

  const VerificationInput& in_;
  const Settings& s_;
  const RunContext& context_;
  std::uint64_t seed_;
  training::HardwareOptions hardware_;
  std::size_t chips_ = 0, images_ = 0;
  std::string trained_;
  std::vector<WorkloadColumn> workload_;
  LevelThreeResult three_;
  Verification result_;
};

}  // namespace

AccuracyRow evaluate_chips(const training::TrainedArm& arm, const std::string& hardware,
                           const training::ConversionModel& model, const training::HardwareOptions& options,
                           const training::DataSet& data, std::uint64_t seed, const ChipEvaluation& evaluation,
                           const RunContext& context) {
  const std::size_t images = std::min(evaluation.images, data.test.count());
  std::vector<double> accuracy;
  const NetworkState before(*arm.network);
  for (std::size_t chip = 0; chip < evaluation.chips; ++chip) {
    stop_if_cancelled(context);
    training::BitTrueHook hook(model, options, seed, evaluation.first_chip + chip, evaluation.pass);
    training::EvaluationOptions o{.hook = &hook, .seed = seed, .images = images, .threads = context.jobs};
    o.should_stop = context.cancelled;
    const auto result = training::evaluate(*arm.network, data.test, o);
    if (!result) stop_if_cancelled(context);
    accuracy.push_back(100.0 * result->sums.accuracy());
    context.progress(fmt::format("{} on {}", arm.name, hardware), chip + 1, evaluation.chips);
  }
  before.require_unchanged();
  return accuracy_row(arm.name, hardware, images, std::move(accuracy));
}

Verification verify(const VerificationInput& input, const Provenance& provenance, const RunContext& context) {
  return Verifier(input, provenance, context).run();
}

}  // namespace errata::verification
