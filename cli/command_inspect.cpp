#include <fmt/format.h>

#include "cli/command.h"
#include "core/hdf5_file.h"

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
  return ExitStatus::kOk;
}

}  // namespace errata::cli
