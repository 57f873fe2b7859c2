// What touches the nodes of a subcircuit.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "circuit/netlist/netlist_check.h"

namespace errata::circuit {

namespace {

/// What hangs on a net inside a subcircuit, through all that it contains.
struct Load {
  std::size_t terminals = 0;
  bool conducts = false;  ///< a DC path leads from it
  void add(const Load& other) {
    terminals += other.terminals;
    conducts = conducts || other.conducts;
  }
};

class NodeChecker {
 public:
  NodeChecker(const NetlistAnalysis& a, NetlistReport& report) : a_(a), report_(report) {
    loads_.resize(a.index.scopes().size());
  }

  void run() {
    for (std::size_t s = 1; s < a_.index.scopes().size(); ++s)
      if (a_.reachable[s]) check(s);
  }

 private:
  struct Net {
    Load load;
    std::size_t first = 0;  ///< statement that touches it first
    bool read = false;
  };
  using Nets = std::map<std::string, Net>;

  Nets nets_of(std::size_t s) {
    Nets nets;
    const Scope& scope = a_.index.scopes()[s];
    for (std::size_t k = 0; k < a_.devices[s].size(); ++k) {
      const ParsedDevice& d = a_.devices[s][k];
      const std::size_t at = scope.devices[k], target = a_.targets[s][k];
      const auto touch = [&](const std::string& node) -> Net& {
        return nets.try_emplace(node, Net{{}, at, false}).first->second;
      };
      for (std::size_t n = 0; n < d.device.nodes.size(); ++n) {
        Load load{1, true};
        if (target != 0)
          load = n < loads(target).size() ? loads(target)[n] : Load{1, true};
        else if (n < d.contacts.size())
          load.conducts = d.contacts[n] == Contact::kConducts;
        touch(d.device.nodes[n]).load.add(load);
      }
      for (const auto& node : d.device.reads) touch(node).read = true;
    }
    return nets;
  }

  /// Of each pin, in order.
  const std::vector<Load>& loads(std::size_t s) {
    if (!loads_[s]) {
      loads_[s] = std::vector<Load>(a_.index.scopes()[s].pins.size(), Load{1, true});  // for a circle of instances
      const Nets nets = nets_of(s);
      std::vector<Load> found;
      for (const auto& pin : a_.index.scopes()[s].pins) {
        const auto net = nets.find(pin);
        found.push_back(net == nets.end() ? Load{} : net->second.load);
      }
      loads_[s] = std::move(found);
    }
    return *loads_[s];
  }

  void check(std::size_t s) {
    const Scope& scope = a_.index.scopes()[s];
    const Nets nets = nets_of(s);
    for (const auto& entry : nets) {
      const std::string& node = entry.first;
      const Net& net = entry.second;
      if (a_.index.is_ground(node) || a_.index.globals().contains(node) || node.find('.') != std::string::npos ||
          std::ranges::find(scope.pins, node) != scope.pins.end())
        continue;
      const auto warn = [&](const std::string& what, const std::string& hint) {
        report_.warning("W223", net.first, node, fmt::format("node '{}' of '{}' {}", node, scope.name, what), hint);
      };
      if (node == "gnd!" || node == "ground" || node == "vss!")
        warn("is a node of its own, not ground", "ngspice takes 0 and gnd for ground; name it in a .global line");
      else if (net.load.terminals == 0)
        warn("is read, but nothing drives it", "");
      else if (net.load.terminals == 1 && !net.read)
        warn("is touched by one terminal only", "");
      else if (!net.load.conducts)
        warn("has no DC path: only gates, capacitors and current sources touch it",
             "its operating point is arbitrary; a stored charge needs circuit.weight.store = \"node_voltage\"");
    }
  }

  const NetlistAnalysis& a_;
  NetlistReport& report_;
  std::vector<std::optional<std::vector<Load>>> loads_;
};

}  // namespace

void check_nodes(const NetlistAnalysis& analysis, NetlistReport& report) { NodeChecker(analysis, report).run(); }

std::map<std::string, Subcircuit> subcircuits_of(const NetlistAnalysis& a) {
  std::map<std::string, Subcircuit> all;
  const auto& scopes = a.index.scopes();
  // Global nodes of a subcircuit and of all that it contains.
  std::vector<std::optional<std::set<std::string>>> globals(scopes.size());
  const std::function<const std::set<std::string>&(std::size_t)> globals_of = [&](std::size_t s) -> const auto& {
    if (globals[s]) return *globals[s];
    globals[s].emplace();
    std::set<std::string> found;
    for (std::size_t k = 0; k < a.devices[s].size(); ++k) {
      for (const auto* list : {&a.devices[s][k].device.nodes, &a.devices[s][k].device.reads})
        for (const auto& node : *list)
          if (a.index.globals().contains(node)) found.insert(node);
      if (a.targets[s][k] != 0) {
        const auto& inner = globals_of(a.targets[s][k]);
        found.insert(inner.begin(), inner.end());
      }
    }
    return *(globals[s] = std::move(found));
  };
  for (std::size_t s = 1; s < scopes.size(); ++s) {
    const Scope& scope = scopes[s];
    if (scope.duplicate) continue;
    Subcircuit sub{.name = scope.name,
                   .parent = scopes[scope.parent].key,
                   .deck_name = scope.name,
                   .pins = scope.pins,
                   .parameters = scope.parameters};
    sub.position = a.index.statements()[scope.begin].position;
    for (const auto& [name, cards] : scope.models) sub.models.insert(name);
    for (const auto& [name, cards] : scope.bins) sub.models.insert(name);
    for (const ParsedDevice& d : a.devices[s]) {
      sub.devices.emplace(d.device.name, d.device);
      for (const auto& node : d.device.nodes)
        if (!a.index.is_ground(node) && !a.index.globals().contains(node) &&
            std::ranges::find(scope.pins, node) == scope.pins.end())
          sub.nodes.insert(node);
    }
    sub.globals = globals_of(s);
    all.emplace(scope.key, std::move(sub));
  }
  return all;
}

}  // namespace errata::circuit
