#include "verification/portability.h"

#include <algorithm>

#include "errormodel/compile.h"

namespace errata::verification {

errormodel::ErrorTable other_table(const behavioral::BehavioralModel& model, const errormodel::ErrorTable& table,
                                   const std::vector<ColumnOperands>& network, std::uint64_t seed, const Settings& s,
                                   const RunContext& context) {
  constexpr std::int64_t kMostChips = 100;
  const auto chips = static_cast<std::size_t>(std::min(kMostChips, s.integer("errormodel.chips")));
  const auto columns = static_cast<std::size_t>(s.integer("errormodel.columns"));
  const bool stratified = table.operands == "stratified";
  const OperandDesign design{.rows = table.rows,
                             .levels = table.levels,
                             .operands = static_cast<std::size_t>(s.integer("errormodel.operands_per_column")),
                             .mac_limit = table.axes.y_high,
                             .input_levels = table.inputs,
                             .differential = table.differential()};
  const errormodel::OperandSource source = [&](std::uint64_t chip, std::uint64_t column) {
    if (!stratified) return make_operands(design, seed, chip, column);
    return network[((chip - chips::kTable) * columns + column) % network.size()];  // every chip has other columns
  };
  const auto o = errormodel::observe(model, source, seed, chips::kTable, chips, columns, context);
  errormodel::ErrorTable other = table;
  other.operands = stratified ? "workload" : "stratified";
  errormodel::estimate_terms(o,
                             {.y_points = table.axes.y_points,
                              .a_points = table.axes.a_points,
                              .y_limit = table.axes.y_high,
                              .y_low = table.axes.y_low,
                              .threads = context.jobs},
                             other);
  return other;
}

}  // namespace errata::verification
