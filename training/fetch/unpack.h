#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "core/run_context.h"

namespace errata::training {

/// Takes files of these names out of an archive (.tar.gz, .zip; any folder within it) and puts them into `folder`,
/// each whole or not at all; other members, links and devices are passed over. Paths in the archive are never used.
/// Errors: a damaged archive, a name that it lacks, a member above `largest_bytes` (artefact, E404); a file cannot be
/// written (environment, E601); cancelled (E130).
void unpack(const std::filesystem::path& archive, std::span<const std::string> names,
            const std::filesystem::path& folder, std::uint64_t largest_bytes, const RunContext& context);

}  // namespace errata::training
