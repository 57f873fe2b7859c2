// Walks over the instance tree of a subcircuit.
#include <fmt/format.h>

#include <algorithm>

#include "circuit/netlist.h"

namespace errata::circuit {

namespace {

const Subcircuit* find_subcircuit(const Netlist& netlist, const std::string& name) {
  const auto found = netlist.subcircuits.find(name);
  return found == netlist.subcircuits.end() ? nullptr : &found->second;
}

constexpr std::size_t kMostLeaves = 1000000;

void collect(const Netlist& netlist, const std::string& subcircuit, const std::string& prefix,
             std::vector<LeafDevice>& leaves) {
  constexpr std::size_t kDeepest = 21;  // of ngspice; a circle of instances ends there
  if (std::ranges::count(prefix, '.') > static_cast<std::ptrdiff_t>(kDeepest)) return;
  const Subcircuit* sub = find_subcircuit(netlist, subcircuit);
  if (sub == nullptr) return;
  for (const auto& [name, device] : sub->devices) {
    if (device.type() == 'x') {
      collect(netlist, device.subcircuit, prefix + name + ".", leaves);
      continue;
    }
    leaves.push_back({prefix + name, device.type(), device.model});
    if (leaves.size() > kMostLeaves)
      throw Error(ExitStatus::kInvalidProject, "E224",
                  fmt::format("subcircuit '{}' contains more than {} elements", subcircuit, kMostLeaves),
                  "name devices of the cell without a pattern, or choose a smaller subcircuit");
  }
}

/// The subcircuit that the instances of a path lead to, and what is left of the path. A name may hold dots itself.
const Subcircuit* descend(const Netlist& netlist, const std::string& subcircuit, std::string_view& path) {
  const Subcircuit* sub = find_subcircuit(netlist, subcircuit);
  for (auto dot = path.find('.'); sub != nullptr && dot != std::string_view::npos; dot = path.find('.')) {
    const auto found = sub->devices.find(std::string(path.substr(0, dot)));
    if (found == sub->devices.end() || found->second.type() != 'x') return sub;
    sub = find_subcircuit(netlist, found->second.subcircuit);
    path.remove_prefix(dot + 1);
  }
  return sub;
}

}  // namespace

std::vector<LeafDevice> leaf_devices(const Netlist& netlist, const std::string& subcircuit) {
  std::vector<LeafDevice> leaves;
  collect(netlist, subcircuit, "", leaves);
  std::ranges::sort(leaves, {}, &LeafDevice::path);
  return leaves;
}

const Device* find_device(const Netlist& netlist, const std::string& subcircuit, std::string_view path) {
  const Subcircuit* sub = descend(netlist, subcircuit, path);
  if (sub == nullptr) return nullptr;
  const auto found = sub->devices.find(std::string(path));
  return found == sub->devices.end() ? nullptr : &found->second;
}

bool has_node(const Netlist& netlist, const std::string& subcircuit, std::string_view path) {
  const Subcircuit* sub = descend(netlist, subcircuit, path);
  if (sub == nullptr) return false;
  return sub->nodes.contains(std::string(path)) || std::ranges::find(sub->pins, path) != sub->pins.end();
}

}  // namespace errata::circuit
