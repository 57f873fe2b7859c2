#include <fmt/format.h>

#include <memory>

#include "cli/command.h"
#include "training/hardware/table_conversion.h"
#include "verification/behavioral_conversion.h"
#include "verification/verify.h"

namespace errata::cli {

ExitStatus run_evaluate(Session& session) {
  const Settings s = session.project();
  const auto& i = session.invocation;
  const auto model = behavioral::BehavioralModel::load(session.artifacts() / "behavioral.h5");
  const auto table = errormodel::ErrorTable::load(session.artifacts() / "error_table.h5");
  const auto networks = training::TrainedNetworks::load(session.artifacts() / "checkpoint.h5");
  const auto data = training::project_data(s, session.data_root(), session.context);
  const std::string hardware = i.hardware.empty() ? "behavioral" : i.hardware;
  const auto exact = training::ideal_table(table), gaussian = training::matched_gaussian(table);
  std::unique_ptr<training::ConversionModel> conversion;
  if (hardware == "behavioral") conversion = std::make_unique<verification::BehavioralConversion>(model);
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
  const auto row = verification::evaluate_chips(arm, hardware, *conversion, training::hardware_options(s, table),
                                                data, s.seed(), {chips::kEvaluation, chips, images}, session.context);
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
