#include <fmt/format.h>

#include "cli/command.h"
#include "core/project_schema.h"

namespace errata::cli {

ExitStatus run_help(Session& session) {
  const auto& arguments = session.invocation.arguments;
  if (arguments.empty() || arguments[0].empty()) {
    session.out.line(help_text());
    return ExitStatus::kOk;
  }
  if (arguments[0] == "project-file") {
    session.out.line(schema_reference_page());
    return ExitStatus::kOk;
  }
  std::vector<std::string> names{"project-file"};
  for (const auto& c : commands()) {
    names.emplace_back(c.name);
    if (c.name != arguments[0]) continue;
    session.out.line(help_text(c));
    return ExitStatus::kOk;
  }
  const std::string near = nearest_name(arguments[0], names);
  throw Error(ExitStatus::kUsage, "E102", fmt::format("no help for '{}'", arguments[0]),
              near.empty() ? "see `errata help`" : fmt::format("did you mean '{}'?", near));
}

}  // namespace errata::cli
