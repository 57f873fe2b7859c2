#include "cli/pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

#include "behavioral/fit.h"
#include "behavioral/operating_points.h"
#include "circuit/characterize.h"
#include "cli/fit_output.h"
#include "cli/report/report.h"
#include "core/operand_set.h"
#include "core/operating_point.h"
#include "core/sha256.h"
#include "errormodel/compile.h"
#include "errormodel/compile_measured.h"
#include "errormodel/table/operating_point.h"
#include "training/data/data_catalogue.h"
#include "training/network/project_network.h"
#include "training/stage.h"
#include "verification/verify.h"

namespace errata::cli {

ArtifactInput data_input(const Session& session, const Settings& s) {
  const std::string& name = s.text("training.data_set");
  if (name == "glyphs") return {"data", "glyphs-1"};
  auto files = training::find_data_set(training::data_set_entry(name), session.data_root()).files;
  std::sort(files.begin(), files.end());
  std::string all;
  for (const auto& file : files) all += file.filename().string() + sha256_of_file(file);
  return {"data", sha256(all)};
}

void tell_arms(Session& session, const training::TrainedNetworks& trained) {
  for (const auto& arm : trained.arms) {
    if (arm.epochs.empty()) continue;
    session.out.line(fmt::format("trained {:<12} {} epochs, last loss {:.4f}, test accuracy {:.2f} % (in its own mode)",
                                 arm.name, arm.epochs.size(), arm.epochs.back().train_loss,
                                 arm.epochs.back().test_accuracy));
    session.out.append("arms", {{"name", arm.name}}, {{"test_accuracy", arm.epochs.back().test_accuracy}});
  }
}

namespace {

/// The artefact of an earlier stage as an input; its contents decide, not its time.
ArtifactInput input(const Session& session, std::string role, const char* file) {
  const auto path = session.artifacts() / file;
  if (!std::filesystem::exists(path))
    throw Error(ExitStatus::kArtifact, "E401", fmt::format("{} does not exist", path.string()),
                fmt::format("run the stage that makes it first: errata {}", role == "checkpoint"     ? "train"
                                                                            : role == "error_table"  ? "compile"
                                                                            : role == "behavioral"   ? "fit"
                                                                            : role == "verification" ? "verify"
                                                                                                     : "characterize"));
  return {std::move(role), sha256_of_file(path)};
}

/// The table to train and verify with.
ArtifactInput table_input(const Session& session, const Settings& s) {
  if (!s.has("hardware.error_table")) return input(session, "error_table", "error_table.h5");
  const auto path = table_path(session, s);
  if (!std::filesystem::exists(path))
    throw Error(ExitStatus::kArtifact, "E401", fmt::format("{} does not exist", path.string()),
                "hardware.error_table names it");
  return {"error_table", sha256_of_file(path)};
}

template <class Artifact>
Provenance make(std::vector<ArtifactInput> inputs, const Settings& s, std::string_view stage_name) {
  return {Artifact::kFormat,
          Artifact::kMajor,
          Artifact::kMinor,
          std::move(inputs),
          s.canonical(sections_of_stage(stage_name)),
          s.seed()};
}

/// Whether training goes on with errors in the loop; else it needs no table.
bool adapts(const Settings& s) { return s.integer("training.adaptation_epochs") > 0 && s.flag("training.error_aware"); }

Provenance characterize_provenance(const Session&, const Settings& s) {
  require_netlist(s);
  return circuit::plan_campaign(s, RunContext{}).skeleton.provenance;
}
Provenance fit_provenance(const Session& session, const Settings& s) {
  require_netlist(s);
  return make<behavioral::BehavioralModel>({input(session, "characterization", "characterization.h5")}, s, "fit");
}
Provenance compile_provenance(const Session& session, const Settings& s) {
  if (s.has("errormodel.measurements"))
    return make<errormodel::ErrorTable>(errormodel::measurement_inputs(s), s, "compile");
  require_netlist(s);
  std::vector<ArtifactInput> inputs = operand_input(s, "errormodel.operands");
  inputs.insert(inputs.begin(), input(session, "behavioral", "behavioral.h5"));
  return make<errormodel::ErrorTable>(std::move(inputs), s, "compile");
}
Provenance train_provenance(const Session& session, const Settings& s) {
  std::vector<ArtifactInput> inputs;
  if (adapts(s)) inputs.push_back(table_input(session, s));
  inputs.push_back(data_input(session, s));
  for (auto& file : training::network_file_input(s)) inputs.push_back(std::move(file));
  return make<training::TrainedNetworks>(std::move(inputs), s, "train");
}
Provenance verify_provenance(const Session& session, const Settings& s) {
  return make<verification::Verification>({input(session, "behavioral", "behavioral.h5"), table_input(session, s),
                                           input(session, "checkpoint", "checkpoint.h5"), data_input(session, s)},
                                          s, "verify");
}
Provenance report_provenance(const Session& session, const Settings& s) {
  return {"report",
          1,
          0,
          {input(session, "characterization", "characterization.h5"), input(session, "behavioral", "behavioral.h5"),
           table_input(session, s), input(session, "checkpoint", "checkpoint.h5"),
           input(session, "verification", "verification.h5")},
          s.canonical(sections_of_stage("report")),
          s.seed()};
}

/// Who makes the noise of the columns, and whose noise is not known.
void tell_noise(Session& session, const circuit::Characterization& c) {
  std::string text;
  for (const auto& source : circuit::mean_noise_shares(c)) {
    session.out.append("noise_sources", {{"name", source.name}}, {{"share", source.share}, {"sigma", source.sigma}});
    if (source.share >= 5e-4)
      text += fmt::format("{}{} {:.1f} %", text.empty() ? "" : ", ", source.name, 100 * source.share);
  }
  if (!text.empty())
    session.out.line(
        fmt::format("noise of {} reads by source, shares of the variance: {}", c.columns.noise_square.size(), text));
  for (const auto& element : c.silent_elements) session.out.append("silent_elements", {{"name", element}}, {});
  if (!c.silent_elements.empty())
    session.out.line(fmt::format("without noise in ngspice: {}", fmt::join(c.silent_elements, ", ")));
}

ExitStatus do_characterize(Session& session, const Settings& s, const Provenance&) {
  const auto points = circuit::characterize_all(s, session.artifacts(), session.context);
  std::int64_t suspect = 0, failed = 0;
  for (const auto& c : points) {
    session.out.line(
        fmt::format("{}characterised {} cell points and {} column conversions with {}: {} suspect, {} failed",
                    point_heading(points.size(), {c.array.temperature_kelvin, c.array.supply_volts}),
                    c.cell.current_amperes.size() + c.charge.charge_coulombs.size(), c.columns.output.size() / 2,
                    c.simulator, c.suspect_points, c.failed_points));
    session.out.line("strategy: " + c.strategy);
    session.out.set("strategy", c.strategy);
    tell_noise(session, c);
    suspect += c.suspect_points;
    failed += c.failed_points;
  }
  session.out.set("suspect_points", suspect);
  session.out.set("failed_points", failed);
  return ExitStatus::kOk;
}

ExitStatus do_fit(Session& session, const Settings& s, const Provenance& provenance) {
  const auto data = circuit::load_characterizations(session.artifacts() / "characterization.h5");
  const auto models = behavioral::fit_models(data, s, provenance);
  bool passed = true;
  for (const auto& model : models) {
    session.out.line(point_heading(models.size(), point_of(model)) + behavioral::fit_report(model));
    passed = passed && model.validation.passed;
  }
  tell_fit(session.out, models, s);
  if (!passed && !session.invocation.accept)
    throw Error(ExitStatus::kComputation, "E502", "the behavioural model misses its specification against ngspice",
                "see the fit report above; --accept goes on knowingly");
  behavioral::save_models(models, session.artifacts() / "behavioral.h5");
  return ExitStatus::kOk;
}

std::vector<errormodel::ErrorTable> tables_of(const Session& session, const Settings& s, const Provenance& provenance) {
  if (s.has("errormodel.measurements"))
    return {errormodel::compile_measured(errormodel::project_campaign(s), s, provenance, session.context)};
  return errormodel::compile_tables(behavioral::load_models(session.artifacts() / "behavioral.h5"), s, provenance,
                                    session.context);
}

ExitStatus do_compile(Session& session, const Settings& s, const Provenance& provenance) {
  const auto tables = tables_of(session, s, provenance);
  errormodel::save_tables(tables, session.artifacts() / "error_table.h5");
  for (const auto& table : tables)
    session.out.line(point_heading(tables.size(), {table.temperature_kelvin, table.supply_volts}) +
                     errormodel::table_report(table));
  return ExitStatus::kOk;
}

ExitStatus do_train(Session& session, const Settings& s, const Provenance& provenance) {
  std::optional<errormodel::ErrorTable> table;
  if (adapts(s)) table = errormodel::project_table(table_path(session, s), s);
  const auto data = training::project_data(s, session.data_root(), session.context);
  const auto trained = training::train_networks(s, table, data, provenance, session.artifacts(), session.context);
  tell_arms(session, trained);
  return ExitStatus::kOk;
}

ExitStatus do_verify(Session& session, const Settings& s, const Provenance& provenance) {
  const auto model = behavioral::project_model(session.artifacts() / "behavioral.h5", s);
  const auto table = errormodel::project_table(table_path(session, s), s);
  const auto networks = training::TrainedNetworks::load(session.artifacts() / "checkpoint.h5");
  const auto data = training::project_data(s, session.data_root(), session.context);
  const auto v = verification::verify({s, model, table, networks, data}, provenance, session.context);
  v.save(session.artifacts() / "verification.h5");
  return ExitStatus::kOk;
}

/// What `verify` says, from the artefact: also when it is fresh.
ExitStatus tell_verdict(Session& session) {
  const auto v = verification::Verification::load(session.artifacts() / "verification.h5");
  session.out.line(verification::verification_report(v));
  for (const auto& row : v.accuracy)
    session.out.append("accuracy", {{"arm", row.arm}, {"hardware", row.hardware}},
                       {{"mean", row.mean.estimate},
                        {"low", row.mean.low},
                        {"high", row.mean.high},
                        {"spread", row.spread},
                        {"percentile10", row.percentile10},
                        {"chips", static_cast<double>(row.accuracy.size())},
                        {"images", static_cast<double>(row.images)}});
  for (const auto& c : v.checks)
    session.out.append(
        "checks", {{"name", c.name}, {"color", std::string(verification::to_string(c.color))}, {"advice", c.advice}},
        {{"level", c.level}, {"estimate", c.value.estimate}, {"low", c.value.low}, {"high", c.value.high}});
  const auto color = verification::overall(v.checks);
  session.out.set("verdict", verification::to_string(color));
  return color == verification::Color::kGreen ? ExitStatus::kOk : ExitStatus::kSpecificationFailed;
}

ExitStatus do_report(Session& session, const Settings& s, const Provenance& provenance) {
  const auto at = [&](const char* file) { return session.artifacts() / file; };
  const auto characterization = circuit::Characterization::load(at("characterization.h5"));
  const auto model = behavioral::project_model(at("behavioral.h5"), s);
  const auto table = errormodel::project_table(table_path(session, s), s);
  const auto networks = training::TrainedNetworks::load(at("checkpoint.h5"));
  const auto verdict = verification::Verification::load(at("verification.h5"));
  report::ReportInput in{s.text("project.name"), &characterization, &model, &table, &verdict, {}, {}, {}};
  in.fitted_curves = fitted_curves(model, s);
  in.points = point_fits(behavioral::load_models(at("behavioral.h5")));
  for (const auto& arm : networks.arms) {
    report::TrainingCurve curve{arm.name, {}, {}, {}};
    for (std::size_t e = 0; e < arm.epochs.size(); ++e) {
      curve.epoch.push_back(static_cast<double>(e + 1));
      curve.train_loss.push_back(arm.epochs[e].train_loss);
      curve.test_accuracy.push_back(arm.epochs[e].test_accuracy);
    }
    in.curves.push_back(std::move(curve));
  }
  const auto path = at("report.html");
  const auto part = at("report.html.part");
  {
    std::ofstream file(part, std::ios::binary);
    file << report::render_report(in) << "<!-- errata-fingerprint " << provenance.fingerprint() << " -->\n";
    if (!file.flush()) throw Error(ExitStatus::kEnvironment, "E601", fmt::format("cannot write {}", path.string()));
  }
  std::filesystem::rename(part, path);
  return ExitStatus::kOk;
}

constexpr Stage kStages[] = {
    {"characterize", "characterization.h5", characterize_provenance, do_characterize},
    {"fit", "behavioral.h5", fit_provenance, do_fit},
    {"compile", "error_table.h5", compile_provenance, do_compile},
    {"train", "checkpoint.h5", train_provenance, do_train},
    {"verify", "verification.h5", verify_provenance, do_verify},
    {"report", "report.html", report_provenance, do_report},
};

std::string fingerprint_of(const std::filesystem::path& path) {
  if (path.extension() != ".html") return stored_fingerprint(path);
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return {};
  constexpr std::streamoff kTail = 200;
  const std::streamoff size = file.tellg();
  file.seekg(std::max<std::streamoff>(0, size - kTail));
  std::string tail((std::istreambuf_iterator<char>(file)), {});
  const auto mark = tail.rfind("errata-fingerprint ");
  return mark == std::string::npos ? "" : tail.substr(mark + 19, 64);
}

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// The first of the lines that the others lack; null where they have all.
const std::string* missing_in(const std::vector<std::string>& others, const std::vector<std::string>& lines) {
  for (const auto& line : lines)
    if (std::ranges::find(others, line) == others.end()) return &line;
  return nullptr;
}

/// What differs between a stored artefact and what would be made now, in words.
std::string difference(const std::filesystem::path& path, const Provenance& now) {
  if (path.extension() == ".html") return "its inputs have changed";
  try {
    const Provenance then = read_provenance(Hdf5Reader(path), now.format, now.major_version);
    for (const auto& i : now.inputs) {
      const auto same = std::ranges::any_of(
          then.inputs, [&](const ArtifactInput& o) { return o.role == i.role && o.sha256 == i.sha256; });
      if (!same) return fmt::format("{} has changed", i.role);
    }
    if (then.seed != now.seed) return fmt::format("the seed was {}, now {}", then.seed, now.seed);
    const auto lines_then = lines_of(then.config), lines_now = lines_of(now.config);
    if (const std::string* line = missing_in(lines_then, lines_now)) return fmt::format("'{}' has changed", *line);
    if (const std::string* line = missing_in(lines_now, lines_then)) return fmt::format("'{}' is gone", *line);
    return "the project has changed";
  } catch (const Error& e) {
    return e.what();
  }
}

}  // namespace

std::filesystem::path table_path(const Session& session, const Settings& s) {
  if (!session.invocation.table.empty()) return session.invocation.table;
  return s.has("hardware.error_table") ? s.folder() / s.text("hardware.error_table")
                                       : session.artifacts() / "error_table.h5";
}

void require_netlist(const Settings& s) {
  if (starts_at_table(s))
    throw Error(ExitStatus::kArtifact, "E401", "the project names no netlist, so this stage has nothing to work on",
                s.has("errormodel.measurements") ? "errata compile makes the table from the measurements"
                                                 : "errata train works with hardware.error_table");
}

std::span<const Stage> stages() { return kStages; }

const Stage& stage(std::string_view name) {
  for (const auto& s : kStages)
    if (s.name == name) return s;
  std::vector<std::string> names;
  for (const auto& s : kStages) names.emplace_back(s.name);
  const std::string near = nearest_name(name, names);
  throw Error(
      ExitStatus::kUsage, "E102", fmt::format("no stage is called '{}'", name),
      near.empty() ? fmt::format("stages: {}", fmt::join(names, ", ")) : fmt::format("did you mean '{}'?", near));
}

std::string_view to_string(Freshness f) {
  switch (f) {
    case Freshness::kFresh:
      return "fresh";
    case Freshness::kPartial:
      return "partial";
    case Freshness::kStale:
      return "stale";
    case Freshness::kMissing:
      return "missing";
    case Freshness::kBlocked:
      return "waiting";
  }
  return "?";
}

StageState state_of(const Session& session, const Settings& settings, const Stage& s) {
  const auto path = session.artifacts() / s.artifact;
  Provenance now;
  try {
    now = s.provenance(session, settings);
  } catch (const Error& e) {
    if (e.code() != "E401") throw;
    return {Freshness::kBlocked, e.what()};
  }
  if (!std::filesystem::exists(path)) {
    const auto shards = session.artifacts() / "shards";
    const bool journal = s.name == "characterize" && std::filesystem::exists(shards / "characterization.journal");
    const bool training =
        s.name == "train" && std::filesystem::exists(shards / fmt::format("train-{}", now.fingerprint().substr(0, 16)));
    if (journal || training) return {Freshness::kPartial, "an interrupted run can be continued"};
    return {Freshness::kMissing, "has not run"};
  }
  const std::string stored = fingerprint_of(path);
  if (stored == now.fingerprint()) return {Freshness::kFresh, ""};
  if (stored.empty()) return {Freshness::kStale, "the file is incomplete or damaged"};
  return {Freshness::kStale, difference(path, now)};
}

ExitStatus run_stage(Session& session, const Settings& settings, const Stage& s) {
  const StageState state = state_of(session, settings, s);
  if (state.freshness == Freshness::kFresh && !session.invocation.force) {
    session.out.line(fmt::format("{:<13} fresh", s.name));
    session.out.append("stages", {{"name", std::string(s.name)}, {"did", "fresh"}}, {});
  } else {
    const Provenance provenance = s.provenance(session, settings);
    session.out.line(
        fmt::format("{:<13} {}", s.name,
                    session.invocation.force && state.reason.empty() ? "runs (--force)" : "runs: " + state.reason));
    std::error_code failure;
    std::filesystem::create_directories(session.artifacts(), failure);
    if (failure)
      throw Error(ExitStatus::kEnvironment, "E601",
                  fmt::format("cannot make {}: {}", session.artifacts().string(), failure.message()),
                  "check that the project's folder is writable");
    s.run(session, settings, provenance);
    session.out.append("stages", {{"name", std::string(s.name)}, {"did", "ran"}}, {});
  }
  return s.name == "verify" ? tell_verdict(session) : ExitStatus::kOk;
}

}  // namespace errata::cli
