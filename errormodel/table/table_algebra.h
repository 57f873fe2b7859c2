#pragma once

#include <span>
#include <string>

#include "errormodel/error_table.h"

namespace errata::errormodel {

/// In what two tables describe different hardware, in words; empty when they describe the same. Operating point,
/// transfer line, axes and the terms themselves do not count.
std::string hardware_difference(const ErrorTable& a, const ErrorTable& b);
/// The same with what keeps two tables from being joined in one: the unit of the output and the sources of noise.
std::string joining_difference(const ErrorTable& a, const ErrorTable& b);

/// The table with its surfaces at the nodes of other axes; beyond its own axes held at the edge, with a support of 0.
ErrorTable on_axes(const ErrorTable& table, const SurfaceAxes& axes);

/// The table in the MAC units of another one of the same hardware, on its axes (methods.md §2: one affine line per
/// table). What a unit of its own hid, the change of gain and offset with temperature, stands in g and μ then.
/// The code view is left out. Throws Error (artefact, E407) when the units have opposite signs.
ErrorTable in_transfer_of(const ErrorTable& table, const ErrorTable& reference);

/// The table with C and K on another basis of φ; on the plain [1, y, a] where that basis lacks a covariate of its own.
/// Intervals of the entries are carried over as if the entries were independent.
ErrorTable in_basis(const ErrorTable& table, const Covariance& basis);

/// A basis that can express φ of all the tables: the first's, or the plain one.
Covariance common_basis(std::span<const ErrorTable> tables);

/// Mean 0 and variance 1 again for quantiles that were averaged.
void standardise_quantiles(ErrorTable& table);

}  // namespace errata::errormodel
