#include "circuit/netlist/netlist_roles.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <span>

#include "circuit/deck/deck_check.h"
#include "core/mismatch.h"
#include "core/text.h"

namespace errata::circuit {

namespace {

class RoleChecker {
 public:
  RoleChecker(const Netlist& netlist, const DeckOptions& options, const PartSlots& slots, std::size_t rows,
              const Settings& settings)
      : netlist_(netlist),
        options_(options),
        slots_(slots),
        rows_(options.whole_column ? rows : 1),
        lines_(options.whole_column ? options.lines : 1),
        settings_(settings),
        device_key_(options.whole_column ? "circuit.column" : "circuit.cell") {}

  std::vector<Diagnostic> check() {
    const Subcircuit* device = subcircuit(device_key_, options_.subcircuit);
    if (device == nullptr) return std::move(problems_);
    check_pins(*device);
    check_storage(*device);
    for (std::size_t i = 1; i < slots_.cell.size(); ++i) check_slot(*device, slots_.cell[i], "");
    for (const auto& slot : slots_.column) check_slot(*device, slot, MismatchTerm::kColumn);
    check_outputs(*device);
    check_switch("array.reset_switch", options_.reset_switch, {"line", "reference", "control"}, slots_.reset_switch,
                 MismatchTerm::kSwitch);
    check_switch("array.column_switch", options_.column_switch, {"line", "sense", "control"}, slots_.column_switch,
                 MismatchTerm::kColumnSwitch);
    return std::move(problems_);
  }

 private:
  using Role = std::pair<std::string, std::string>;  ///< key and pin

  void report(std::string code, const std::string& path, std::string message, std::string hint) {
    problems_.push_back(Diagnostic{.code = std::move(code),
                                   .position = settings_.value(path).position,
                                   .message = std::move(message),
                                   .hint = std::move(hint)});
  }
  void add(const char* code, const std::string& path, const std::optional<Complaint>& complaint) {
    if (complaint) report(code, path, complaint->message, complaint->hint);
  }

  const Subcircuit* subcircuit(const char* path, const std::string& name) {
    const auto found = netlist_.subcircuits.find(name);
    if (found != netlist_.subcircuits.end()) return &found->second;
    std::vector<std::string> names;
    for (const auto& [known, sub] : netlist_.subcircuits) names.push_back(known);
    report("E202", path, fmt::format("the netlist has no subcircuit '{}'", name),
           fmt::format("it has: {}", fmt::join(names, ", ")));
    return nullptr;
  }

  std::vector<std::string> all_of(const std::string& pattern) const { return numbered_names(pattern, options_, rows_); }

  void check_pins(const Subcircuit& device) {
    std::vector<Role> roles;
    const auto role = [&](const std::string& path, const std::string& pattern) {
      for (auto& pin : all_of(pattern)) roles.emplace_back(path, std::move(pin));
    };
    role("circuit.pins.word_line", options_.word_line_pin);
    role("circuit.pins.bit_line", options_.bit_line_pin);
    role("circuit.pins.complement_bit_line", options_.complement_pin);
    role("circuit.pins.source_line", options_.source_line_pin);
    role("circuit.weight.pin", options_.storage.pin);
    roles.emplace_back("circuit.pins.supply", options_.supply_pin);
    roles.emplace_back("circuit.pins.ground", options_.ground_pin);
    for (const char* kind : {"circuit.tied_pin", "circuit.driven_pin"})
      for (std::size_t i = 0; i < settings_.count(kind); ++i) {
        const std::string path = fmt::format("{}[{}].pin", kind, i);
        role(path, lower_case(settings_.text(path)));
      }
    std::erase_if(roles, [](const Role& r) { return r.second.empty(); });
    std::set<std::string> told;  // one complaint for each key: 64 missing word lines are one mistake
    for (const auto& [path, pin] : roles)
      if (const auto complaint = complaint_about_role(device, path, pin); complaint && told.insert(path).second)
        add("E203", path, complaint);
    for (const auto& complaint : complaints_about_globals(netlist_, options_)) add("E203", device_key_, complaint);
    for (const auto& pin : device.pins) check_roles_of(pin, roles);
  }

  void check_roles_of(const std::string& pin, const std::vector<Role>& roles) {
    const auto times = std::ranges::count_if(roles, [&](const Role& role) { return role.second == pin; });
    if (times > 1)
      report("E203", device_key_,
             fmt::format("pin '{}' of '{}' has two roles under [circuit.pins]", pin, options_.subcircuit), "");
    if (times == 0)
      report("E203", device_key_, fmt::format("pin '{}' of '{}' has no role", pin, options_.subcircuit),
             "name it under [circuit.pins] as word_line, bit_line, source_line, supply or ground, or as a "
             "[[circuit.tied_pin]] or [[circuit.driven_pin]]");
  }

  void check_storage(const Subcircuit& device) {
    const Storage& storage = options_.storage;
    const CellSlot stored = stored_level_slot(options_);
    if (storage.kind == Storage::Kind::kInstanceParameter || storage.kind == Storage::Kind::kModelParameter)
      check_names(device, stored, "circuit.weight.device");
    if (storage.kind == Storage::Kind::kSubcircuitParameter) check_names(device, stored, "circuit.weight.parameter");
    for (const auto& [path, node] : {std::pair<const char*, std::string>{"circuit.weight.node", storage.node},
                                     {"circuit.weight.complement", storage.complement}})
      for (const auto& name : all_of(node)) {
        if (has_node(netlist_, options_.subcircuit, name)) continue;
        report("E208", path, fmt::format("subcircuit '{}' has no node '{}'", options_.subcircuit, name), "");
        break;
      }
  }

