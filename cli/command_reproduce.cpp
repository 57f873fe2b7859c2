#include <fmt/format.h>

#include <charconv>

#include "circuit/deck/reproduce.h"
#include "cli/pipeline.h"
#include "core/operating_point.h"

namespace errata::cli {

ExitStatus run_reproduce(Session& session) {
  const auto& arguments = session.invocation.arguments;
  if (arguments.empty() || arguments.size() > 2)
    throw Error(ExitStatus::kUsage, "E106", "errata reproduce takes the number of a point",
                "errata reproduce 120 my-chip; `errata plan` says how many there are");
  std::size_t point = 0;
  const char* end = arguments[0].data() + arguments[0].size();
  const auto [stop, failed] = std::from_chars(arguments[0].data(), end, point);
  if (failed != std::errc{} || stop != end)
    throw Error(ExitStatus::kUsage, "E103", fmt::format("'{}' is not the number of a point", arguments[0]),
                "errata reproduce 120 my-chip");
  const std::filesystem::path folder = arguments.size() > 1 ? arguments[1] : ".";
  const Settings s = session.project(folder);
  require_netlist(s);
  const auto plans = circuit::plan_campaigns(s, session.context);
  const auto points = operating_points(s);
  std::size_t k = 0, within = point;  // numbered on from one operating point to the next
  for (; k + 1 < plans.size() && within >= plans[k].points.size(); ++k) within -= plans[k].points.size();
  const auto& plan = plans[k];
  const std::filesystem::path out =
      session.invocation.out.empty() ? folder / fmt::format("point-{}", point) : session.invocation.out;
  circuit::write_reproduction(plan, within, out);
  const std::string described =
      (plans.size() > 1 ? to_string(points[k]) + ", " : std::string()) + circuit::describe_point(plan, within);
  session.out.line(fmt::format("{}\nrun it: cd {} && ngspice -b point.cir", described, out.string()));
  session.out.set("folder", out.string());
  session.out.set("point", described);
  return ExitStatus::kOk;
}

}  // namespace errata::cli
