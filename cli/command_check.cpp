#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "behavioral/fit.h"
#include "circuit/characterize.h"
#include "cli/pipeline.h"
#include "errormodel/compile_measured.h"

namespace errata::cli {

namespace {
ExitStatus check_measurements(Session& session, const Settings& s) {
  const auto campaign = errormodel::project_campaign(s);
  std::size_t columns = 0;
  for (const auto& chip : campaign.chips) columns += chip.size();
  session.out.line(fmt::format("the measurements are sound: {} readings of {} columns on {} chips, {}",
                               campaign.readings, columns, campaign.chips.size(),
                               campaign.patterns ? "with patterns" : "without patterns"));
  session.out.set("readings", static_cast<std::int64_t>(campaign.readings));
  session.out.set("columns", static_cast<std::int64_t>(columns));
  session.out.set("chips", static_cast<std::int64_t>(campaign.chips.size()));
  return ExitStatus::kOk;
}
}  // namespace

ExitStatus run_check(Session& session) {
  const Settings s = session.project();
  if (s.has("errormodel.measurements")) return check_measurements(session, s);
  require_netlist(s);
  const auto plan = circuit::plan_campaign(s, session.context);
  const circuit::NominalPoint point = circuit::simulate_nominal(s, RunContext{});
  behavioral::project_family(s, {.read = point.read, .cell = std::isfinite(point.cell)});
  const bool current = point.read == circuit::ReadMode::kCurrent;
  session.out.line(
      fmt::format("project and netlist are sound: {} rows, {} stored levels, {} mismatch terms, {} noise sources",
                  plan.skeleton.array.rows, plan.skeleton.cell.weight_levels.size(), plan.skeleton.mismatch.size(),
                  plan.skeleton.noise.size()));
  const std::string cell = current ? fmt::format("one cell: {:.4g} uA, ", point.cell * 1e6)
                                   : fmt::format("one cell draws {:.4g} fC, ", point.cell * 1e15);
  const std::string column = current && point.unit == "A" ? fmt::format("one column: {:.4g} uA", point.column * 1e6)
                             : point.unit == "V"          ? fmt::format("one column ends at {:.4g} V", point.column)
                                                 : fmt::format("one column: {:.4g} {}", point.column, point.unit);
  session.out.line((std::isfinite(point.cell) ? cell : "") + column);
  if (std::isfinite(point.cell)) session.out.set(current ? "cell_current_amperes" : "cell_charge_coulombs", point.cell);
  session.out.set(point.unit == "A"   ? "column_current_amperes"
                  : point.unit == "V" ? "column_volts"
                                      : "column_result",
                  point.column);
  return ExitStatus::kOk;
}

}  // namespace errata::cli
