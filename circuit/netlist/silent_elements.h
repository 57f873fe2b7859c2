#pragma once

#include <string>
#include <vector>

#include "circuit/netlist/netlist.h"

namespace errata::circuit {

/// Whether ngspice gives elements of this type their noise: resistors, transistors and diodes.
bool has_noise_model(char type);

/// Whether an element of this type carries a current or a voltage that a designer may mean to be noisy although ngspice
/// gives it none: behavioural and controlled sources, code models, lines, and switches, which its small-signal analyses
/// take as open. Capacitors, inductors and independent sources
/// are free of noise by nature.
bool is_silent(char type);

/// Paths of the silent elements of a subcircuit, sorted.
std::vector<std::string> silent_elements(const Netlist& netlist, const std::string& subcircuit);

}  // namespace errata::circuit
