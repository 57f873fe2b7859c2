#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "behavioral/fit.h"
#include "circuit/characterize.h"
#include "cli/pipeline.h"
#include "core/operating_point.h"
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

/// Later stages refuse a point beyond those that are characterised, but only after hours; a table from elsewhere may
/// have it.
void warn_of_missing_point(const Settings& s, const RunContext& context) {
  if (s.has("hardware.error_table")) return;
  const std::vector<OperatingPoint> points = operating_points(s);
  const OperatingPoint wanted = hardware_operating_point(s);
  const auto inside = [&](double OperatingPoint::*axis) {
    const auto [low, high] = std::minmax_element(points.begin(), points.end(),
                                                 [&](const auto& a, const auto& b) { return a.*axis < b.*axis; });
    return wanted.*axis >= (*low).*axis && wanted.*axis <= (*high).*axis;
  };
  if (inside(&OperatingPoint::temperature_kelvin) && inside(&OperatingPoint::supply_volts)) return;
  Diagnostic warning;
  warning.severity = Diagnostic::Severity::kWarning;
  warning.code = "W227";
  warning.message = fmt::format("[hardware] asks for {}, which lies outside what is characterised", to_string(wanted));
  warning.hint = "add points on both sides: circuit.further_temperatures, circuit.further_supply_voltages";
  context.warn(warning);
}

struct PointRead {
  OperatingPoint at;
  circuit::NominalPoint read;
};

/// What the others lack is said of each; a nominal point that fails is the project's trouble as a whole.
[[noreturn]] void throw_failed_points(const std::vector<std::pair<OperatingPoint, Error>>& failed) {
  const Error& first = failed.front().second;
  std::string message;
  for (const auto& [at, error] : failed) message += fmt::format("at {}: {}\n", to_string(at), error.what());
  message.pop_back();
  throw Error(first.status(), first.code(), message,
              "the nominal operating point works; see what the circuit does there, or leave the point out of "
              "circuit.further_temperatures, circuit.further_supply_voltages");
}

/// One cell and one column at every operating point that the project characterises, the nominal one first.
std::vector<PointRead> simulate_points(const Settings& s) {
  const std::vector<OperatingPoint> points = operating_points(s);
  std::vector<PointRead> reads{{points[0], circuit::simulate_nominal(at_operating_point(s, points[0]), RunContext{})}};
  std::vector<std::pair<OperatingPoint, Error>> failed;
  for (std::size_t k = 1; k < points.size(); ++k) try {
      reads.push_back({points[k], circuit::simulate_nominal(at_operating_point(s, points[k]), RunContext{})});
    } catch (const Error& error) {
      failed.emplace_back(points[k], error);
    }
  if (!failed.empty()) throw_failed_points(failed);
  return reads;
}

/// "one cell: 8.4 uA, one column: 94 uA".
std::string in_words(const circuit::NominalPoint& point) {
  const bool current = point.read == circuit::ReadMode::kCurrent;
  const std::string cell = current ? fmt::format("one cell: {:.4g} uA, ", point.cell * 1e6)
                                   : fmt::format("one cell draws {:.4g} fC, ", point.cell * 1e15);
  const std::string column = current && point.unit == "A" ? fmt::format("one column: {:.4g} uA", point.column * 1e6)
                             : point.unit == "V"          ? fmt::format("one column ends at {:.4g} V", point.column)
                                                 : fmt::format("one column: {:.4g} {}", point.column, point.unit);
  return (std::isfinite(point.cell) ? cell : "") + column;
}

}  // namespace

ExitStatus run_check(Session& session) {
  const Settings s = session.project();
  if (s.has("errormodel.measurements")) return check_measurements(session, s);
  require_netlist(s);
  warn_of_missing_point(s, session.context);
  const auto plan = circuit::plan_campaign(s, session.context);
  const std::vector<PointRead> reads = simulate_points(s);
  const circuit::NominalPoint& point = reads[0].read;
  behavioral::project_family(s, {.read = point.read, .cell = std::isfinite(point.cell)});
  session.out.line(
      fmt::format("project and netlist are sound: {} rows, {} stored levels, {} mismatch terms, {} noise sources",
                  plan.skeleton.array.rows, plan.skeleton.cell.weight_levels.size(), plan.skeleton.mismatch.size(),
                  plan.skeleton.noise.size()));
  session.out.line(in_words(point));
  for (std::size_t k = 1; k < reads.size(); ++k)
    session.out.line(fmt::format("  at {}: {}", to_string(reads[k].at), in_words(reads[k].read)));
  session.out.set("operating_points", static_cast<std::int64_t>(reads.size()));
  if (std::isfinite(point.cell))
    session.out.set(point.read == circuit::ReadMode::kCurrent ? "cell_current_amperes" : "cell_charge_coulombs",
                    point.cell);
  session.out.set(point.unit == "A"   ? "column_current_amperes"
                  : point.unit == "V" ? "column_volts"
                                      : "column_result",
                  point.column);
  return ExitStatus::kOk;
}

}  // namespace errata::cli
