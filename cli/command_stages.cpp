// The six commands that run one stage each, and `run`, which runs all that are stale.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cli/pipeline.h"
#include "verification/verdict.h"

namespace errata::cli {

namespace {
ExitStatus one(Session& session, std::string_view name) {
  const Settings s = session.project();
  return run_stage(session, s, stage(name));
}

/// The accuracy table and the report's place: how `run` ends.
void tell_result(Session& session) {
  const auto v = verification::Verification::load(session.artifacts() / "verification.h5");
  session.out.line(fmt::format("accuracy{}", v.quick ? " (quick: fewer than 100 chips or 500 images)" : ""));
  const auto row = [&](const char* text, const char* arm, const char* hardware) {
    const auto* r = v.find(arm, hardware);
    if (r == nullptr) return;
    const std::string interval = r->accuracy.size() > 1 ? fmt::format("  [{:.2f}, {:.2f}] over {} chips", r->mean.low,
                                                                      r->mean.high, r->accuracy.size())
                                                        : "";
    session.out.line(fmt::format("  {:<28} {:6.2f} %{}", text, r->mean.estimate, interval));
  };
  row("ideal hardware", "ideal", "ideal");
  row("with errors, not adapted", "ideal", "behavioral");
  row("with errors, error-aware", "error_aware", "behavioral");
  const auto report = std::filesystem::absolute(session.artifacts() / "report.html").lexically_normal();
  session.out.line(fmt::format("report: {}", report.string()));
  session.out.set("report", report.string());
}
}  // namespace

ExitStatus run_characterize(Session& session) { return one(session, "characterize"); }
ExitStatus run_fit(Session& session) { return one(session, "fit"); }
ExitStatus run_compile(Session& session) { return one(session, "compile"); }
ExitStatus run_train(Session& session) {
  const auto& i = session.invocation;
  if (!i.from.empty()) return run_adapt(session);
  for (const auto& [given, option] : {std::pair{!i.table.empty(), "--table"}, std::pair{!i.name.empty(), "--arm"},
                                      std::pair{!i.out.empty(), "--out"}})
    if (given)
      throw Error(ExitStatus::kUsage, "E103", fmt::format("{} goes with --from CHECKPOINT", option),
                  "errata train my-chip --from checkpoint.h5 --table other.h5");
  return one(session, "train");
}
ExitStatus run_verify(Session& session) { return one(session, "verify"); }
ExitStatus run_report(Session& session) { return one(session, "report"); }

ExitStatus run_run(Session& session) {
  const Settings s = session.project();
  const auto all = stages();
  const auto position = [&](const std::string& name, std::size_t fallback) {
    return name.empty() ? fallback : static_cast<std::size_t>(&stage(name) - all.data());
  };
  const std::size_t first = position(session.invocation.from, 0),
                    last = position(session.invocation.to, all.size() - 1);
  if (first > last) throw Error(ExitStatus::kUsage, "E107", "--from names a later stage than --to", "");
  ExitStatus worst = ExitStatus::kOk;
  for (std::size_t i = first; i <= last; ++i) {
    // A verdict that is not green still deserves its report: only errors stop the run.
    try {
      const ExitStatus status = run_stage(session, s, all[i]);
      if (status != ExitStatus::kOk) worst = status;
    } catch (const Error& e) {
      if (!session.invocation.keep_going || e.status() == ExitStatus::kInterrupted) throw;
      session.out.error(e);
      worst = e.status();
    }
  }
  if (last + 1 == all.size() && std::filesystem::exists(session.artifacts() / "report.html")) tell_result(session);
  return worst;
}

}  // namespace errata::cli
