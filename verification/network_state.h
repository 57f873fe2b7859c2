#pragma once

#include <vector>

#include "training/network/network.h"

namespace errata::verification {

/// What a network has learned, with the running statistics of its batch norms, at one moment. An evaluation must leave
/// it alone: statistics that are estimated anew under errors hide them, and chips cannot do that (methods.md §6).
class NetworkState {
 public:
  explicit NetworkState(const training::Network& network) : network_(network), values_(values()) {}
  /// Throws Error (bug, E700) when the network has changed.
  void require_unchanged() const;

 private:
  std::vector<float> values() const;

  const training::Network& network_;
  std::vector<float> values_;
};

}  // namespace errata::verification
