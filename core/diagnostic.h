#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace errata {

/// Where something stands in a user's file; line and column count from 1, 0 means unknown.
struct SourcePosition {
  std::string file;
  int line = 0;
  int column = 0;
};

/// One message about a user's input: what was found, what is needed, what to try.
struct Diagnostic {
  enum class Severity { kWarning, kError };

  Severity severity = Severity::kError;
  std::string code;  ///< stable, known to `errata explain`
  SourcePosition position;
  std::string message;
  std::string hint;     ///< what to try; may be empty
  std::string excerpt;  ///< the offending line; may be empty
};

/// "file:line:column: error E101: message", then the excerpt with a caret and the hint, one per line.
std::string format_diagnostic(const Diagnostic& diagnostic);

/// A project or netlist that cannot be used; carries every problem found, not the first one only.
class ProjectError : public Error {
 public:
  explicit ProjectError(std::vector<Diagnostic> diagnostics);
  const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }

 private:
  std::vector<Diagnostic> diagnostics_;
};

/// Throws ProjectError when any of the diagnostics is an error.
void throw_if_errors(const std::vector<Diagnostic>& diagnostics);

/// One entry of the catalogue behind `errata explain CODE`.
struct DiagnosticEntry {
  std::string_view code;
  std::string_view title;
  std::string_view meaning;
  std::string_view remedy;
};

/// Every code that errata can print, in order.
std::span<const DiagnosticEntry> diagnostic_catalogue();

/// The known name nearest to `name` by edit distance, or empty when none is near.
std::string nearest_name(std::string_view name, std::span<const std::string> known);

}  // namespace errata
