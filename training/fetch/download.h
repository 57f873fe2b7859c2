#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "core/run_context.h"

namespace errata::training {

/// A file to download and what it must be.
struct DownloadRequest {
  std::string address;           ///< http:// or https://
  std::string sha256;            ///< 64 lower-case hexadecimal digits
  std::uint64_t bytes = 0;       ///< its length; a transfer that grows beyond it is stopped
  std::filesystem::path target;  ///< its folder exists
  int attempts = 5;              ///< in all; transfers that broke off or met a busy server are tried again
  double retry_seconds = 1.0;    ///< wait before the second attempt, doubled for each further one
  double stall_seconds = 30.0;   ///< without a byte for so long, a transfer counts as broken
};

enum class DownloadOutcome { kDownloaded, kAlreadyThere };

/// Downloads a file to `target` and compares its SHA-256; nothing is done when it is there already.
///
/// Bytes go to `target`.part and on after an interruption from there, by an HTTP range; a server that knows no ranges
/// sends everything anew. The whole file is renamed into place only after its SHA-256 has been found right.
/// Redirections are followed, from https to https only. The address may go through a proxy, as libcurl reads it
/// from the environment.
/// Errors: the server refuses or cannot be reached (environment, E605); another process is downloading the file
/// (environment, E605); it cannot be written (environment, E601); its bytes are not the expected ones (artefact, E404);
/// cancelled (interrupted, E130; the same call goes on).
DownloadOutcome download(const DownloadRequest& request, const RunContext& context);

}  // namespace errata::training
