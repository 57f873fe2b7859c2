#pragma once

#include <functional>
#include <vector>

#include "behavioral/model.h"
#include "core/operand_design.h"
#include "errormodel/error_table.h"

namespace errata::verification {

/// Conversions of one column on one chip before the ADC: noise-free value and read σ of each operand, MAC units.
struct ColumnConversions {
  std::vector<double> value, sigma;
  double extrapolated = 0.0;  ///< share of the bit lines' reads beyond what the model was fitted to
};

/// What converts: a model, a table, or a synthetic truth. A pure function, thread safe.
using Converter = std::function<ColumnConversions(std::uint64_t chip, std::uint64_t column, const ColumnOperands&)>;

/// By the behavioural model; the column's bit lines are 2·column and 2·column + 1.
ColumnConversions convert_by_model(const behavioral::BehavioralModel& model, std::uint64_t seed, std::uint64_t chip,
                                   std::uint64_t column, const ColumnOperands& operands);

/// By the table.
ColumnConversions convert_by_table(const errormodel::ErrorTable& table, std::uint64_t seed, std::uint64_t chip,
                                   std::uint64_t column, const ColumnOperands& operands);

/// Error rates of one conversion, its read noise integrated exactly.
struct CodeErrors {
  double change = 0;     ///< P(code ≠ ideal)
  double magnitude = 0;  ///< mean |Δcode|, ADC steps
  double large = 0;      ///< P(|Δcode| > 2)
};
CodeErrors code_errors(const AdcOptions& adc, double ideal, double value, double sigma);

}  // namespace errata::verification
