#include "circuit/deck/deck_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <regex>
#include <set>

namespace errata::circuit {

namespace {

/// Nodes of the composed decks; a global node of that name would be the same node.
bool is_deck_node(const std::string& node) {
  static const std::regex kNodes(
      "supply|idle|pulse|bias|bl|wl|sl|ref|drawn|drawing|line|probe|step|control|control_bar|"
      "col(on|off)(bar)?|colrest|(out|clamp|sense|precharge|[bs][0-9]+)(_[0-9]+)?c?|"
      "(w|wm|we|d)[0-9]+(_[0-9]+)?|tied_.*|driven_.*|x(dut|[0-9]+)_.*");
  return std::regex_match(node, kNodes);
}

/// `alter` is a command line for ngspice, where these characters mean something else.
bool is_alterable(const std::string& device) { return device.find_first_of("<>[]!$&\\;`\"'{}^") == std::string::npos; }

/// Lengths that `.option scale` multiplies, once more at every `alter`.
bool is_scaled(const std::string& parameter) {
  static const std::set<std::string> kScaled = {"w", "l", "as", "ad", "ps", "pd", "sa", "sb", "sd"};
  return kScaled.contains(parameter);
}

/// A list that still reads well, or the nearest name.
std::string list_or_nearest(const std::string& name, const std::vector<std::string>& known) {
  constexpr std::size_t kMost = 30, kMostForSearch = 5000;
  if (known.size() <= kMost) return fmt::format("it has: {}", fmt::join(known, ", "));
  const std::string near = known.size() > kMostForSearch ? "" : nearest_name(name, known);
  return near.empty() ? "" : fmt::format("did you mean '{}'?", near);
}

}  // namespace

bool has_model(const Netlist& netlist, const std::string& subcircuit, std::string_view path) {
  std::string owner = subcircuit;
  if (const auto dot = path.rfind('.'); dot != std::string_view::npos) {
    const Device* instance = find_device(netlist, subcircuit, path.substr(0, dot));
    owner = instance == nullptr ? std::string() : instance->subcircuit;
    path.remove_prefix(dot + 1);
  }
  const auto sub = netlist.subcircuits.find(owner);
  return sub != netlist.subcircuits.end() && sub->second.models.contains(std::string(path));
}

namespace {

std::optional<Complaint> complaint_about_parameter(const Netlist& netlist, const std::string& subcircuit,
                                                   const std::string& parameter) {
  const Subcircuit& sub = netlist.subcircuits.at(subcircuit);
  if (sub.parameters.contains(parameter)) return std::nullopt;
  std::vector<std::string> names;
  for (const auto& [name, value] : sub.parameters) names.push_back(name);
  return Complaint{fmt::format("subcircuit '{}' has no parameter '{}'", subcircuit, parameter),
                   names.empty() ? "declare it in the .subckt line" : list_or_nearest(parameter, names)};
}

}  // namespace

std::optional<Complaint> complaint_about_slot(const Netlist& netlist, const std::string& subcircuit,
                                              const CellSlot& slot) {
  if (slot.owner == CellSlot::Owner::kSubcircuit) return complaint_about_parameter(netlist, subcircuit, slot.parameter);
  if (slot.owner == CellSlot::Owner::kModel) {
    if (has_model(netlist, subcircuit, slot.device)) return std::nullopt;
    return Complaint{fmt::format("subcircuit '{}' has no .model '{}' inside it", subcircuit, slot.device),
                     "move the .model card into the .subckt: one outside is the same for every cell"};
  }
  const Device* device = find_device(netlist, subcircuit, slot.device);
  if (device == nullptr) {
    std::vector<std::string> names;
    for (const auto& leaf : leaf_devices(netlist, subcircuit)) names.push_back(leaf.path);
    return Complaint{fmt::format("subcircuit '{}' has no device '{}'", subcircuit, slot.device),
                     list_or_nearest(slot.device, names)};
  }
  if (device->type() == 'x')
    return Complaint{fmt::format("'{}' is a subcircuit, not a device", slot.device),
                     fmt::format("name a device inside it, or all of them: '{}.m*'", slot.device)};
  if (!is_alterable(slot.device))
    return Complaint{fmt::format("ngspice cannot alter a device of the name '{}'", slot.device),
                     "give it a name of letters and digits"};
  if (netlist.scale != 1.0 && is_scaled(slot.parameter))
    return Complaint{fmt::format("with .option scale ngspice would scale an altered {} of '{}' once more",
                                 slot.parameter, slot.device),
                     "remove .option scale and write lengths in metres"};
  return std::nullopt;
}

std::optional<Complaint> complaint_about_role(const Subcircuit& cell, const std::string& role, const std::string& pin) {
  const bool fixed = role == "circuit.pins.supply" || role == "circuit.pins.ground" || role.ends_with("].pin");
  const bool is_pin = std::ranges::find(cell.pins, pin) != cell.pins.end(), is_global = cell.globals.contains(pin);
  if (is_global && !fixed)
    return Complaint{fmt::format("'{}' is a global node, the same for every cell", pin), "give the pin another name"};
  if (!is_pin && !is_global)
    return Complaint{fmt::format("subcircuit '{}' has no pin '{}'", cell.name, pin),
                     fmt::format("its pins: {}", fmt::join(cell.pins, ", "))};
  if ((pin == "gnd" || pin == "0") && role != "circuit.pins.ground")
    return Complaint{fmt::format("ngspice takes '{}' for ground, whatever the pin is connected to", pin),
                     "make it circuit.pins.ground, or give the pin another name"};
  return std::nullopt;
}

std::vector<Complaint> complaints_about_globals(const Netlist& netlist, const DeckOptions& options) {
  std::set<std::string> used;
  for (const auto& name : {options.subcircuit, options.reset_switch, options.column_switch})
    if (const auto sub = netlist.subcircuits.find(name); sub != netlist.subcircuits.end())
      used.insert(sub->second.globals.begin(), sub->second.globals.end());
  const auto& pins = netlist.subcircuits.at(options.subcircuit).pins;
  std::vector<Complaint> all;
  for (const auto& node : used) {
    if (is_deck_node(node))
      all.push_back(
          {fmt::format("the global node '{}' has the name of a node of errata's deck", node), "give it another name"});
    if (std::ranges::find(pins, node) != pins.end()) continue;  // counted among the pins
    const auto roles = std::ranges::count_if(options.tied_pins, [&](const auto& t) { return t.first == node; }) +
                       (node == options.supply_pin) + (node == options.ground_pin);
    if (roles != 1)
      all.push_back({fmt::format("global node '{}' of '{}' has {}", node, options.subcircuit,
                                 roles == 0 ? "no role" : "two roles under [circuit.pins]"),
                     "name it under [circuit.pins] as supply or ground, or as a [[circuit.tied_pin]]"});
  }
  return all;
}

}  // namespace errata::circuit
