#pragma once

#include <span>
#include <vector>

#include "behavioral/cell_model.h"
#include "behavioral/line/column_solver.h"

namespace errata::behavioral {

/// Expansions [inputs][rows] of a line's cells around its clamp voltage, from values of the cell model at three biases
/// (six with a source axis) and the second order that goes through them: exact there, and within about 1e-5 between,
/// where the cubic term of the cell's current is all that is left. `levels` are the stored ones [rows], `draws` the
/// unit draws [rows][terms].
///
/// The voltages are the line's, so the model's polynomial is first summed over their powers; what is left for a cell is
/// a polynomial in its draws, for all input levels and biases side by side.
std::vector<CellExpansion> expand_cells(const CellModel& cell, double clamp_volts, std::span<const std::uint8_t> levels,
                                        std::span<const double> draws);

}  // namespace errata::behavioral
