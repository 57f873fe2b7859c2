#pragma once

#include <vector>

#include "behavioral/model.h"
#include "core/run_context.h"
#include "errormodel/error_table.h"
#include "verification/conversions.h"
#include "verification/error_distributions.h"
#include "verification/verdict.h"

namespace errata::verification {

/// What level 2 compares tables with, drawn once for any number of them.
struct LevelTwoReference {
  std::vector<ColumnOperands> operands;
  std::size_t chips = 0;
  std::uint64_t seed = 1;
  SampledConversions conversions;
  /// Mean variance of the column term over the table's support, estimated anew on groups of fresh chips.
  std::vector<double> column_variance;
};

/// Level 2's side of the model, on the operands given and with a table's axes and support. Σ_K is estimated on groups
/// of other chips, on as many columns as the table's, 3,200 … 24,000 (methods.md §6.2 asks for 800).
LevelTwoReference level_two_reference(const Converter& model, const errormodel::ErrorTable& like,
                                      std::vector<ColumnOperands> operands, std::uint64_t seed, std::size_t chips,
                                      const RunContext& context);

/// Checks of level 2 with the numbers behind them.
struct LevelTwoResult {
  std::vector<Check> checks;
  std::vector<BinComparison> bins;
  std::vector<Evidence> evidence;
};

/// Table against model: error distributions, read averaging, dynamic and static terms, empty bins (methods.md §6.2).
LevelTwoResult compare_table(const LevelTwoReference& reference, const errormodel::ErrorTable& table,
                             const RunContext& context);
/// The same against the behavioural model.
LevelTwoResult compare_table(const behavioral::BehavioralModel& model, const errormodel::ErrorTable& table,
                             const std::vector<ColumnOperands>& operands, std::uint64_t seed, std::size_t chips,
                             const RunContext& context);

/// Observations of a converter on stratified operands like those that fill a table.
errormodel::ErrorTable estimate_again(const Converter& model, const errormodel::ErrorTable& like, std::uint64_t seed,
                                      std::uint64_t first_chip, std::size_t chips, std::size_t columns,
                                      const RunContext& context);

}  // namespace errata::verification
