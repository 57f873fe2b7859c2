#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "behavioral/operating_points.h"
#include "cli/pipeline.h"
#include "core/operand_set.h"
#include "core/sha256.h"
#include "errormodel/table/operating_point.h"
#include "training/data/batches.h"
#include "training/hardware/table_conversion.h"
#include "training/network/network_transform.h"
#include "training/shards.h"
#include "verification/behavioral_conversion.h"
#include "verification/hardware_hooks.h"
#include "verification/verify.h"
#include "verification/workload.h"

namespace errata::cli {

namespace {

/// Writes what the columns of a trained network see, for circuit.operands and errormodel.operands.
ExitStatus capture_operands(Session& session, const Settings& s) {
  const auto networks = training::TrainedNetworks::load(session.artifacts() / "checkpoint.h5");
  const auto data = training::project_data(s, session.data_root(), session.context);
  const std::string& arm = session.invocation.name.empty() ? "ideal" : session.invocation.name;
  const auto hardware = training::with_ranges(training::hardware_options(s), networks.ranges);
  verification::WorkloadOptions options;
  options.columns_per_layer = static_cast<std::size_t>(s.integer("verification.captured_columns"));
  options.operands_per_column = static_cast<std::size_t>(s.integer("verification.replay_operands"));
  options.array_rows = static_cast<std::size_t>(s.integer("array.rows"));
  options.seed = s.seed();
  OperandSet set;
  set.provenance = {.format = OperandSet::kFormat,
                    .major_version = OperandSet::kMajor,
                    .minor_version = OperandSet::kMinor,
                    .inputs = {{"checkpoint", sha256_of_file(session.artifacts() / "checkpoint.h5")}},
                    .config = s.canonical(sections_of_stage("verify")),
                    .seed = s.seed()};
  set.rows = options.array_rows;
  set.levels = hardware.cell_levels;
  set.inputs = hardware.input_levels();
  for (auto& w : verification::capture_workload(*networks.arm(arm).network, data, hardware, options)) {
    set.layer.push_back(w.layer);
    set.columns.push_back(std::move(w.operands));
  }
  set.save(session.invocation.capture);
  session.out.line(fmt::format("{}: {} columns of {} layers, {} operands each", session.invocation.capture.string(),
                               set.columns.size(), set.layer.back() + 1, set.columns.front().count()));
  return ExitStatus::kOk;
}

/// The entry of `known` that `name` is; else Error (usage, E102).
std::string one_of(const std::string& name, const char* what, const std::vector<std::string>& known) {
  if (std::ranges::find(known, name) != known.end()) return name;
  const std::string near = nearest_name(name, known);
  throw Error(
      ExitStatus::kUsage, "E102", fmt::format("no {} is called '{}'", what, name),
      near.empty() ? fmt::format("known: {}", fmt::join(known, ", ")) : fmt::format("did you mean '{}'?", near));
}

/// Everything that a hardware is made from; each part is loaded when it is asked for.
class Bench {
 public:
  Bench(Session& session, const Settings& s)
      : session_(session),
        s_(s),
        networks(training::TrainedNetworks::load(session.invocation.checkpoint.empty()
                                                     ? session.artifacts() / "checkpoint.h5"
                                                     : session.invocation.checkpoint)),
        data(training::project_data(s, session.data_root(), session.context)) {}

  const errormodel::ErrorTable& table() {
    if (!table_) table_ = errormodel::project_table(table_path(session_, s_), s_);
    return *table_;
  }
  training::HardwareOptions hardware() {
    return training::with_ranges(training::hardware_options(s_, table()), networks.ranges);
  }
  const training::ConversionModel& exact() {
    if (!exact_) exact_ = keep(training::ideal_table(table()));
    return *exact_;
  }
  /// What bit-true hardware is made of; nullptr for others.
  const training::ConversionModel* conversion(const std::string& name) {
    if (name == "ideal") return &exact();
    if (name == "table") return keep(errormodel::ErrorTable(table()));
    if (name == "gaussian") return keep(training::matched_gaussian(table()));
    if (name != "behavioral") return nullptr;
    model_ = behavioral::project_model(session_.artifacts() / "behavioral.h5", s_);
    behavioral_ = std::make_unique<verification::BehavioralConversion>(*model_);
    return behavioral_.get();
  }
  training::NonlinearOptions curve() {
    const auto none = training::hardware_options(s_);
    auto o = training::nonlinear_options(s_, none);
    if (!o) throw Error(ExitStatus::kUsage, "E102", "the project has no curve", "set training.nonlinearity.form");
    const bool whole = o->input == training::CurveInput::kPartialSum;
    o->hardware = training::with_ranges(o->hardware, whole ? networks.nonlinear_ranges : networks.ranges);
    return *o;
  }
  training::Tensor calibration_images(const training::Network& network) const {
    std::vector<std::uint32_t> numbers;
    for (std::uint32_t i = 0; i < std::min<std::size_t>(training::kShardImages, data.train.count()); ++i)
      numbers.push_back(i);
    training::Batch batch;
    training::fill_batch(data.train, data.shape, {numbers, 0, 0, {}, network.options().normalization}, batch);
    return std::move(batch.images);
  }

