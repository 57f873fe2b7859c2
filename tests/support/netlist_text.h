#pragma once

#include <string>
#include <vector>

#include "circuit/netlist/netlist.h"
#include "tests/support/expect_error.h"
#include "tests/support/temporary_folder.h"

namespace errata::testing {

/// Reads text as the top file of a netlist; a title line is put before it, so line 2 is the text's first.
inline circuit::Netlist read_text(const std::string& text, const circuit::NetlistOptions& options = {}) {
  const TemporaryFolder folder;
  return circuit::read_netlist(folder.write("top.cir", "title\n" + text), options);
}

/// The text inside a subcircuit: its first line is line 3.
inline std::string in_cell(const std::string& body, const std::string& header = ".subckt cell a b") {
  return header + "\n" + body + ".ends\n";
}

inline std::vector<std::string> texts(const circuit::Netlist& netlist) {
  std::vector<std::string> all;
  for (const auto& s : netlist.statements) all.push_back(s.text);
  return all;
}

/// Statements of the one subcircuit, without its .subckt and .ends lines.
inline std::vector<std::string> body_texts(const circuit::Netlist& netlist) {
  std::vector<std::string> all = texts(netlist);
  if (all.size() < 2) return {};
  return {all.begin() + 1, all.end() - 1};
}

/// "code line" of every problem, or {"no problem"}.
inline std::vector<std::string> problems(const std::string& text, const circuit::NetlistOptions& options = {}) {
  std::vector<std::string> all;
  try {
    read_text(text, options);
  } catch (const ProjectError& e) {
    for (const auto& d : e.diagnostics()) all.push_back(d.code + " " + std::to_string(d.position.line));
    return all;
  }
  return {"no problem"};
}

/// The first problem.
inline Diagnostic problem(const std::string& text, const circuit::NetlistOptions& options = {}) {
  try {
    read_text(text, options);
  } catch (const ProjectError& e) {
    return e.diagnostics().front();
  }
  ADD_FAILURE() << "no problem in\n" << text;
  return {};
}

/// "code line" of every warning.
inline std::vector<std::string> warnings(const circuit::Netlist& netlist) {
  std::vector<std::string> all;
  for (const auto& d : netlist.warnings) all.push_back(d.code + " " + std::to_string(d.position.line));
  return all;
}

}  // namespace errata::testing
