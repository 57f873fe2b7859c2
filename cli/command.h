#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cli/output.h"
#include "core/run_context.h"
#include "core/settings.h"

namespace errata::cli {

/// Everything that the command line said.
struct Invocation {
  std::string command;
  std::vector<std::string> arguments;  ///< positional ones after the command
  std::vector<SettingOverride> overrides;
  std::optional<std::uint64_t> seed;
  int jobs = 1;
  bool json = false, quiet = false;
  bool force = false, accept = false, keep_going = false;
  bool trust_netlist = false;
  std::string from, to;  ///< stages, for `run`; `from` is an address for `data fetch`
  std::string name;      ///< --template, --arm, …
  std::filesystem::path data_dir;
  std::size_t chips = 0, images = 0;  ///< for `evaluate`; 0: the project's
  std::string hardware;
  std::string format, dataset;     ///< for `export`
  std::filesystem::path from_csv;  ///< measurements, for `compile`
  bool operating_points = false;   ///< for `merge`
  std::filesystem::path out;       ///< folder, for `reproduce`; file, for `export` and `merge`
  std::filesystem::path capture;   ///< operand file that `evaluate` writes
};

/// What a command works with.
struct Session {
  const Invocation& invocation;
  Output& out;
  RunContext context;

  /// The project's folder: the first argument, or the current folder.
  std::filesystem::path project_folder() const;
  /// Reads the project with --set, --seed and --trust-netlist applied.
  Settings project() const { return project(project_folder()); }
  Settings project(const std::filesystem::path& folder) const;
  std::filesystem::path artifacts() const { return project_folder() / "artifacts"; }
  /// Where data sets are looked up: --data-dir, $ERRATA_DATA, the user's data folder, /usr/share/errata.
  std::filesystem::path data_root() const;
  /// Where `data fetch` puts them: the same, but the user's data folder rather than /usr/share/errata.
  std::filesystem::path data_target() const;
};

/// One command of the program; `options` names the options that it takes beside the common ones.
struct Command {
  std::string_view name, arguments, summary, example;
  std::vector<std::string_view> options;
  ExitStatus (*run)(Session&);
};

/// Every command, in the order of `errata help`.
std::span<const Command> commands();

/// Text of `errata help` and `errata help COMMAND`.
std::string help_text();
std::string help_text(const Command& command);

/// Folder with the shipped macros: beside the installed program, or in the source tree.
std::filesystem::path netlists_folder();

ExitStatus run_init(Session&);
ExitStatus run_check(Session&);
ExitStatus run_plan(Session&);
ExitStatus run_characterize(Session&);
ExitStatus run_fit(Session&);
ExitStatus run_compile(Session&);
ExitStatus run_train(Session&);
ExitStatus run_verify(Session&);
ExitStatus run_report(Session&);
ExitStatus run_run(Session&);
ExitStatus run_status(Session&);
ExitStatus run_evaluate(Session&);
ExitStatus run_reproduce(Session& session);
ExitStatus run_inspect(Session&);
ExitStatus run_export(Session&);
ExitStatus run_diff(Session&);
ExitStatus run_merge(Session&);
ExitStatus run_data(Session&);
ExitStatus run_doctor(Session&);
ExitStatus run_explain(Session&);
ExitStatus run_completion(Session&);
ExitStatus run_help(Session&);

}  // namespace errata::cli