 private:
  Session& session_;
  const Settings& s_;

 public:
  const training::TrainedNetworks networks;
  const training::DataSet data;

 private:
  const training::ConversionModel* keep(errormodel::ErrorTable table) {
    tables_.push_back(std::make_unique<errormodel::ErrorTable>(std::move(table)));
    conversions_.push_back(std::make_unique<training::TableConversion>(*tables_.back()));
    return conversions_.back().get();
  }

  std::optional<errormodel::ErrorTable> table_;
  std::optional<behavioral::BehavioralModel> model_;
  std::unique_ptr<training::ConversionModel> behavioral_;
  std::vector<std::unique_ptr<errormodel::ErrorTable>> tables_;
  std::vector<std::unique_ptr<training::ConversionModel>> conversions_;
  const training::ConversionModel* exact_ = nullptr;
};

/// The network of the arm, on devices where the hardware is that.
std::unique_ptr<training::Network> network_of(Bench& bench, const Settings& s, const std::string& arm,
                                              const std::string& hardware) {
  const training::Network& network = *bench.networks.arm(arm).network;
  if (hardware != "device") return training::copy_of(network);
  const auto device = training::device_options(s);
  if (!device.is_on())
    throw Error(ExitStatus::kUsage, "E102", "the project has no devices", "set training.device.ratio");
  return training::with_device(network, device);
}

verification::ChipHook hook_of(Bench& bench, const Settings& s, const training::Network& network,
                               const std::string& hardware) {
  if (hardware == "device") return [](std::uint64_t) { return std::unique_ptr<training::ProductHook>(); };
  if (hardware == "nonlinear") return verification::nonlinear_hook(bench.curve());
  if (hardware == "composed")
    return verification::composed_hook(bench.table(), bench.hardware(), s.seed(), network,
                                       bench.calibration_images(network));
  return verification::bit_true_hook(*bench.conversion(hardware), bench.hardware(), s.seed());
}

std::string text_of(const Interval& i) { return fmt::format("{:.2f} [{:.2f}, {:.2f}]", i.estimate, i.low, i.high); }

void tell_summary(Output& out, const verification::ChipSummary& summary) {
  out.set("accuracy", summary.mean);
  out.set("spread", summary.spread.estimate);
  if (summary.percentiles.empty()) return;
  out.set("spread_interval", summary.spread);
  out.line(fmt::format("  spread over chips {} points", text_of(summary.spread)));
  for (const auto& p : summary.percentiles) {
    out.line(fmt::format("  percentile {:>2.0f}       {} %", 100 * p.share, text_of(p.accuracy)));
    out.append(
        "percentiles", {},
        {{"share", p.share}, {"estimate", p.accuracy.estimate}, {"low", p.accuracy.low}, {"high", p.accuracy.high}});
    if (p.share == 0.1) out.set("percentile10", p.accuracy.estimate);
  }
  for (const auto& y : summary.yield) {
    out.line(fmt::format("  yield at {:6.2f} %  {:5.1f} % [{:.1f}, {:.1f}]", y.accuracy, 100 * y.fraction.estimate,
                         100 * y.fraction.low, 100 * y.fraction.high));
    out.append("yield", {},
               {{"threshold", y.accuracy},
                {"share", y.fraction.estimate},
                {"low", y.fraction.low},
                {"high", y.fraction.high}});
  }
}

}  // namespace

ExitStatus run_evaluate(Session& session) {
  const Settings s = session.project();
  const auto& i = session.invocation;
  if (!i.capture.empty()) return capture_operands(session, s);
  const std::string hardware =
      one_of(!i.hardware.empty()  ? i.hardware
             : starts_at_table(s) ? "table"
                                  : "behavioral",
             "hardware", {"ideal", "composed", "table", "behavioral", "gaussian", "nonlinear", "device"});
  const std::string recalibrate =
      one_of(i.recalibrate.empty() ? "none" : i.recalibrate, "recalibration", {"none", "batch_norm", "affine"});
  Bench bench(session, s);
  const auto& arms = bench.networks.arms;
  const bool adapted = std::ranges::any_of(arms, [](const auto& arm) { return arm.name == "error_aware"; });
  const std::string arm = !i.name.empty() ? i.name : adapted ? "error_aware" : "ideal";
  const auto network = network_of(bench, s, arm, hardware);

  const bool random = hardware != "ideal" && hardware != "nonlinear" && hardware != "device";
  verification::StudyOptions options;
  options.seed = s.seed();
  options.first_chip = chips::kEvaluation;
  const auto project_count = [&](const char* key) { return static_cast<std::size_t>(s.integer(key)); };
  options.chips = !random ? 1 : i.chips > 0 ? i.chips : project_count("verification.chips");
  options.images = std::min(i.images > 0 ? i.images : project_count("verification.images"), bench.data.test.count());
  options.whole_set_at_once = hardware == "composed";
  if (recalibrate == "batch_norm") options.recalibration = training::Recalibration::kBatchNorm;
  if (recalibrate == "affine") options.recalibration = training::Recalibration::kAffine;
  if (hardware == "device" && recalibrate != "none")
    throw Error(ExitStatus::kUsage, "E102", "devices without errors have nothing to recalibrate", "");

  const auto accuracy =
      verification::accuracy_of_chips(*network, hook_of(bench, s, *network, hardware), bench.data, options,
                                      fmt::format("{} on {}", arm, hardware), session.context);
  // The yield's thresholds lie below the same network on ideal hardware.
  double reference = accuracy[0];
  if (random) {
    verification::StudyOptions one = options;
    one.chips = 1;
    one.recalibration = training::Recalibration::kNone;
    reference = verification::accuracy_of_chips(*network, hook_of(bench, s, *network, "ideal"), bench.data, one,
                                                fmt::format("{} on ideal", arm), session.context)[0];
  }
  const auto summary = verification::summarize(accuracy, reference);
  auto& out = session.out;
  out.line(fmt::format("{} on {}: {} %, {} chip{} x {} images{}{}", arm, hardware, text_of(summary.mean),
                       accuracy.size(), accuracy.size() == 1 ? "" : "s", options.images,
                       random ? fmt::format(", {:.2f} % on ideal hardware", reference) : "",
                       recalibrate == "none" ? "" : fmt::format(", recalibrated on every chip: {}", recalibrate)));
  out.set("arm", arm);
  out.set("hardware", hardware);
  out.set("recalibration", recalibrate);
  out.set("chips", static_cast<std::int64_t>(accuracy.size()));
  out.set("images", static_cast<std::int64_t>(options.images));
  out.set("reference", reference);
  tell_summary(out, summary);
  if (!i.sensitivity) return ExitStatus::kOk;
  const auto* errors = bench.conversion(hardware);
  if (errors == nullptr || hardware == "ideal")
    throw Error(ExitStatus::kUsage, "E102", "--sensitivity needs hardware with errors, conversion by conversion",
                "--hardware table, behavioral or gaussian");
  options.recalibration = training::Recalibration::kNone;
  for (const auto& layer : verification::layer_sensitivity(*network, *errors, bench.exact(), bench.hardware(),
                                                           bench.data, options, session.context)) {
    out.line(fmt::format("  errors in {:<10} alone: {} points lost", layer.layer, text_of(layer.loss)));
    out.append("sensitivity", {{"layer", layer.layer}},
               {{"loss", layer.loss.estimate}, {"low", layer.loss.low}, {"high", layer.loss.high}});
  }
  return ExitStatus::kOk;
}

}  // namespace errata::cli
