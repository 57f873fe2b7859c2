// Commands on error tables that need no project: diff and merge.
#include <fmt/format.h>

#include "cli/command.h"
#include "errormodel/table/operating_point.h"
#include "errormodel/table/table_diff.h"
#include "errormodel/table/table_merge.h"

namespace errata::cli {

namespace {

std::vector<errormodel::ErrorTable> load_all(const std::vector<std::string>& files) {
  std::vector<errormodel::ErrorTable> tables;
  for (const auto& file : files) {
    if (!std::filesystem::exists(file))
      throw Error(ExitStatus::kArtifact, "E401", fmt::format("{} does not exist", file));
    for (auto& t : errormodel::load_tables(file)) tables.push_back(std::move(t));
  }
  return tables;
}

/// One operating point of a file for each of another: the one at the same place, or the only one.
const errormodel::ErrorTable& counterpart(const errormodel::ErrorTable& of,
                                          const std::vector<errormodel::ErrorTable>& among) {
  for (const auto& t : among)
    if (errormodel::operating_point_name(t) == errormodel::operating_point_name(of)) return t;
  return among.front();
}

void tell(Session& session, const errormodel::ErrorTable& first, const errormodel::TableDifference& d) {
  session.out.line(fmt::format("operating point {}", errormodel::operating_point_name(first)));
  session.out.line(errormodel::difference_report(d));
  for (const auto& t : d.terms) {
    std::vector<std::pair<std::string, double>> numbers = {
        {"first", t.first}, {"second", t.second}, {"distance", t.distance}};
    if (t.chance) numbers.push_back({"chance", *t.chance});
    session.out.append("terms",
                       {{"operating_point", errormodel::operating_point_name(first)},
                        {"term", t.term},
                        {"verdict", t.significant() ? "differs" : "within its errors"}},
                       numbers);
  }
}

}  // namespace

ExitStatus run_diff(Session& session) {
  const auto& files = session.invocation.arguments;
  if (files.size() != 2)
    throw Error(ExitStatus::kUsage, "E106", "errata diff takes two error tables",
                "errata diff measured/error_table.h5 my-chip/artifacts/error_table.h5");
  const auto first = load_all({files[0]}), second = load_all({files[1]});
  bool significant = first.size() != second.size();
  std::vector<std::string> notes;
  if (significant) notes.push_back(fmt::format("{} operating points and {}", first.size(), second.size()));
  for (const auto& t : first) {
    const auto d = errormodel::compare_tables(t, counterpart(t, second));
    tell(session, t, d);
    if (!d.hardware.empty()) notes.push_back("different hardware: " + d.hardware);
    notes.insert(notes.end(), d.declared.begin(), d.declared.end());
    notes.insert(notes.end(), d.notes.begin(), d.notes.end());
    significant = significant || d.significant();
  }
  session.out.set("notes", notes);
  session.out.set("significant", significant);
  session.out.line(significant ? "the tables differ" : "the tables agree within their errors");
  return significant ? ExitStatus::kSpecificationFailed : ExitStatus::kOk;
}

ExitStatus run_merge(Session& session) {
  const auto& i = session.invocation;
  if (i.arguments.size() < 2 || i.out.empty())
    throw Error(ExitStatus::kUsage, "E106", "errata merge takes at least two error tables and --out FILE",
                "errata merge lot1/error_table.h5 lot2/error_table.h5 --out both.h5");
  auto tables = load_all(i.arguments);
  if (i.operating_points) {
    const auto set = errormodel::merge_operating_points(tables);
    set.save(i.out);
    session.out.line(fmt::format("{}: {} operating points", i.out.string(), set.points().size()));
    for (const auto& t : set.points()) session.out.line("  " + errormodel::operating_point_name(t));
    session.out.set("operating_points", static_cast<std::int64_t>(set.points().size()));
  } else {
    if (tables.size() != i.arguments.size())
      throw Error(ExitStatus::kArtifact, "E407", "a table of several operating points cannot be joined by chips",
                  "join the tables of each operating point, then those with --operating-points");
    const auto merged = errormodel::merge_chips(tables);
    merged.save(i.out);
    session.out.line(fmt::format("{}: {} tables, {} chips, {} columns", i.out.string(), tables.size(),
                                 merged.chips_used, merged.columns_used));
    session.out.set("chips", static_cast<std::int64_t>(merged.chips_used));
    session.out.set("columns", static_cast<std::int64_t>(merged.columns_used));
  }
  session.out.set("file", i.out.string());
  return ExitStatus::kOk;
}

}  // namespace errata::cli
