#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "behavioral/fit.h"
#include "circuit/characterize.h"
#include "cli/command.h"

namespace errata::cli {

ExitStatus run_check(Session& session) {
  const Settings s = session.project();
  const auto plan = circuit::plan_campaign(s, session.context);
  behavioral::project_family(s, {.read = plan.skeleton.array.read});
  const circuit::NominalPoint point = circuit::simulate_nominal(s, RunContext{});
  const bool current = point.read == circuit::ReadMode::kCurrent;
  session.out.line(
      fmt::format("project and netlist are sound: {} rows, {} stored levels, {} mismatch terms, {} noise sources",
                  plan.skeleton.array.rows, plan.skeleton.cell.weight_levels.size(), plan.skeleton.mismatch.size(),
                  plan.skeleton.noise.size()));
  session.out.line(
      current ? fmt::format("one cell: {:.4g} uA, one column: {:.4g} uA", point.cell * 1e6, point.column * 1e6)
              : fmt::format("one cell draws {:.4g} fC, one column ends at {:.4g} V", point.cell * 1e15, point.column));
  session.out.set(current ? "cell_current_amperes" : "cell_charge_coulombs", point.cell);
  session.out.set(current ? "column_current_amperes" : "column_volts", point.column);
  return ExitStatus::kOk;
}

}  // namespace errata::cli
