#include "training/fetch/data_fetch.h"

#include <fmt/format.h>

#include "training/fetch/download.h"
#include "training/fetch/unpack.h"

namespace errata::training {

namespace {

namespace fs = std::filesystem;

std::string file_name(const std::string& address) { return address.substr(address.rfind('/') + 1); }

DownloadRequest request_for(const RemoteFile& remote, const FetchOptions& options, const fs::path& folder) {
  DownloadRequest request;
  request.address = remote.address;
  if (!options.base_address.empty()) {
    const bool slash = options.base_address.ends_with('/');
    request.address = options.base_address + (slash ? "" : "/") + file_name(remote.address);
  }
  request.sha256 = remote.sha256;
  request.bytes = remote.bytes;
  request.target = folder / file_name(remote.address);
  request.attempts = options.attempts;
  request.retry_seconds = options.retry_seconds;
  return request;
}

/// Fetches an archive, takes the set's files out of it and removes it.
void fetch_archive(const DataSetEntry& entry, const RemoteFile& remote, const FetchOptions& options,
                   const RunContext& context) {
  constexpr std::uint64_t kLargestMember = std::uint64_t{1} << 30;
  const fs::path folder = options.root / entry.name;
  const DownloadRequest request = request_for(remote, options, folder);
  download(request, context);
  context.note(fmt::format("unpacking {}", request.target.filename().string()));
  unpack(request.target, entry.members, folder, kLargestMember, context);
  std::error_code ignored;
  fs::remove(request.target, ignored);
}

void check_usage(const DataSetEntry& entry, const FetchOptions& options) {
  if (entry.remote.empty())
    throw Error(ExitStatus::kUsage, "E102", fmt::format("the data set '{}' is built in", entry.name),
                "nothing is to be fetched; set training.data_set to its name");
  const std::string& base = options.base_address;
  if (!base.empty() && !base.starts_with("http://") && !base.starts_with("https://"))
    throw Error(ExitStatus::kUsage, "E102", fmt::format("'{}' is not an http:// or https:// address", base),
                fmt::format("copy files that you have to {} yourself", (options.root / entry.name).string()));
}

}  // namespace

std::vector<std::string> fetch_data_set(const DataSetEntry& entry, const FetchOptions& options,
                                        const RunContext& context) {
  check_usage(entry, options);
  const fs::path folder = options.root / entry.name;
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure)
    throw Error(ExitStatus::kEnvironment, "E601", fmt::format("cannot make {}: {}", folder.string(), failure.message()),
                "name a folder that you can write to with --data-dir");
  std::vector<std::string> fetched;
  if (!entry.members.empty()) {
    if (find_data_set(entry, options.root).missing.empty()) return fetched;
    for (const RemoteFile& remote : entry.remote) fetch_archive(entry, remote, options, context);
    return entry.members;
  }
  for (const RemoteFile& remote : entry.remote) {
    const DownloadRequest request = request_for(remote, options, folder);
    if (download(request, context) == DownloadOutcome::kDownloaded)
      fetched.push_back(request.target.filename().string());
  }
  return fetched;
}

}  // namespace errata::training
