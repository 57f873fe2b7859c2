#include <fmt/format.h>

#include <algorithm>

#include "cli/command.h"

namespace errata::cli {

namespace {
std::vector<std::string> templates() {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(netlists_folder(), ignored))
    if (std::filesystem::exists(entry.path() / "errata.toml")) names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}
}  // namespace

ExitStatus run_init(Session& session) {
  const auto& i = session.invocation;
  if (i.arguments.size() != 1)
    throw Error(ExitStatus::kUsage, "E106", "errata init takes one folder", "errata init my-chip --template rram_1t1r");
  const auto names = templates();
  const std::string name = i.name.empty() ? "rram_1t1r" : i.name;
  if (std::ranges::find(names, name) == names.end()) {
    const std::string near = nearest_name(name, names);
    throw Error(
        ExitStatus::kUsage, "E102", fmt::format("no template is called '{}'", name),
        near.empty() ? fmt::format("templates: {}", fmt::join(names, ", ")) : fmt::format("did you mean '{}'?", near));
  }
  const std::filesystem::path folder = i.arguments[0];
  if (std::filesystem::exists(folder / "errata.toml"))
    throw Error(ExitStatus::kUsage, "E107", fmt::format("{} is a project already", folder.string()),
                "choose another folder");
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (!failure)
    std::filesystem::copy(netlists_folder() / name, folder, std::filesystem::copy_options::recursive, failure);
  if (failure)
    throw Error(ExitStatus::kEnvironment, "E601",
                fmt::format("cannot write {}: {}", folder.string(), failure.message()));
  session.out.line(
      fmt::format("made {} from template {}; next: errata check {}", folder.string(), name, folder.string()));
  session.out.set("project", folder.string());
  session.out.set("template", name);
  return ExitStatus::kOk;
}

}  // namespace errata::cli
