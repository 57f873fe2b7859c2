#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/run_context.h"
#include "training/data/data_catalogue.h"

namespace errata::training {

/// Where a data set is fetched from and to.
struct FetchOptions {
  std::filesystem::path root;  ///< files go to its folder of the set's name, which is made if need be
  std::string base_address;    ///< where the remote files lie instead of their own site; empty: their own site
  int attempts = 5;
  double retry_seconds = 1.0;
};

/// Downloads what is missing of a data set from its own site, compares SHA-256 and unpacks archives; an interrupted
/// fetch goes on where it stopped. Returns the names of the files that were put in place; none when all were there.
/// Errors: those of download() and unpack(); a built-in set (usage, E102); a base address that is not http:// or
/// https:// (usage, E102).
std::vector<std::string> fetch_data_set(const DataSetEntry& entry, const FetchOptions& options,
                                        const RunContext& context);

}  // namespace errata::training
