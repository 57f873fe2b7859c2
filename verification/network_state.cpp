#include "verification/network_state.h"

#include <cstring>

#include "core/error.h"

namespace errata::verification {

std::vector<float> NetworkState::values() const {
  std::vector<float> all;
  for (const training::Parameter* parameter : network_.parameters())
    all.insert(all.end(), parameter->value.begin(), parameter->value.end());
  for (const training::StateBuffer& buffer : network_.buffers())
    all.insert(all.end(), buffer.values->begin(), buffer.values->end());
  return all;
}

void NetworkState::require_unchanged() const {
  const auto now = values();
  if (now.size() == values_.size() && std::memcmp(now.data(), values_.data(), now.size() * sizeof(float)) == 0) return;
  throw Error(ExitStatus::kBug, "E700", "an evaluation has changed the network that it evaluates", "");
}

}  // namespace errata::verification
