#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "circuit/netlist/netlist.h"
#include "circuit/netlist/netlist_file.h"

namespace errata::circuit {

/// A netlist as one list of statements: includes inlined, sections chosen, conditions decided, analyses dropped.
struct NetlistText {
  std::vector<Statement> statements;
  std::vector<Diagnostic> problems;
  std::vector<Diagnostic> warnings;
  std::vector<Diagnostic> unreadable;  ///< problems only if something that is used is not defined
  std::string scale;                   ///< text of `.option scale`
  bool sets_nominal_temperature = false;
};

NetlistText inline_netlist(const std::filesystem::path& path, const NetlistOptions& options, NetlistFiles& files);

}  // namespace errata::circuit
