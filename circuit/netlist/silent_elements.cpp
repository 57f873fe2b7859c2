#include "circuit/netlist/silent_elements.h"

#include <string_view>

namespace errata::circuit {

// docs/design/ngspice.md; tests/unit/circuit/noise_test.cpp asks ngspice.
bool has_noise_model(char type) { return std::string_view("rdqjzm").find(type) != std::string_view::npos; }

bool is_silent(char type) {
  return !has_noise_model(type) && std::string_view("clkvi").find(type) == std::string_view::npos;
}

std::vector<std::string> silent_elements(const Netlist& netlist, const std::string& subcircuit) {
  std::vector<std::string> paths;
  for (const LeafDevice& leaf : leaf_devices(netlist, subcircuit))
    if (is_silent(leaf.type)) paths.push_back(leaf.path);
  return paths;
}

}  // namespace errata::circuit
