#pragma once

#include <string>
#include <vector>

#include "cli/command.h"
#include "core/artifact.h"

namespace errata::cli {

/// One stage of the pipeline and the file it makes.
struct Stage {
  std::string_view name;                                      ///< "characterize", …
  std::string_view artifact;                                  ///< file name below artifacts/
  Provenance (*provenance)(const Session&, const Settings&);  ///< what the file would say of itself if made now
  ExitStatus (*run)(Session&, const Settings&, const Provenance&);
};

std::span<const Stage> stages();
const Stage& stage(std::string_view name);

enum class Freshness { kFresh, kPartial, kStale, kMissing, kBlocked };

/// How an artefact stands against the project as it is now, and why.
struct StageState {
  Freshness freshness = Freshness::kMissing;
  std::string reason;
};
StageState state_of(const Session& session, const Settings& settings, const Stage& stage);
std::string_view to_string(Freshness freshness);

/// The error table that the project trains and verifies with: hardware.error_table, or the one that `compile` makes.
std::filesystem::path table_path(const Session& session, const Settings& settings);
/// Throws Error (artefact, E401) where the project starts at measurements or at a ready table.
void require_netlist(const Settings& settings);

/// Runs one stage unless it is fresh (or --force), printing what it does.
ExitStatus run_stage(Session& session, const Settings& settings, const Stage& stage);

}  // namespace errata::cli
