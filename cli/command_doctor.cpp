#include <fmt/format.h>

#include <thread>

#include "circuit/campaign/campaign.h"
#include "cli/command.h"

namespace errata::cli {

ExitStatus run_doctor(Session& session) {
  ExitStatus status = ExitStatus::kOk;
  const auto tell = [&](std::string what, bool good, std::string text) {
    session.out.line(fmt::format("{:<22} {:<4} {}", what, good ? "ok" : "BAD", text));
    session.out.append("checks", {{"name", what}, {"state", good ? "ok" : "bad"}, {"text", text}}, {});
    if (!good) status = ExitStatus::kEnvironment;
  };
  std::string version;
  try {
    version = circuit::ngspice_version(session.context);
  } catch (const Error& e) {
    version = e.what();
  }
  tell("ngspice library", version.starts_with("ngspice-"), version);
  tell("ngspice code models", std::filesystem::exists("/usr/share/ngspice/scripts/spinit"),
       "/usr/share/ngspice/scripts/spinit");
  tell("processors", true, fmt::format("{}", std::thread::hardware_concurrency()));
  tell("shipped macros", std::filesystem::exists(netlists_folder() / "rram_1t1r/errata.toml"),
       netlists_folder().string());
  const auto space = std::filesystem::space(std::filesystem::temp_directory_path());
  tell("temporary folder", space.available > (std::uintmax_t{1} << 28),
       fmt::format("{:.1f} GB free", static_cast<double>(space.available) * 1e-9));
  tell("data sets", true, fmt::format("looked for in {}", session.data_root().string()));
  return status;
}

}  // namespace errata::cli
