#include <fmt/format.h>

#include "cli/command.h"
#include "core/project_schema.h"

namespace errata::cli {

ExitStatus run_completion(Session& session) {
  const std::string shell = session.invocation.arguments.empty() ? "bash" : session.invocation.arguments[0];
  std::vector<std::string_view> names;
  for (const auto& c : commands()) names.push_back(c.name);
  std::vector<std::string> keys;
  for (const auto& k : project_schema())
    if (k.path.find('[') == std::string::npos) keys.push_back(k.path + "=");
  const std::string options =
      "--json --jobs --seed --set --data-dir --trust-netlist --quiet --force --accept --from --to --keep-going "
      "--template --arm "
      "--hardware --chips --images --help --version";
  if (shell == "bash") {
    session.out.line(fmt::format(
        "_errata() {{\n  local word=\"${{COMP_WORDS[COMP_CWORD]}}\" before=\"${{COMP_WORDS[COMP_CWORD-1]}}\"\n"
        "  if [ \"$before\" = --set ]; then COMPREPLY=($(compgen -o nospace -W \"{}\" -- \"$word\")); return; fi\n"
        "  if [ \"$COMP_CWORD\" = 1 ]; then COMPREPLY=($(compgen -W \"{}\" -- \"$word\")); return; fi\n"
        "  COMPREPLY=($(compgen -W \"{}\" -- \"$word\") $(compgen -d -- \"$word\"))\n}}\ncomplete -F _errata errata",
        fmt::join(keys, " "), fmt::join(names, " "), options));
  } else if (shell == "zsh") {
    session.out.line(
        fmt::format("#compdef errata\n_arguments '1:command:({})' '*:option:({})'", fmt::join(names, " "), options));
  } else if (shell == "fish") {
    for (const auto& c : commands())
      session.out.line(fmt::format("complete -c errata -n __fish_use_subcommand -a {} -d '{}'", c.name, c.summary));
  } else {
    throw Error(ExitStatus::kUsage, "E102", fmt::format("no completion for '{}'", shell), "known: bash, zsh, fish");
  }
  return ExitStatus::kOk;
}

}  // namespace errata::cli
