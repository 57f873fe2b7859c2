#pragma once

#include <memory>

#include "behavioral/crossbar/crossbar_factor.h"
#include "behavioral/crossbar/crossbar_network.h"
#include "behavioral/crossbar/crossbar_options.h"

namespace errata::behavioral {

/// What arrays of one topology share.
struct CrossbarParts {
  CrossbarOptions options;
  CrossbarNetwork network;
  std::unique_ptr<const CrossbarAnalysis> analysis;
};

}  // namespace errata::behavioral
