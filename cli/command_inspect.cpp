#include <fmt/format.h>

#include <cmath>

#include "cli/command.h"
#include "core/hdf5_file.h"
#include "errormodel/compile.h"
#include "errormodel/table/operating_point.h"

namespace errata::cli {

namespace {
void walk(const Hdf5Reader& file, const std::string& group, Session& session) {
  for (const auto& name : file.children(group)) {
    const std::string at = (group == "/" ? "" : group) + "/" + name;
    if (file.is_group(at)) {
      for (const auto& [key, value] : file.attributes(at))
        session.out.line(fmt::format("{}  @{} = {}", at, key, value.substr(0, 120)));
      walk(file, at, session);
      continue;
    }
    const auto shape = file.shape(at);
    session.out.line(fmt::format("{}  [{}]  {}", at, fmt::join(shape, " x "), file.units(at)));
    session.out.append(
        "datasets", {{"name", at}, {"shape", fmt::format("{}", fmt::join(shape, "x"))}, {"units", file.units(at)}}, {});
  }
}

double root_mean(std::span<const double> values) {
  double sum = 0.0;
  for (const double v : values) sum += v * v;
  return std::sqrt(sum / static_cast<double>(values.size()));
}

/// The terms of every operating point, in words.
void describe_table(const std::filesystem::path& path, Session& session) {
  for (const auto& t : errormodel::load_tables(path)) {
    const std::string name = errormodel::operating_point_name(t);
    session.out.line(fmt::format("\noperating point {}, {} chips, {} columns, operands {}{}", name, t.chips_used,
                                 t.columns_used, t.operands, t.cells_separated ? "" : ", cells not separated"));
    session.out.line(errormodel::table_report(t));
    session.out.append("operating_points", {{"name", name}, {"corner", t.corner}},
                       {{"temperature_kelvin", t.temperature_kelvin},
                        {"supply_volts", t.supply_volts},
                        {"chips", static_cast<double>(t.chips_used)},
                        {"columns", static_cast<double>(t.columns_used)},
                        {"cell_sigma_rms", root_mean(t.cell_sigma)},
                        {"dynamic_sigma_rms", root_mean(t.dynamic_sigma)},
                        {"residual_sigma", t.residual_sigma}});
  }
}
}  // namespace

ExitStatus run_inspect(Session& session) {
  if (session.invocation.arguments.size() != 1)
    throw Error(ExitStatus::kUsage, "E106", "errata inspect takes one file",
                "errata inspect my-chip/artifacts/error_table.h5");
  const Hdf5Reader file(session.invocation.arguments[0]);
  if (!file.has_attribute("/", "errata_format"))
    throw Error(ExitStatus::kArtifact, "E405",
                fmt::format("{} is an HDF5 file, but not one of errata's", file.path().string()));
  for (const auto& [key, value] : file.attributes("/")) {
    session.out.line(fmt::format("@{} = {}", key, key == "config" ? fmt::format("({} bytes)", value.size()) : value));
    session.out.set(key, value);
  }
  walk(file, "/", session);
  if (file.text("/", "errata_format") == errormodel::ErrorTable::kFormat) describe_table(file.path(), session);
  return ExitStatus::kOk;
}

}  // namespace errata::cli
