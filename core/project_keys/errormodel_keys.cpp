#include "core/project_keys/project_keys.h"

namespace errata::project_keys {

std::vector<KeySpec> errormodel_keys() {
  using namespace dimension;
  return {
      integer("errormodel.chips", "400", 8, 1e6, "Virtual chips that fill the table."),
      integer("errormodel.columns", "12", 2, 1e5, "Columns for each of them."),
      integer("errormodel.operands_per_column", "48", 8, 1e5, "Operands for each column."),
      text("errormodel.operands", "",
           "Operands that fill the table from a file, as for circuit.operands; without it they are stratified."),
      text("errormodel.measurements", "",
           "Measured conversions of test chips as CSV (docs/formats/measurements.md): they fill the table instead of "
           "the "
           "behavioural model, and the project needs no netlist. Relative to the project's folder."),
      text("errormodel.measured_weights", "",
           "CSV of the stored levels behind the measurements; with measured_inputs."),
      text("errormodel.measured_inputs", "", "CSV of the input vectors behind the measurements."),
      list(quantity("errormodel.drift_exponent", kNone, "", -1, 1,
                    "Conductance drift (t/t0)^(−ν): mean ν, one value or one for each stored level.")),
      list(quantity("errormodel.drift_spread", kNone, "", 0, 1, "Spread of ν from cell to cell, likewise.")),
      quantity("errormodel.drift_reference", kTime, "1 s", 1e-12, 1e12,
               "t0: time after programming at which the table's levels hold."),
      real("errormodel.stuck_lowest", "0", 0, 1, "Share of cells that hold the lowest level whatever is stored."),
      real("errormodel.stuck_highest", "0", 0, 1, "Share of cells that hold the highest level."),
      integer("errormodel.mac_points", "33", 5, 1025, "Grid points of the surfaces along y."),
      integer("errormodel.activity_points", "13", 4, 1025, "Grid points along the second axis."),
  };
}

}  // namespace errata::project_keys
