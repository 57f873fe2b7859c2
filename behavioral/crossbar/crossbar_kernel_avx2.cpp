#include <cstddef>

namespace errata::behavioral {
namespace {
constexpr std::size_t kLanes = 4, kTileRows = 4;
}
}  // namespace errata::behavioral

#include "behavioral/crossbar/crossbar_kernel_body.h"

namespace errata::behavioral {

const CrossbarKernels kAvx2Kernels{multiply_add, eliminate};

}  // namespace errata::behavioral
