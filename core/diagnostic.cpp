#include "core/diagnostic.h"

#include <fmt/format.h>

#include <algorithm>

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
  const bool any =
      std::ranges::any_of(diagnostics, [](const Diagnostic& d) { return d.severity == Diagnostic::Severity::kError; });
  if (any) throw ProjectError(diagnostics);
}

std::string nearest_name(std::string_view name, std::span<const std::string> known) {
  // Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours.
  const auto distance = [&](std::string_view other) {
    const std::size_t width = other.size() + 1;
    std::vector<std::size_t> d((name.size() + 1) * width);
    const auto at = [&](std::size_t i, std::size_t j) -> std::size_t& { return d[i * width + j]; };
    for (std::size_t i = 0; i <= name.size(); ++i) at(i, 0) = i;
    for (std::size_t j = 0; j < width; ++j) at(0, j) = j;
    for (std::size_t i = 1; i <= name.size(); ++i)
      for (std::size_t j = 1; j < width; ++j) {
        at(i, j) =
            std::min({at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + (name[i - 1] == other[j - 1] ? 0 : 1)});
        if (i > 1 && j > 1 && name[i - 1] == other[j - 2] && name[i - 2] == other[j - 1])
          at(i, j) = std::min(at(i, j), at(i - 2, j - 2) + 1);
      }
    return d.back();
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
