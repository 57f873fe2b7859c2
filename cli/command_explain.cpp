#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "cli/command.h"

namespace errata::cli {

ExitStatus run_explain(Session& session) {
  if (session.invocation.arguments.size() != 1) {
    for (const auto& e : diagnostic_catalogue()) session.out.line(fmt::format("{}  {}", e.code, e.title));
    return ExitStatus::kOk;
  }
  std::string code = session.invocation.arguments[0];
  std::ranges::transform(code, code.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  std::vector<std::string> known;
  for (const auto& e : diagnostic_catalogue()) {
    known.emplace_back(e.code);
    if (e.code != code) continue;
    session.out.line(fmt::format("{}: {}\n\n{}\n\n{}", e.code, e.title, e.meaning, e.remedy));
    session.out.set("code", e.code);
    session.out.set("meaning", e.meaning);
    session.out.set("remedy", e.remedy);
    return ExitStatus::kOk;
  }
  const std::string near = nearest_name(code, known);
  throw Error(ExitStatus::kUsage, "E102", fmt::format("no diagnostic has the code '{}'", code),
              near.empty() ? "`errata explain` lists all" : fmt::format("did you mean '{}'?", near));
}

}  // namespace errata::cli
