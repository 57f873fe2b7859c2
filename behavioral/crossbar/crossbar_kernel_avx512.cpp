#include <cstddef>

namespace errata::behavioral {
namespace {
constexpr std::size_t kLanes = 8, kTileRows = 8;
}
}  // namespace errata::behavioral

#include "behavioral/crossbar/crossbar_kernel_body.h"

namespace errata::behavioral {

const CrossbarKernels kAvx512Kernels{multiply_add, eliminate};

}  // namespace errata::behavioral
