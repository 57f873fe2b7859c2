// Walks over the instance tree of a subcircuit.
#include <fmt/format.h>

#include <algorithm>

#include "circuit/netlist/netlist.h"

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
      throw Error(ExitStatus::kInvalidProject, "E234",
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

namespace {

/// Instances on the way to a device or model, and the subcircuits they lead to.
struct Way {
  std::vector<std::string> instances, subcircuits;
  std::string rest;
};

Way way_of(const Netlist& netlist, const std::string& subcircuit, const std::string& instance, std::string_view path) {
  Way way{{instance}, {subcircuit}, {}};
  for (auto dot = path.find('.'); dot != std::string_view::npos; dot = path.find('.')) {
    const Subcircuit* sub = find_subcircuit(netlist, way.subcircuits.back());
    if (sub == nullptr) break;
    const auto found = sub->devices.find(std::string(path.substr(0, dot)));
    if (found == sub->devices.end() || found->second.type() != 'x') break;
    way.instances.push_back(found->first);
    way.subcircuits.push_back(found->second.subcircuit);
    path.remove_prefix(dot + 1);
  }
  way.rest = path;
  return way;
}

/// Puts what lies behind `name` before it, once for each definition that contains the next: `join` makes one name of
/// the instances inside a definition and of what has been built so far.
template <class Join>
std::string expanded(const Netlist& netlist, const Way& way, Join&& join) {
  std::string name = way.rest;
  for (std::size_t last = way.instances.size(); last > 0;) {
    const Subcircuit* sub = find_subcircuit(netlist, way.subcircuits[last - 1]);
    const std::string parent = sub == nullptr ? std::string() : sub->parent;
    std::size_t first = last - 1;
    while (first > 0 && way.subcircuits[first - 1] != parent) --first;
    std::string instances = way.instances[first];
    for (std::size_t i = first + 1; i < last; ++i) instances += "." + way.instances[i];
    name = join(instances, name);
    last = first;
  }
  return name;
}

}  // namespace

std::string expanded_device_name(const Netlist& netlist, const std::string& subcircuit, const std::string& instance,
                                 std::string_view path) {
  const Way way = way_of(netlist, subcircuit, instance, path);
  const char type = way.rest.empty() ? '?' : way.rest.front();
  return expanded(netlist, way, [&](const std::string& instances, const std::string& name) {
    return fmt::format("{}.{}.{}", type, instances, name);
  });
}

std::string expanded_model_name(const Netlist& netlist, const std::string& subcircuit, const std::string& instance,
                                std::string_view path) {
  return expanded(netlist, way_of(netlist, subcircuit, instance, path),
                  [](const std::string& instances, const std::string& name) { return instances + ":" + name; });
}

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
