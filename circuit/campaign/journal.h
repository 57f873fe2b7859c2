#pragma once

#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>

#include "circuit/campaign/simulation.h"

namespace errata::circuit {

/// Append-only shard of finished points, so that kill -9 at any moment loses at most the running ones.
///
/// Layout (docs/formats/journal.md): a 64-character fingerprint, then records {item, status, values, log, checksum}.
/// Locked while it is open, so that two runs cannot share it. A journal of another fingerprint is started anew; a
/// record cut off by a crash ends the replay and is overwritten.
class Journal {
 public:
  Journal(std::filesystem::path path, const std::string& fingerprint,
          const std::function<void(std::size_t item, PointResult result)>& on_replayed);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  /// Appends one finished point. Throws Error (environment) when the disk is full.
  void append(std::size_t item, const PointResult& result);
  /// Removes the file: the artefact holds everything now.
  void discard();

 private:
  /// Hands over the whole records of this fingerprint; returns where they end, 0 when there is none to keep.
  long replay(const std::string& fingerprint, const std::function<void(std::size_t, PointResult)>& on_replayed);

  std::filesystem::path path_;
  std::FILE* file_ = nullptr;
};

/// Bytes of a result, for the journal and for the way from worker to parent.
std::string encode(const PointResult& result);
/// Throws std::out_of_range on damaged bytes.
PointResult decode(const std::string& bytes);

}  // namespace errata::circuit
