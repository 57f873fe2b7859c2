#include <fmt/format.h>

#include "cli/pipeline.h"

namespace errata::cli {

ExitStatus run_status(Session& session) {
  const Settings s = session.project();
  for (const auto& stage : stages()) {
    const auto state = state_of(session, s, stage);
    session.out.line(fmt::format("{:<13} {:<8} {}", stage.name, to_string(state.freshness), state.reason));
    session.out.append("stages",
                       {{"name", std::string(stage.name)},
                        {"state", std::string(to_string(state.freshness))},
                        {"reason", state.reason}},
                       {});
  }
  return ExitStatus::kOk;
}

}  // namespace errata::cli
