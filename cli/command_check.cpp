#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "circuit/characterize.h"
#include "cli/command.h"

namespace errata::cli {

ExitStatus run_check(Session& session) {
  const Settings s = session.project();
  const auto plan = circuit::plan_campaign(s, session.context);
  const auto currents = circuit::simulate_nominal(s, RunContext{});
  session.out.line(
      fmt::format("project and netlist are sound: {} rows, {} stored levels, {} mismatch terms, {} noise sources",
                  plan.skeleton.array.rows, plan.skeleton.cell.weight_levels.size(), plan.skeleton.mismatch.size(),
                  plan.skeleton.noise.size()));
  session.out.line(fmt::format("one cell: {:.4g} uA, one column: {:.4g} uA", currents[0] * 1e6, currents[1] * 1e6));
  session.out.set("cell_current_amperes", currents[0]);
  session.out.set("column_current_amperes", currents[1]);
  return ExitStatus::kOk;
}

}  // namespace errata::cli
