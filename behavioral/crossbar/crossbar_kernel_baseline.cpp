#include <cstddef>

namespace errata::behavioral {
namespace {
constexpr std::size_t kLanes = 2, kTileRows = 2;
}
}  // namespace errata::behavioral

#include "behavioral/crossbar/crossbar_kernel_body.h"

namespace errata::behavioral {

const CrossbarKernels kBaselineKernels{multiply_add, eliminate};

}  // namespace errata::behavioral
