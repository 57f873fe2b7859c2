#include "circuit/netlist/netlist.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "circuit/netlist/netlist_check.h"
#include "circuit/netlist/netlist_expression.h"
#include "circuit/netlist/netlist_reader.h"
#include "core/sha256.h"

namespace errata::circuit {

namespace {

/// By file in the order of reading, then by line.
void sort_by_place(std::vector<Diagnostic>& diagnostics, const std::vector<Statement>& statements) {
  std::map<std::string, std::size_t> rank;
  for (const auto& s : statements) rank.emplace(s.position.file, rank.size());
  for (const auto& d : diagnostics) rank.emplace(d.position.file, rank.size());
  std::ranges::stable_sort(diagnostics, [&](const Diagnostic& a, const Diagnostic& b) {
    return std::pair(rank[a.position.file], a.position.line) < std::pair(rank[b.position.file], b.position.line);
  });
}

/// One warning for the elements outside subcircuits: a designer's test bench.
void warn_of_test_bench(const NetlistIndex& index, std::vector<Diagnostic>& warnings) {
  const auto& elements = index.scopes()[0].devices;
  if (elements.empty()) return;
  const Statement& first = index.statements()[elements.front()];
  warnings.push_back(netlist_warning(
      "W220", first.position,
      elements.size() == 1 ? "an element outside every subcircuit is dropped"
                           : fmt::format("{} elements outside every subcircuit are dropped", elements.size()),
      "errata writes the circuit around the cell itself"));
}

/// agauss() and the like would draw other values in each worker; errata draws variation itself.
void take_nominal_values(std::vector<Statement>& statements, std::vector<Diagnostic>& warnings) {
  std::size_t count = 0;
  SourcePosition first;
  for (auto& s : statements) {
    if (s.text.find_first_of("gGnNlL") == std::string::npos || s.text.find('(') == std::string::npos) continue;
    NominalText nominal = with_nominal_values(s.text);
    if (nominal.count == 0) continue;
    if (count == 0) first = s.position;
    count += nominal.count;
    s.text = std::move(nominal.text);
    s.first_line_length = 0;
  }
  if (count > 0)
    warnings.push_back(
        netlist_warning("W222", first,
                        fmt::format("{} random value{} (agauss, gauss, aunif, unif, limit) replaced by the "
                                    "nominal one",
                                    count, count == 1 ? "" : "s"),
                        "variation is drawn by errata: [[circuit.mismatch]]"));
}

double scale_of(const NetlistText& text, const NetlistIndex& index, const Dialect& dialect) {
  if (text.scale.empty()) return 1.0;
  const auto value = evaluate_expression(
      lower_case(text.scale),
      [&](const std::string& name) -> std::optional<std::string> {
        const auto& parameters = index.scopes()[0].parameters;
        const auto found = parameters.find(name);
        if (found == parameters.end()) return std::nullopt;
        return found->second;
      },
      dialect);
  return value.value_or(std::nan(""));
}

}  // namespace

Netlist read_netlist(const std::filesystem::path& path, const NetlistOptions& options) {
  const Dialect dialect = dialect_of(options.compatibility);
  NetlistFiles files(dialect);
  NetlistText text = inline_netlist(path, options, files);
  std::vector<Diagnostic>& problems = text.problems;
  const bool files_missing = std::ranges::any_of(problems, [](const Diagnostic& d) { return d.code == "E201"; });
  if (files_missing) throw_if_errors(problems);  // everything else would follow from it
  Netlist netlist;
  netlist.warnings = std::move(text.warnings);
  NetlistIndex index(text.statements, problems, netlist.warnings);
  const NetlistAnalysis analysis = analyse_netlist(index, options);
  const std::vector<bool> kept = kept_statements(analysis);
  NetlistReport report(index, problems, netlist.warnings);
  check_devices(analysis, files, options.trust, report);
  if (std::ranges::any_of(problems, [](const Diagnostic& d) { return d.code == "E232"; }))
    throw_if_errors(problems);  // the rest walks over the tree of instances
  check_names(analysis, kept, report);
  check_nodes(analysis, report);
  report.finish();
  const bool undefined = std::ranges::any_of(
      problems, [](const Diagnostic& d) { return d.code == "E202" || d.code == "E205" || d.code == "E206"; });
  for (auto& d : text.unreadable) {
    d.severity = undefined ? Diagnostic::Severity::kError : Diagnostic::Severity::kWarning;
    if (!undefined) {
      d.code = "W221";
      d.message += "; nothing that is used needs it";
      d.hint.clear();
    }
    (undefined ? problems : netlist.warnings).push_back(std::move(d));
  }
  sort_by_place(problems, text.statements);
  throw_if_errors(problems);
  netlist.subcircuits = subcircuits_of(analysis);
  netlist.globals = index.globals();
  netlist.scale = scale_of(text, index, dialect);
  netlist.sets_nominal_temperature = text.sets_nominal_temperature;
  std::vector<Statement> statements = text.statements;
  rename_subcircuits(analysis, statements, netlist.subcircuits);
  for (std::size_t i = 0; i < statements.size(); ++i)
    if (kept[i]) netlist.statements.push_back(std::move(statements[i]));
  warn_of_test_bench(index, netlist.warnings);
  take_nominal_values(netlist.statements, netlist.warnings);
  sort_by_place(netlist.warnings, text.statements);
  std::string all;
  for (const auto& s : netlist.statements) all += s.text + "\n";
  netlist.sha256 = sha256(all);
  return netlist;
}

}  // namespace errata::circuit
