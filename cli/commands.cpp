#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "cli/command.h"

namespace errata::cli {

namespace {
const std::vector<Command>& table() {
  static const std::vector<Command> all = {
      {"init",
       "DIR",
       "make a project from a shipped macro",
       "errata init my-chip --template rram_1t1r",
       {"template"},
       run_init},
      {"check",
       "[PROJECT]",
       "read project and netlist, report all problems, simulate one operating point",
       "errata check my-chip",
       {},
       run_check},
      {"plan", "[PROJECT]", "what would run: points, estimated time and disk", "errata plan my-chip", {}, run_plan},
      {"characterize",
       "[PROJECT]",
       "simulate cell and columns in ngspice",
       "errata characterize my-chip --jobs 2",
       {"force"},
       run_characterize},
      {"fit",
       "[PROJECT]",
       "fit the behavioural model and check it on held-out columns",
       "errata fit my-chip",
       {"force", "accept"},
       run_fit},
      {"compile",
       "[PROJECT]",
       "compile the statistical error table; --from-csv: from measured test chips",
       "errata compile my-chip --from-csv measurements.csv",
       {"force", "from-csv"},
       run_compile},
      {"train",
       "[PROJECT]",
       "train the network, without and with the table in the loop",
       "errata train my-chip --set training.data_set=mnist",
       {"force"},
       run_train},
      {"verify",
       "[PROJECT]",
       "replay the trained network one and two levels down; the verdict",
       "errata verify my-chip",
       {"force"},
       run_verify},
      {"report", "[PROJECT]", "write report.html", "errata report my-chip", {"force"}, run_report},
      {"run",
       "[PROJECT]",
       "every stage that is stale, with the reason",
       "errata run my-chip --to compile",
       {"force", "accept", "from", "to", "keep-going"},
       run_run},
      {"status",
       "[PROJECT]",
       "which artefacts are fresh, partial or stale, and why",
       "errata status my-chip",
       {},
       run_status},
      {"evaluate",
       "[PROJECT]",
       "accuracy of a trained network over chips",
       "errata evaluate my-chip --arm error_aware --hardware behavioral --chips 20",
       {"arm", "hardware", "chips", "images", "capture-operands"},
       run_evaluate},
      {"reproduce",
       "POINT [PROJECT]",
       "write one point of the campaign as a deck to run by hand in ngspice",
       "errata reproduce 120 my-chip",
       {"out"},
       run_reproduce},
      {"inspect",
       "FILE",
       "look into any artefact; of an error table, its terms",
       "errata inspect my-chip/artifacts/error_table.h5",
       {},
       run_inspect},
      {"export",
       "FILE",
       "write a file's contents for other programs. --format csv, json, npz: any artefact (--dataset NAME: one dataset "
       "as CSV); neurosim: an error table as NeuroSim's output-noise file; onnx: a trained network (--arm)",
       "errata export my-chip/artifacts/error_table.h5 --format npz --out table.npz",
       {"arm", "out", "format", "dataset"},
       run_export},
      {"diff",
       "TABLE TABLE",
       "how far two error tables lie apart, term by term, and whether their errors explain it; exit status 1 when not",
       "errata diff measured/error_table.h5 my-chip/artifacts/error_table.h5",
       {},
       run_diff},
      {"merge",
       "TABLE TABLE ...",
       "join error tables of different chips of one hardware; --operating-points: of different temperatures, supplies "
       "or "
       "corners, side by side in one file",
       "errata merge lot1/error_table.h5 lot2/error_table.h5 --out both.h5",
       {"out", "operating-points"},
       run_merge},
      {"data",
       "list | fetch NAME | make [FOLDER]",
       "show the data sets, download one (--from ADDRESS: from elsewhere), or write the built-in one as files",
       "errata data fetch mnist",
       {"from"},
       run_data},
      {"doctor", "", "check the environment: ngspice, threads, disk", "errata doctor", {}, run_doctor},
      {"explain", "CODE", "what a diagnostic code means and what to do", "errata explain E204", {}, run_explain},
      {"completion",
       "bash|zsh|fish",
       "print a completion script",
       "errata completion bash > ~/.local/share/bash-completion/completions/errata",
       {},
       run_completion},
      {"help",
       "[COMMAND]",
       "help, or the reference page of the project file (`errata help project-file`)",
       "errata help run",
       {},
       run_help},
  };
  return all;
}
}  // namespace

std::span<const Command> commands() { return table(); }

std::string help_text() {
  std::string text =
      "errata: from an in-memory-computing netlist to a verified network\n\nusage: errata COMMAND [ARGUMENTS] "
      "[OPTIONS]\n\n";
  for (const auto& c : commands()) text += fmt::format("  {:<13} {}\n", c.name, c.summary);
  return text +
         "\neverywhere: --json  --jobs N  --seed N  --set section.key=value  --data-dir DIR  --trust-netlist  --quiet  "
         "--version\n"
         "PROJECT is a folder with errata.toml (default: the current one). `errata help COMMAND` shows an example.\n";
}

std::string help_text(const Command& c) {
  std::string text = fmt::format("errata {} {}\n\n  {}\n\nexample: {}\n", c.name, c.arguments, c.summary, c.example);
  if (!c.options.empty()) {
    text += "\noptions:";
    for (const auto o : c.options) text += fmt::format(" --{}", o);
    text += "\n";
  }
  return text + "everywhere: --json --jobs --seed --set --data-dir --trust-netlist --quiet\n";
}

std::filesystem::path Session::project_folder() const {
  return invocation.arguments.empty() ? std::filesystem::path(".") : std::filesystem::path(invocation.arguments[0]);
}

Settings Session::project(const std::filesystem::path& folder) const {
  std::vector<SettingOverride> overrides = invocation.overrides;
  if (!invocation.from_csv.empty())  // relative to the project, as in errata.toml
    overrides.push_back({"errormodel.measurements", std::filesystem::relative(invocation.from_csv, folder).string()});
  if (invocation.seed) overrides.push_back({"project.seed", fmt::format("{}", *invocation.seed)});
  Settings settings = read_project(folder, overrides);
  if (invocation.trust_netlist) settings.trust_netlist();
  return settings;
}

constexpr const char* kSharedData = "/usr/share/errata";

std::filesystem::path Session::data_root() const {
  if (!invocation.data_dir.empty()) return invocation.data_dir;
  if (const char* given = std::getenv("ERRATA_DATA"); given != nullptr && *given != '\0') return given;
  if (const char* home = std::getenv("XDG_DATA_HOME"); home != nullptr && *home != '\0')
    return std::filesystem::path(home) / "errata";
  if (const char* home = std::getenv("HOME");
      home != nullptr && std::filesystem::exists(std::filesystem::path(home) / ".local/share/errata"))
    return std::filesystem::path(home) / ".local/share/errata";
  return kSharedData;
}

std::filesystem::path Session::data_target() const {
  const auto root = data_root();
  const char* home = std::getenv("HOME");
  if (root != kSharedData || home == nullptr || *home == '\0') return root;
  return std::filesystem::path(home) / ".local/share/errata";
}

std::filesystem::path netlists_folder() {
  char buffer[4096];
  const ssize_t n = ::readlink("/proc/self/exe", buffer, sizeof buffer);
  if (n > 0) {
    const auto installed =
        std::filesystem::path(std::string(buffer, static_cast<std::size_t>(n))).parent_path().parent_path() /
        "share/errata/netlists";
    if (std::filesystem::exists(installed)) return installed;
  }
  return ERRATA_SOURCE_NETLISTS;
}

}  // namespace errata::cli
