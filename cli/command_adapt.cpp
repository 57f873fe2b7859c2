// `errata train --from CHECKPOINT`: the second phase alone, from a network that has been trained.
#include <fmt/format.h>

#include "cli/pipeline.h"
#include "core/sha256.h"
#include "errormodel/table/operating_point.h"
#include "training/stage.h"

namespace errata::cli {

namespace {

std::filesystem::path existing(const std::filesystem::path& path, const char* what) {
  if (std::filesystem::is_regular_file(path)) return path;
  throw Error(ExitStatus::kArtifact, "E401", fmt::format("{} does not exist", path.string()), what);
}

}  // namespace

ExitStatus run_adapt(Session& session) {
  const Settings s = session.project();
  const auto& i = session.invocation;
  if (s.integer("training.adaptation_epochs") == 0)
    throw Error(ExitStatus::kUsage, "E103", "training.adaptation_epochs = 0 leaves nothing to do with --from",
                "--set training.adaptation_epochs=4");
  const auto checkpoint = existing(i.from, "--from takes a checkpoint.h5 of `errata train`");
  const bool needs_table = s.flag("training.error_aware");
  const auto table_file = table_path(session, s);
  Provenance provenance{training::TrainedNetworks::kFormat,
                        training::TrainedNetworks::kMajor,
                        training::TrainedNetworks::kMinor,
                        {{"start", sha256_of_file(checkpoint)}, {"start_arm", i.name.empty() ? "last" : i.name}},
                        s.canonical(sections_of_stage("train")),
                        s.seed()};
  std::optional<errormodel::ErrorTable> table;
  if (needs_table) {
    table = errormodel::project_table(existing(table_file, "--table takes an error_table.h5 of `errata compile`"), s);
    provenance.inputs.push_back({"error_table", sha256_of_file(table_file)});
  }
  provenance.inputs.push_back(data_input(session, s));
  const auto folder = i.out.empty() ? session.artifacts() / "adapted" : i.out;
  const auto out = folder / "checkpoint.h5";
  if (!i.force && std::filesystem::exists(out) && stored_fingerprint(out) == provenance.fingerprint()) {
    session.out.line(fmt::format("{} fresh", out.string()));
    return ExitStatus::kOk;
  }
  const auto networks = training::TrainedNetworks::load(checkpoint);
  const auto& start = i.name.empty() ? networks.arms.back() : networks.arm(i.name);
  std::filesystem::create_directories(folder);
  const auto data = training::project_data(s, session.data_root(), session.context);
  const auto trained = training::adapt_networks(s, start, table, data, provenance, folder, session.context);
  session.out.line(fmt::format("adapted from '{}' of {}", start.name, checkpoint.string()));
  tell_arms(session, trained);
  session.out.set("checkpoint", out.string());
  return ExitStatus::kOk;
}

}  // namespace errata::cli
