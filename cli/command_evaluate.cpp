#include <fmt/format.h>

#include <memory>
#include <optional>

#include "cli/pipeline.h"
#include "core/operand_set.h"
#include "core/sha256.h"
#include "errormodel/operating_point.h"
#include "training/hardware/table_conversion.h"
#include "verification/behavioral_conversion.h"
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

}  // namespace

ExitStatus run_evaluate(Session& session) {
  const Settings s = session.project();
  const auto& i = session.invocation;
  if (!i.capture.empty()) return capture_operands(session, s);
  const auto table = errormodel::project_table(table_path(session, s), s);
  const auto networks = training::TrainedNetworks::load(session.artifacts() / "checkpoint.h5");
  const auto data = training::project_data(s, session.data_root(), session.context);
  const std::string hardware = !i.hardware.empty() ? i.hardware : starts_at_table(s) ? "table" : "behavioral";
  std::optional<behavioral::BehavioralModel> model;
  const auto exact = training::ideal_table(table), gaussian = training::matched_gaussian(table);
  std::unique_ptr<training::ConversionModel> conversion;
  if (hardware == "behavioral") {
    model = behavioral::BehavioralModel::load(session.artifacts() / "behavioral.h5");
    conversion = std::make_unique<verification::BehavioralConversion>(*model);
  }
  if (hardware == "table") conversion = std::make_unique<training::TableConversion>(table);
  if (hardware == "gaussian") conversion = std::make_unique<training::TableConversion>(gaussian);
  if (hardware == "ideal") conversion = std::make_unique<training::TableConversion>(exact);
  if (conversion == nullptr) {
    const std::vector<std::string> known{"ideal", "table", "behavioral", "gaussian"};
    const std::string near = nearest_name(hardware, known);
    throw Error(
        ExitStatus::kUsage, "E102", fmt::format("no hardware is called '{}'", hardware),
        near.empty() ? fmt::format("known: {}", fmt::join(known, ", ")) : fmt::format("did you mean '{}'?", near));
  }
  const auto& arm =
      networks.arm(i.name.empty() ? networks.arms.back().name == "ideal" ? "ideal" : "error_aware" : i.name);
  const std::size_t chips = hardware == "ideal" ? 1
                            : i.chips > 0       ? i.chips
                                                : static_cast<std::size_t>(s.integer("verification.chips"));
  const std::size_t images = i.images > 0 ? i.images : static_cast<std::size_t>(s.integer("verification.images"));
  const auto row = verification::evaluate_chips(
      arm, hardware, *conversion, training::with_ranges(training::hardware_options(s, table), networks.ranges), data,
      s.seed(), {chips::kEvaluation, chips, images}, session.context);
  session.out.line(
      fmt::format("{} on {}: {:.2f} % [{:.2f}, {:.2f}], spread {:.2f}, 10th percentile {:.2f}, {} chips x {} images",
                  row.arm, row.hardware, row.mean.estimate, row.mean.low, row.mean.high, row.spread, row.percentile10,
                  row.accuracy.size(), row.images));
  session.out.set("accuracy", row.mean);
  session.out.set("spread", row.spread);
  session.out.set("percentile10", row.percentile10);
  return ExitStatus::kOk;
}

}  // namespace errata::cli
