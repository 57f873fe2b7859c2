#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "circuit/netlist/netlist.h"
#include "circuit/netlist/netlist_text.h"

namespace errata::circuit {

/// What a terminal does to its node.
enum class Contact {
  kConducts,  ///< a DC path leads through it
  kPlate,     ///< capacitor or current source: none does
  kGate       ///< gate of a MOSFET
};

/// An element line, taken apart as ngspice does it.
struct ParsedDevice {
  Device device;
  std::vector<Contact> contacts;      ///< of each of device.nodes, except of an x
  std::string subcircuit;             ///< name after the nodes of an x
  std::vector<std::string> controls;  ///< sources and inductors that it refers to
  std::string unknown_model;          ///< what stands where a model should
  std::string value;                  ///< positional value of r, c, l, v and i
  std::string trouble;                ///< wrong number of nodes and the like; empty: none
  bool behavioral = false;            ///< its expressions may hold v(…), i(…), time
};

/// Takes a line (lower case) apart; `is_model` says whether a word names a .model where the line stands.
ParsedDevice parse_device(std::string_view line, const std::function<bool(std::string_view)>& is_model);

}  // namespace errata::circuit
