#include "circuit/netlist_roles.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "circuit/deck_check.h"
#include "core/text.h"

namespace errata::circuit {

namespace {

/// The key of the project file that names a device inside the cell or ("switch.m1") the reset switch.
std::string who_names(const std::string& device, const DeckOptions& options, const Settings& settings) {
  if (device == options.storage.device) return "circuit.weight.device";
  for (std::size_t i = 0; i < settings.count("circuit.mismatch"); ++i) {
    const std::string path = fmt::format("circuit.mismatch[{}].device", i);
    if (lower_case(settings.text(path)) == device) return path;
  }
  return "circuit.cell";
}

}  // namespace

std::vector<Diagnostic> check_against_netlist(const Netlist& netlist, const DeckOptions& options,
                                              const std::vector<CellSlot>& cell_slots,
                                              const std::vector<CellSlot>& switch_slots, const Settings& settings) {
  std::vector<Diagnostic> problems;
  const auto report = [&](std::string code, const std::string& path, std::string message, std::string hint) {
    problems.push_back(Diagnostic{.code = std::move(code),
                                  .position = settings.value(path).position,
                                  .message = std::move(message),
                                  .hint = std::move(hint)});
  };
  const auto subcircuit = [&](const char* path, const std::string& name) -> const Subcircuit* {
    const auto found = netlist.subcircuits.find(name);
    if (found != netlist.subcircuits.end()) return &found->second;
    std::vector<std::string> names;
    for (const auto& [known, sub] : netlist.subcircuits) names.push_back(known);
    report("E202", path, fmt::format("the netlist has no subcircuit '{}'", name),
           fmt::format("it has: {}", fmt::join(names, ", ")));
    return nullptr;
  };
  const auto add = [&](const char* code, const std::string& path, const std::optional<Complaint>& complaint) {
    if (complaint) report(code, path, complaint->message, complaint->hint);
  };
  const auto check_device = [&](const Subcircuit& sub, const CellSlot& slot, const std::string& path) {
    add("E208", path, complaint_about_slot(netlist, sub.name, slot));
  };
  const Subcircuit* cell = subcircuit("circuit.cell", options.subcircuit);
  if (cell == nullptr) return problems;
  const auto& pins = cell->pins;
  const Storage& storage = options.storage;
  std::vector<std::pair<std::string, std::string>> roles = {
      {"circuit.pins.word_line", options.word_line_pin},     {"circuit.pins.bit_line", options.bit_line_pin},
      {"circuit.pins.source_line", options.source_line_pin}, {"circuit.pins.supply", options.supply_pin},
      {"circuit.pins.ground", options.ground_pin},           {"circuit.weight.pin", storage.pin}};
  for (std::size_t i = 0; i < options.tied_pins.size(); ++i)
    roles.emplace_back(fmt::format("circuit.tied_pin[{}].pin", i), options.tied_pins[i].first);
  for (std::size_t i = 0; i < options.driven_pins.size(); ++i)
    roles.emplace_back(fmt::format("circuit.driven_pin[{}].pin", i), options.driven_pins[i].pin);
  for (const auto& [path, pin] : roles)
    if (!pin.empty()) add("E203", path, complaint_about_role(*cell, path, pin));
  for (const auto& complaint : complaints_about_globals(netlist, options)) add("E203", "circuit.cell", complaint);
  for (const auto& pin : pins) {
    const auto times = std::ranges::count_if(roles, [&](const auto& role) { return role.second == pin; });
    if (times > 1)
      report("E203", "circuit.cell",
             fmt::format("pin '{}' of '{}' has two roles under [circuit.pins]", pin, options.subcircuit), "");
    if (times == 0)
      report("E203", "circuit.cell", fmt::format("pin '{}' of '{}' has no role", pin, options.subcircuit),
             "name it under [circuit.pins] as word_line, bit_line, source_line, supply or ground, or as a "
             "[[circuit.tied_pin]] or [[circuit.driven_pin]]");
  }
  if (storage.kind == Storage::Kind::kInstanceParameter)
    check_device(*cell, {storage.device, storage.parameter}, "circuit.weight.device");
  add("E208", storage.kind == Storage::Kind::kModelParameter ? "circuit.weight.device" : "circuit.weight.parameter",
      complaint_about_storage(netlist, options));
  for (const auto& [path, node] : {std::pair<const char*, std::string>{"circuit.weight.node", storage.node},
                                   {"circuit.weight.complement", storage.complement}}) {
    if (!node.empty() && !has_node(netlist, options.subcircuit, node))
      report("E208", path, fmt::format("subcircuit '{}' has no node '{}'", options.subcircuit, node), "");
  }
  for (std::size_t i = 1; i < cell_slots.size(); ++i)
    check_device(*cell, cell_slots[i], who_names(cell_slots[i].device, options, settings));
  if (options.reset_switch.empty()) {
    for (const auto& slot : switch_slots)
      report("E208", who_names("switch." + slot.device, options, settings),
             fmt::format("there is no array.reset_switch, so no device 'switch.{}'", slot.device), "");
    return problems;
  }
  const Subcircuit* reset = subcircuit("array.reset_switch", options.reset_switch);
  if (reset == nullptr) return problems;
  static constexpr const char* kSwitchPins[] = {"line", "reference", "control", "control_bar", "supply", "ground"};
  for (const auto& pin : reset->pins)
    if (std::ranges::find(kSwitchPins, pin) == std::end(kSwitchPins))
      report("E203", "array.reset_switch", fmt::format("pin '{}' of '{}' has no role", pin, options.reset_switch),
             "a reset switch's pins are line, reference, control, control_bar, supply, ground");
  for (const char* pin : {"line", "reference", "control"})
    if (std::ranges::find(reset->pins, pin) == reset->pins.end())
      report("E203", "array.reset_switch", fmt::format("subcircuit '{}' has no pin '{}'", options.reset_switch, pin),
             fmt::format("its pins: {}", fmt::join(reset->pins, ", ")));
  for (const auto& slot : switch_slots)
    check_device(*reset, slot, who_names("switch." + slot.device, options, settings));
  return problems;
}

}  // namespace errata::circuit
