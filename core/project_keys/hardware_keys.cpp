#include "core/project_keys/project_keys.h"

namespace errata::project_keys {

std::vector<KeySpec> hardware_keys() {
  using namespace dimension;
  return {
      text("hardware.error_table", "",
           "Error table to train and verify with, in place of artifacts/error_table.h5; relative to the project's "
           "folder. "
           "With it the project needs no netlist."),
      quantity("hardware.temperature", kTemperature, "", 1.0, 1000.0,
               "Operating point of the table; absent: its first. Between two of the table's it is interpolated."),
      quantity("hardware.supply_voltage", kVoltage, "", 0.0, 100.0, "The same for the supply."),
      text("hardware.corner", "", "The same for the process corner; never interpolated."),
      quantity("hardware.time_since_programming", kTime, "", 0.0, 1e12,
               "Time for which cells have drifted; absent: none has."),
      integer("hardware.cell_levels", "2", 2, 256,
              "Stored levels of a cell where there is no netlist; else circuit.weight.levels says it."),
      integer("hardware.input_levels", "2", 2, 256,
              "Input levels (a power of two) where there is no netlist; else circuit.input.levels says it."),
      integer("hardware.rows_per_tile", "0", 0, 4096, "Rows of a tile; 0 means array.rows."),
      integer("hardware.weight_bits", "3", 2, 8, "Bits of a signed weight: levels −(2^(b−1)−1) … 2^(b−1)−1."),
      integer("hardware.input_bits", "4", 1, 8, "Bits of an unsigned input, applied bit-serially."),
      choice("hardware.signed_scheme", "differential_before_adc",
             {"differential_before_adc", "differential_after_adc", "offset_column"},
             "How signed weights are made: a pair of bit lines subtracted before the ADC; a pair whose codes are "
             "subtracted; or weights stored with an offset, the code of a reference column being subtracted."),
      integer("hardware.adc_bits", "6", 1, 16, "Resolution of the ADC."),
      real("hardware.adc_range", "32", 1e-3, 1e9,
           "The ADC covers −adc_range … +adc_range (a pair subtracted before it) or 0 … adc_range, in MAC units."),
      choice("hardware.adc_kind", "sar", {"sar", "flash", "ramp"},
             "How the ADC is built: what `adc_element_mismatch` means and how it shows."),
      real("hardware.adc_offset", "0", 0, 1e6, "σ of the ADCs' offsets, in ADC steps."),
      real("hardware.adc_gain", "0", 0, 10, "σ of the ADCs' gains, relative."),
      real("hardware.adc_element_mismatch", "0", 0, 1e6,
           "σ of a unit capacitor (sar, relative), of a comparator's offset (flash, in steps) or of the ramp's bow "
           "(ramp, in "
           "steps)."),
      real("hardware.adc_noise", "0", 0, 1e6, "rms noise of a conversion, in ADC steps."),
      integer("hardware.columns_per_adc", "1", 1, 4096,
              "Columns that are multiplexed onto one ADC and share its errors."),
  };
}

}  // namespace errata::project_keys
