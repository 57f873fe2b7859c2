#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "circuit/netlist/netlist_text.h"

namespace errata::circuit {

/// Text of a parameter's definition, or nothing when there is none.
using ParameterLookup = std::function<std::optional<std::string>(const std::string& name)>;

/// Value of an expression of constants and parameters, by the rules of ngspice 39's numparam: `x^y` and `x**y` are
/// |x|^y (signed in HSPICE mode), a condition is 1 or 0. Nothing where it can't be computed: an unknown name or
/// function, a text value, a definition that leads to itself.
std::optional<double> evaluate_expression(std::string_view expression, const ParameterLookup& lookup,
                                          const Dialect& dialect);

/// Value of a SPICE number with its suffix, for example 1.5meg or 45n.
std::optional<double> spice_number(std::string_view text);

/// True for a function that ngspice knows in expressions of parameters or of behavioural sources.
bool is_builtin_function(std::string_view name, const Dialect& dialect);

}  // namespace errata::circuit
