#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "circuit/netlist/netlist.h"
#include "circuit/netlist/netlist_text.h"

namespace errata::circuit {

/// A file as statements: comments cut, continuation lines joined.
struct NetlistFile {
  std::vector<Statement> statements;
  std::vector<Diagnostic> problems;
  std::vector<Diagnostic> warnings;
  std::vector<Diagnostic> unreadable;  ///< encrypted parts: they matter when something is missing (E206)
};

/// Splits the text of a file. `file` is the name used in positions.
NetlistFile split_statements(std::string_view text, const std::string& file, const Dialect& dialect);

/// Files read once each: a library has many sections.
class NetlistFiles {
 public:
  explicit NetlistFiles(const Dialect& dialect) : dialect_(dialect) {}

  /// The file's statements, or null when it can't be read as a regular file.
  std::shared_ptr<const NetlistFile> open(const std::filesystem::path& path);

  /// Where some file that was opened defines the model or subcircuit `name` in a .lib section, for a hint.
  std::string section_that_defines(std::string_view name) const;

 private:
  Dialect dialect_;
  std::unordered_map<std::string, std::shared_ptr<const NetlistFile>> files_;
};

}  // namespace errata::circuit
