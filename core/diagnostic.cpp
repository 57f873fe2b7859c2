#include "core/diagnostic.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace errata {

std::string format_diagnostic(const Diagnostic& d) {
  std::string text;
  if (!d.position.file.empty()) {
    text += d.position.file;
    if (d.position.line > 0) text += fmt::format(":{}", d.position.line);
    if (d.position.column > 0) text += fmt::format(":{}", d.position.column);
    text += ": ";
  }
  text += fmt::format("{} {}: {}", d.severity == Diagnostic::Severity::kError ? "error" : "warning", d.code, d.message);
  if (!d.excerpt.empty()) {
    text += fmt::format("\n    {}", d.excerpt);
    if (d.position.column > 0) text += fmt::format("\n    {:>{}}", "^", d.position.column);
  }
  if (!d.hint.empty()) text += fmt::format("\n  {}", d.hint);
  return text;
}

namespace {
std::string summary(const std::vector<Diagnostic>& diagnostics) {
  std::string text;
  for (const auto& d : diagnostics) {
    if (!text.empty()) text += '\n';
    text += format_diagnostic(d);
  }
  return text;
}
}  // namespace

ProjectError::ProjectError(std::vector<Diagnostic> diagnostics)
    : Error(ExitStatus::kInvalidProject, diagnostics.empty() ? "E100" : diagnostics.front().code, summary(diagnostics)),
      diagnostics_(std::move(diagnostics)) {}

void throw_if_errors(const std::vector<Diagnostic>& diagnostics) {
  const bool any = std::ranges::any_of(
      diagnostics, [](const Diagnostic& d) { return d.severity == Diagnostic::Severity::kError; });
  if (any) throw ProjectError(diagnostics);
}

std::string nearest_name(std::string_view name, std::span<const std::string> known) {
  const auto distance = [&](std::string_view other) {
    std::vector<std::size_t> row(other.size() + 1);
    std::iota(row.begin(), row.end(), 0);
    for (std::size_t i = 1; i <= name.size(); ++i) {
      std::size_t diagonal = row[0];
      row[0] = i;
      for (std::size_t j = 1; j <= other.size(); ++j) {
        const std::size_t above = row[j];
        row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (name[i - 1] == other[j - 1] ? 0 : 1)});
        diagonal = above;
      }
    }
    return row.back();
  };
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const auto& candidate : known) {
    const std::size_t d = distance(candidate);
    if (d < best_distance) {
      best_distance = d;
      best = candidate;
    }
  }
  return best;
}

}  // namespace errata
