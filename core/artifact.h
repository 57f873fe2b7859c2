#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/hdf5_file.h"

namespace errata {

/// A file that a stage read, with its SHA-256.
struct ArtifactInput {
  std::string role;  ///< "netlist", "characterization", …
  std::string sha256;
};

/// What every artefact says about itself in its root attributes (architecture.md §6).
struct Provenance {
  std::string format;  ///< "characterization", "error_table", …
  std::int64_t major_version = 1;
  std::int64_t minor_version = 0;
  std::vector<ArtifactInput> inputs;
  std::string config;  ///< canonical text of the project keys that the stage reads
  std::uint64_t seed = 0;

  /// SHA-256 over errata's version, format, inputs, config and seed: equal exactly when a re-run would give the same
  /// file.
  std::string fingerprint() const;
};

/// Writes errata_format, format_version, errata_version, inputs, config, seed, fingerprint and complete.
void write_provenance(Hdf5Writer& file, const Provenance& provenance);

/// Reads it back. Throws Error (artefact, E405) when the format or the major version differ from `format`, `major`.
Provenance read_provenance(const Hdf5Reader& file, std::string_view format, std::int64_t major);

/// Group that holds an artefact at its k-th operating point, k ≥ 1; the nominal one, 0, stands at the root.
std::string operating_point_group(std::size_t k);

/// The fingerprint stored in a file, or empty when there is none or it cannot be read.
std::string stored_fingerprint(const std::filesystem::path& path);

}  // namespace errata
