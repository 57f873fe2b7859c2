#pragma once

#include <span>
#include <string>

#include "errormodel/error_table.h"

namespace errata::errormodel {

/// All terms of all operating points as one CSV in long form: a line for each number, with its place and its interval
/// or standard error where there is one. Columns: operating_point, temperature_kelvin, supply_volts, corner, term,
/// name, i, j, y, a, value, low, high, unit.
std::string table_csv(std::span<const ErrorTable> points);

/// The output-noise file of NeuroSim V1.5 (`--output_noise=-1 --output_noise_file FILE`): columns `output`, `mean`,
/// `std` in MAC units at every output 0 … 2^bits, the row being the index. A marginal view: NeuroSim draws it fresh at
/// every conversion, so it cannot speak of yield; a fourth column, which NeuroSim does not read, says so and holds the
/// share of the variance that is frozen.
struct NeurosimExport {
  std::string csv;
  int adc_precision = 0;      ///< for NeuroSim's --adc_precision: its ADC has steps of one MAC unit
  double static_share = 0.0;  ///< mean share of the variance that is frozen
};
/// Throws Error (artefact, E408) for differential columns, whose outputs NeuroSim cannot index, and for tables that do
/// not reach an output of 2.
NeurosimExport neurosim_csv(const ErrorTable& table);

}  // namespace errata::errormodel