  void check_slot(const Subcircuit& sub, const CellSlot& slot, const std::string& prefix) {
    check_names(sub, slot, who_names(prefix + slot.device));
  }

  /// The slot in every row and line; the first complaint is enough.
  void check_names(const Subcircuit& sub, CellSlot slot, const std::string& path) {
    const std::string device = slot.device, parameter = slot.parameter;
    for (std::size_t l = 0; l < lines_; ++l)
      for (std::size_t r = 0; r < rows_; ++r) {
        slot.device = numbered(device, options_, r, l);
        slot.parameter = numbered(parameter, options_, r, l);
        if (const auto complaint = complaint_about_slot(netlist_, sub.name, slot)) {
          add("E208", path, complaint);
          return;
        }
      }
  }

  /// The key of the project file that names a device ("m1", "switch.m1").
  std::string who_names(const std::string& device) const {
    for (std::size_t i = 0; i < settings_.count("circuit.mismatch"); ++i) {
      const std::string path = fmt::format("circuit.mismatch[{}].device", i);
      const std::string name = lower_case(settings_.text(path));
      if (name == device || MismatchTerm::kColumn + name == device) return path;
    }
    return device == options_.storage.device ? "circuit.weight.device" : device_key_;
  }

  void check_outputs(const Subcircuit& device) {
    for (std::size_t i = 0; i < options_.outputs.size(); ++i) {
      const OutputOptions& o = options_.outputs[i];
      const std::string at = fmt::format("circuit.output[{}].", i);
      if (o.current) {
        check_source(device, o, at + "device");
        continue;
      }
      for (const auto& [key, node] : {std::pair<const char*, std::string>{"node", o.node}, {"reference", o.reference}})
        check_node(device, o, at + key, node);
    }
  }

  void check_node(const Subcircuit& device, const OutputOptions& o, const std::string& path, const std::string& node) {
    if (node.empty() || node == "bit_line") return;
    if (node == "complement_bit_line") {
      if (options_.complement_pin.empty())
        report("E203", path, "there is no circuit.pins.complement_bit_line, so no complement_bit_line", "");
      return;
    }
    const std::string name = numbered(node, options_, o.row, 0);
    if (has_node(netlist_, device.name, name)) return;
    std::vector<std::string> names(device.pins.begin(), device.pins.end());
    names.insert(names.end(), device.nodes.begin(), device.nodes.end());
    constexpr std::size_t kMost = 30;
    report("E208", path, fmt::format("subcircuit '{}' has no node '{}'", device.name, name),
           names.size() <= kMost ? fmt::format("it has: {}", fmt::join(names, ", ")) : "");
  }

  /// ngspice keeps currents of voltage sources alone in every analysis.
  void check_source(const Subcircuit& device, const OutputOptions& o, const std::string& path) {
    if (o.device == "supply") {
      if (options_.supply_pin.empty())
        report("E203", path, "there is no circuit.pins.supply, so no supply current", "");
      return;
    }
    if (o.device == "bit_line") {
      if (options_.read != ReadMode::kCurrent || options_.periphery == Periphery::kNetlist)
        report("E208", path,
               "only a clamp of errata's own (circuit.read = \"current\") measures the bit line's current",
               "name a voltage source of the netlist");
      return;
    }
    const std::string name = numbered(o.device, options_, o.row, 0);
    const Device* found = find_device(netlist_, device.name, name);
    if (found == nullptr)
      report("E208", path, fmt::format("subcircuit '{}' has no device '{}'", device.name, name), "");
    else if (found->type() != 'v')
      report("E208", path, fmt::format("'{}' is no voltage source", name),
             "put a source of 0 V in series: its current is measured");
  }

  void check_switch(const char* key, const std::string& name, std::initializer_list<const char*> needed,
                    std::span<const CellSlot> slots, const std::string& prefix) {
    if (name.empty()) {
      for (const auto& slot : slots)
        report("E208", who_names(prefix + slot.device),
               fmt::format("there is no {}, so no device '{}{}'", key, prefix, slot.device), "");
      return;
    }
    const Subcircuit* sub = subcircuit(key, name);
    if (sub == nullptr) return;
    std::vector<std::string> known(needed.begin(), needed.end());
    known.insert(known.end(), {"control_bar", "supply", "ground"});
    for (const auto& pin : sub->pins)
      if (std::ranges::find(known, pin) == known.end())
        report("E203", key, fmt::format("pin '{}' of '{}' has no role", pin, name),
               fmt::format("a {} switch's pins are {}", prefix == MismatchTerm::kSwitch ? "reset" : "column",
                           fmt::join(known, ", ")));
    for (const char* pin : needed)
      if (std::ranges::find(sub->pins, pin) == sub->pins.end())
        report("E203", key, fmt::format("subcircuit '{}' has no pin '{}'", name, pin),
               fmt::format("its pins: {}", fmt::join(sub->pins, ", ")));
    for (const auto& slot : slots)
      add("E208", who_names(prefix + slot.device), complaint_about_slot(netlist_, name, slot));
  }

  const Netlist& netlist_;
  const DeckOptions& options_;
  const PartSlots& slots_;
  std::size_t rows_, lines_;
  const Settings& settings_;
  const char* device_key_;
  std::vector<Diagnostic> problems_;
};

}  // namespace

std::vector<Diagnostic> check_against_netlist(const Netlist& netlist, const DeckOptions& options,
                                              const PartSlots& slots, std::size_t rows, const Settings& settings) {
  return RoleChecker(netlist, options, slots, rows, settings).check();
}

}  // namespace errata::circuit
