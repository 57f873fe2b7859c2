#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "core/operand_design.h"
#include "core/readout.h"

namespace errata::errormodel {

/// The CSV files of one measurement campaign (docs/formats/measurements.md).
struct MeasurementFiles {
  std::filesystem::path measurements;    ///< chip, column, operand, [read], [y], [a] and one of value, mac, code
  std::filesystem::path stored, inputs;  ///< the patterns; empty: not known
};

/// What is known of the hardware beforehand.
struct MeasuredHardware {
  std::size_t rows = 64;
  std::size_t levels = 0, inputs = 0;  ///< stored and input levels; 0: as the files show
  bool differential = true;
  AdcOptions adc;
};

/// What the last column of the measurements is.
enum class MeasuredQuantity {
  kValue,  ///< analog, in a unit of its own; one affine line to MAC units is fitted
  kMac,    ///< analog, in MAC units
  kCode,   ///< ADC codes
};

/// One operand of one column with its repeated reads, in the file's unit.
struct MeasuredOperand {
  double y = 0.0, a = 0.0;
  std::vector<std::uint8_t> inputs;  ///< [rows]; empty: not known
  std::vector<double> reads;         ///< in the order of the reads
  bool clipped = false;              ///< a read met an end code of the ADC
};
struct MeasuredColumn {
  std::vector<std::uint8_t> plus, minus;  ///< stored levels; empty: not known
  std::vector<MeasuredOperand> operands;
};

/// A whole campaign, chips and columns in the order of their names.
struct Campaign {
  MeasuredQuantity quantity = MeasuredQuantity::kMac;
  std::string unit = "1";  ///< of kValue
  bool patterns = false;   ///< whether stored levels and inputs are known
  std::size_t levels = 2, inputs = 2;
  std::vector<std::vector<MeasuredColumn>> chips;
  std::size_t readings = 0;  ///< lines of the file
  std::size_t clipped = 0;   ///< operands with a read that met an end code of the ADC
};

/// Reads and checks the files. Throws ProjectError (E110) with file:line:column for everything wrong in them.
Campaign read_campaign(const MeasurementFiles& files, const MeasuredHardware& hardware);

}  // namespace errata::errormodel
