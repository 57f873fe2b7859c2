#pragma once

#include <functional>

#include "behavioral/model.h"
#include "core/run_context.h"
#include "core/settings.h"
#include "errormodel/estimation/estimate.h"

namespace errata::errormodel {

/// Operands of a column of a chip; the same number for every column.
using OperandSource = std::function<ColumnOperands(std::uint64_t chip, std::uint64_t column)>;

/// Virtual measurements of the behavioural model: what an infinitely patient SPICE run would have given.
/// `first_chip` is a global chip number (core/mismatch.h).
Observations observe(const behavioral::BehavioralModel& model, const OperandSource& source, std::uint64_t seed,
                     std::uint64_t first_chip, std::size_t chips, std::size_t columns, const RunContext& context);

/// Lower end of the surfaces' y axis where `limit` is the upper one.
double lowest_mac(std::size_t branches, double limit);

/// Tier 3: fills the table from the behavioural model by the nested design of methods.md §3.3.
ErrorTable compile_table(const behavioral::BehavioralModel& model, const Settings& settings,
                         const Provenance& provenance, const RunContext& context);

/// The same at every operating point (core/operating_point.h), `models` being those of behavioral.h5: the tables of one
/// file, all in the MAC units of the first.
std::vector<ErrorTable> compile_tables(std::vector<behavioral::BehavioralModel> models, const Settings& settings,
                                       const Provenance& provenance, const RunContext& context);

/// The estimates as text for the terminal.
std::string table_report(const ErrorTable& table);

}  // namespace errata::errormodel
